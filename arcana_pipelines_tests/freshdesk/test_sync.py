"""Syncs of a help desk: what reaches the ledger and the index, what is removed when, and how much is asked for it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from arcana_pipelines.cli.commands.workspace import command
from arcana_pipelines.embedding.registry import model_of
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.ledger.polling import poll
from arcana_pipelines.pipeline import registration
from arcana_pipelines.pipeline.session import workspace_session
from arcana_pipelines.pipeline.sync import SyncRequest, sync
from arcana_pipelines.sources.freshdesk.source import TRASH_EVERY
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.freshdesk.conftest import Desk

CLOSED = 5
DAY = timedelta(days=1).total_seconds()


@dataclass
class Synced:
    """A workspace that reads the help desk."""

    desk: Desk
    key: str | None = None

    def __post_init__(self) -> None:
        database = self.desk.database
        index = IndexSettings.of_model(*model_of(database.settings))
        registration.register(database, "desk", "freshdesk", index, lambda _: None, lambda _: None)

    def source(self, is_poll: bool = False) -> Any:
        with self.desk.database.connection() as connection:
            config = workspaces.find(connection, "desk").source_config
        return self.desk.source(key=self.key, is_poll=is_poll, private_notes=config.get("private_notes") is True)

    def sync(self, mode: Mode = Mode.INCREMENTAL) -> dict[str, Any]:
        self.desk.server.reset_log()
        with workspace_session(self.desk.database, "desk", open_source=lambda *_: self.source()) as session:
            return sync(session, SyncRequest(mode)).as_dict()

    def is_needed(self) -> bool:
        """Whether one of the next polls, of which one looks at the trash, calls for a sync."""
        with self.desk.database.connection() as connection:
            workspace = workspaces.find(connection, "desk")
        polls = [poll(self.desk.database, workspace, self.source(is_poll=True)) for _ in range(TRASH_EVERY)]
        return any(each.needed for each in polls)

    def set(self, *options: str) -> None:
        result = CliRunner().invoke(command, ["set", "desk", *options], catch_exceptions=False)
        assert result.exit_code == 0, result.output

    def alive(self) -> dict[str, str]:
        """What is in the index, by external id: the text."""
        with self.desk.database.connection() as connection:
            return dict(
                connection.execute(
                    "SELECT p.external_id, p.body FROM source_page p JOIN document d USING (document_id) "
                    "WHERE d.deleted_at IS NULL AND NOT p.is_container"
                ).fetchall()
            )


@pytest.fixture
def synced(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Synced]:
    settings = desk.database.settings
    for name, value in {
        "ARCANA_HOME": str(settings.home), "ARCANA_ENV_FILE": os.devnull, "DATABASE_URL": desk.database.url,
        "EMBEDDING_PROVIDER": settings.embedding_provider, "FRESHDESK_API_KEY": desk.world.key,
        "FRESHDESK_DOMAIN": "acme",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return lambda **changes: Synced(desk, **changes)


def test_a_first_load_is_one_request_a_ticket_and_the_next_sync_three(
    desk: Desk, synced: Callable[..., Synced]
) -> None:
    for number in range(20):
        desk.world.reply(desk.world.add_ticket(f"T {number}", f"Question {number}"), f"Answer {number}")
        desk.world.clock.advance(60)
    desk.settle()
    workspace = synced()
    report = workspace.sync()
    assert report["listing_complete"] and len(workspace.alive()) == 20
    asked = desk.server.requests
    assert asked["tickets/conversations"] == 20 and asked["tickets/view"] == 0 and asked["tickets"] == 1
    workspace.sync()
    assert desk.server.requests == {"tickets": 1, "tickets/deleted": 1, "tickets/spam": 1}
    assert not workspace.is_needed()


def test_a_load_that_was_cut_off_goes_on_where_it_was(desk: Desk, synced: Callable[..., Synced]) -> None:
    for number in range(6):
        desk.world.add_ticket(f"T {number}", f"Question {number}")
        desk.world.clock.advance(60)
    desk.settle()
    workspace = synced()
    desk.server.faults.add("403", "tickets/conversations", times=None, skip=2)
    workspace.sync()
    assert len(workspace.alive()) == 2
    desk.server.faults.clear()
    with desk.database.connection() as connection:
        connection.execute("UPDATE source_page SET next_attempt_at = now() WHERE state = 'quarantined'")
    workspace.sync()
    assert len(workspace.alive()) == 6
    asked = desk.server.requests
    assert asked["tickets/conversations"] == 4 and asked["tickets"] == 1


def test_private_notes_come_and_go_with_the_option_and_a_sync_is_called_for(
    desk: Desk, synced: Callable[..., Synced]
) -> None:
    ticket = desk.world.add_ticket("Help", "Please.")
    desk.world.add_note(ticket, "Internal remark.")
    desk.settle()
    workspace = synced()
    workspace.sync()
    assert set(workspace.alive()) == {"1"} and not workspace.is_needed()
    workspace.set("--private-notes")
    shown = CliRunner().invoke(command, ["show", "desk", "--json"]).output
    assert json.loads(shown)["private_notes"] is True
    assert workspace.is_needed()
    workspace.sync()
    assert set(workspace.alive()) == {"1", "1-notes"} and "Internal remark." in workspace.alive()["1-notes"]
    assert not workspace.is_needed()
    workspace.set("--no-private-notes")
    assert workspace.is_needed()
    workspace.sync()
    assert set(workspace.alive()) == {"1"} and not workspace.is_needed()


def test_what_is_deleted_leaves_and_what_is_archived_stays(desk: Desk, synced: Callable[..., Synced]) -> None:
    made = [desk.world.add_ticket(f"T {at}", "Q", status=CLOSED) for at in range(5)]
    stays, deleted, spam, archived, gone = made
    desk.settle()
    workspace = synced()
    workspace.sync()
    desk.world.delete(deleted)
    desk.world.spam(spam)
    desk.world.archive(archived)
    desk.world.delete_for_ever(gone)
    assert workspace.is_needed()
    workspace.sync()
    assert set(workspace.alive()) == {str(stays), str(archived), str(gone)}
    for _ in range(2):
        workspace.sync(Mode.AUDIT)
    assert set(workspace.alive()) == {str(stays), str(archived)}
    desk.world.restore(deleted)
    assert workspace.is_needed()
    workspace.sync()
    assert set(workspace.alive()) == {str(stays), str(deleted), str(archived)}


def test_where_nobody_can_look_into_the_archive_what_is_old_stays_and_what_is_young_goes(
    desk: Desk, synced: Callable[..., Synced]
) -> None:
    desk.server.set_plan("growth")
    old = desk.world.add_ticket("Old", "Q", status=CLOSED)
    desk.world.clock.advance(130 * DAY)
    stays, young = (desk.world.add_ticket("Young", "Q", status=CLOSED) for _ in range(2))
    desk.settle()
    workspace = synced()
    workspace.sync()
    desk.world.archive(old)
    desk.world.delete_for_ever(young)
    for _ in range(2):
        desk.sleep(60)
        workspace.sync(Mode.AUDIT)
    assert set(workspace.alive()) == {str(stays), str(old)}
    desk.sleep(60)
    workspace.sync()
    assert desk.server.requests["tickets/view"] == 0, "it is not looked at again and again"
    assert not workspace.is_needed()


def test_a_key_of_a_smaller_scope_is_read_removes_nothing_and_is_not_listed_whole_again(
    desk: Desk, synced: Callable[..., Synced]
) -> None:
    world = desk.world
    agent = world.restricted_agent
    own, other = (world.add_ticket(f"T {at}", "Q", responder=agent) for at in range(2))
    desk.settle()
    workspace = synced(key=world.agents[agent].key)
    report = workspace.sync()
    assert not report["listing_complete"] and any("only tickets of its own" in each for each in report["problems"])
    assert set(workspace.alive()) == {str(own), str(other)}
    assert not workspace.is_needed()
    world.assign(other, world.agent)
    workspace.sync(Mode.AUDIT)
    assert set(workspace.alive()) == {str(own), str(other)}
    report = workspace.sync()
    assert report["listing_complete"] and desk.server.requests["tickets"] == 1


def test_a_renamed_status_is_found_by_an_audit_and_reads_no_ticket(desk: Desk, synced: Callable[..., Synced]) -> None:
    desk.world.add_ticket("T", "Q", status=6)
    desk.settle()
    workspace = synced()
    workspace.sync()
    desk.world.statuses[6] = ("고객 응답 대기", "Waiting")
    workspace.sync(Mode.AUDIT)
    assert not {"tickets/view", "tickets/conversations"} & set(desk.server.requests)
    with desk.database.connection() as connection:
        row = connection.execute("SELECT properties->'Status'->>'text' FROM source_page").fetchone()
    assert row == ("고객 응답 대기",)


def test_a_second_account_needs_a_company_of_its_own(desk: Desk, synced: Callable[..., Synced]) -> None:
    synced()
    index = IndexSettings.of_model(*model_of(desk.database.settings))

    def register(slug: str, platform: str, company: str) -> None:
        registration.register(desk.database, slug, platform, index, lambda _: None, lambda _: None, company=company)

    with pytest.raises(WrongUse, match=r"'desk'.*--company"):
        register("second", "freshdesk", "default")
    register("second", "freshdesk", "another")
    register("wiki", "notion", "default")
