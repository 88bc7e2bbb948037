"""What `arcana status --json` prints is a contract: its names, their order and their kinds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from arcana_pipelines.alerts.causes import FailedRun, find_causes
from arcana_pipelines.alerts.records import record
from arcana_pipelines.cli.reports import say_waiting_removals
from arcana_pipelines.errors import TokenRevoked
from arcana_pipelines.operations.status import workspace_status
from arcana_pipelines.pipeline.purpose import Purpose
from arcana_pipelines.pipeline.sync import SyncRequest, sync
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.workspaces.workspaces import find
from arcana_pipelines_tests.harness import Harness


def status(acme: Harness) -> dict[str, Any]:
    """What the command prints, times left out but for whether there is one."""
    with acme.database.connection() as connection:
        told: dict[str, Any] = json.loads(json.dumps(workspace_status(connection, find(connection, "acme")).as_dict()))
    for held, names in (
        (told["last_sync"], ("started_at", "finished_at")),
        (told["source"], ("paused_until",)),
        (told["freshness"], ("absences_seen_to", "edits_seen_to")),
    ):
        for name in names:
            if held is not None:
                held[name] = held[name] is not None
    for index in told["indexes"]:
        assert index.pop("updated")
    return told


NOTHING_YET: dict[str, Any] = {
    "workspace": "acme",
    "platform": "notion",
    "status": "active",
    "indexes": [
        {
            "name": "default",
            "embedding_model": "wordllama-l2-supercat",
            "dimensions": 256,
            "object_count": 0,
            "vector_count": 0,
            "documents": 0,
            "chunks": 0,
        }
    ],
    "running": None,
    "last_sync": None,
    "builds_not_serving": [],
    "freshness": {
        "absences_seen_to": False,
        "edits_seen_to": False,
        "unlisted": 0,
        "began_at": None,
        "requests": 0,
        "whole_began_at": None,
        "whole_ended_at": None,
        "whole_requests": None,
        "problem": None,
    },
    "source": {"problem": None, "paused_until": False, "pause_reason": None, "unknown_types": {}},
    "not_indexed": [],
    "partial": {"pages": 0, "reasons": []},
    "targets": [],
    "files": [],
    "summaries": None,
    "topics": None,
}


def test_of_a_workspace_that_was_never_synced(acme: Harness) -> None:
    assert json.dumps(status(acme)) == json.dumps(NOTHING_YET)


def test_of_one_whose_sync_failed_says_why_until_the_source_has_answered(acme: Harness) -> None:
    tokens = set(acme.world.tokens)
    for _ in range(2):  # before the first sync, and after one
        acme.world.tokens.clear()
        with pytest.raises(TokenRevoked) as failed:
            acme.sync(Mode.FULL)
        assert "401" in str(failed.value)
        assert status(acme)["source"]["problem"] == str(failed.value)
        acme.world.tokens |= tokens
        acme.sync(Mode.FULL)
        assert status(acme)["source"]["problem"] is None


def test_of_one_whose_sync_failed_elsewhere_than_at_the_source_says_what_the_alert_says(acme: Harness) -> None:
    acme.sync()
    ((own,),) = acme.rows("SELECT counters ->> 'run' FROM sync_generation")
    run = FailedRun("acme", "sync", own, "EmbeddingFailed", "The endpoint answered 500.")
    with acme.database.connection() as connection:
        record(connection, find_causes(connection, None, [run]), ["failed_run"], 30)
    assert status(acme)["last_sync"]["problems"] == []
    acme.rows("UPDATE sync_generation SET finished_at = NULL RETURNING 1")
    last = status(acme)["last_sync"]
    assert (last["state"], last["problems"]) == ("not finished", ["The endpoint answered 500."])
    acme.rows("UPDATE alert SET run_id = 'another' RETURNING 1")
    assert status(acme)["last_sync"]["problems"] == [], "the reason of another run is none of this one's"


def test_of_one_whose_run_hangs_says_since_when_it_is_silent(acme: Harness) -> None:
    acme.sync()
    acme.rows("UPDATE sync_generation SET finished_at = NULL RETURNING 1")
    acme.rows(
        "UPDATE workspace_lease SET run = (SELECT counters ->> 'run' FROM sync_generation), "
        "heartbeat_at = '2026-01-05 03:04:05+00' RETURNING 1"
    )
    ((own,),) = acme.rows("SELECT run FROM workspace_lease")
    (said,) = status(acme)["last_sync"]["problems"]
    assert said.startswith(f"Its run {own} has given no sign of life since 2026-01-05 03:04:05 UTC")


@pytest.fixture
def broken(acme: Harness) -> str:
    """One page is read, another one cannot be, and the source wants a pause."""
    acme.world.add_page("Leave", blocks=[blocks.paragraph("30 days."), blocks.unsupported()])
    page = acme.world.add_page("Broken", blocks=[blocks.paragraph("Nobody reads this.")])
    acme.settle()
    acme.server.faults.add(f"GET /v1/(pages|blocks)/{page}", "403", times=None)
    acme.sync()
    acme.rows("UPDATE workspace SET poll_problem = 'Notion did not answer' RETURNING 1")
    acme.rows("UPDATE source_limit SET paused_until = now() + interval '1 minute', reason = '429' RETURNING 1")
    return page


def test_of_one_with_troubles_while_a_run_is_at_work(acme: Harness, broken: str) -> None:
    with acme.session():
        told = status(acme)
    assert json.dumps(told, ensure_ascii=False) == json.dumps(
        {
            **NOTHING_YET,
            "indexes": [
                {**NOTHING_YET["indexes"][0], "object_count": 1, "vector_count": 1, "documents": 1, "chunks": 1}
            ],
            "running": {
                "listed": 2, "pending": 0, "chunks": 0, "embedded": 0, "served": 1, "is_indexing": False,
                "passages": 0, "behind": 0, "limited_by": None,
            },
            "last_sync": {
                "state": "done",
                "generation": 1,
                "mode": "full",
                "listing_complete": True,
                "problems": [],
                "started_at": True,
                "finished_at": True,
                "pages": {
                    "enumerated": 2, "added": 1, "updated": 0, "unchanged": 0, "skipped": 0, "quarantined": 1,
                    "pending": 0, "removed": 0,
                },
                "waiting_removals": 0,
            },
            "freshness": {**NOTHING_YET["freshness"], "absences_seen_to": True, "edits_seen_to": True},
            "source": {
                "problem": "Notion did not answer",
                "paused_until": True,
                "pause_reason": "429",
                "unknown_types": {"button": 1},
            },
            "not_indexed": [
                {
                    "state": "quarantined",
                    "reason": "GET blocks/…/children: 403 restricted_resource: Insufficient permissions for this "
                    "endpoint.",
                    "pages": 1,
                    "examples": [{"title": "Broken", "external_id": broken}],
                }
            ],
        },
        ensure_ascii=False,
    )  # fmt: skip


@pytest.mark.parametrize("mode", list(Mode))
def test_an_estimate_hides_no_sync(acme: Harness, mode: Mode) -> None:
    pages = [acme.world.add_page(f"Page {number}", blocks=[blocks.paragraph("연차 휴가.")]) for number in range(3)]
    acme.settle()
    with acme.session() as session:
        sync(session, SyncRequest(Mode.FULL, Purpose.STAGE))
        assert status(acme)["last_sync"] is None and status(acme)["running"] is not None
    acme.sync()
    synced = status(acme)["last_sync"]
    assert (synced["state"], synced["pages"]["enumerated"], synced["finished_at"]) == ("done", 3, True)
    acme.world.set_title(pages[0], "Edited")
    acme.world.add_page("New", blocks=[blocks.paragraph("New.")])
    acme.settle()
    with acme.session() as session:
        sync(session, SyncRequest(mode, Purpose.STAGE))
    assert status(acme)["last_sync"] == synced
    acme.sync()
    assert status(acme)["last_sync"]["generation"] == 4


def test_pages_that_wait_to_be_removed_are_named(acme: Harness, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(12):
        acme.world.add_page(f"Page {number}", blocks=[blocks.paragraph("연차 휴가.")])
    acme.settle()
    acme.sync()
    assert "waiting_titles" not in status(acme)["last_sync"]
    acme.rows("UPDATE sync_generation SET counters = counters || '{\"waiting_removals\": 12}' RETURNING 1")
    acme.rows("UPDATE source_page SET state = 'suspect' RETURNING 1")
    last = status(acme)["last_sync"]
    assert len(last["waiting_titles"]) == 10 and set(last["waiting_titles"]) < {f"Page {n}" for n in range(12)}
    say_waiting_removals("acme", "full", last["waiting_removals"], last["waiting_titles"])
    said = capsys.readouterr().out
    assert all(f"    {title}\n" in said for title in last["waiting_titles"]) and "    and 2 more\n" in said
