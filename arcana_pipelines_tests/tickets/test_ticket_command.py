"""`arcana ticket list | show | stats`."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from arcana_pipelines.cli.commands.ticket import command
from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import CursorRefused, UnknownTicket, UnknownWorkspace, WrongUse
from arcana_pipelines_tests.ticket_rows import NOON, Desk, add_desk


@pytest.fixture
def desk(database: Database) -> Desk:
    desk = add_desk(database, "help")
    desk.add("20", title="로그인 \x1b[2J", description="It fails.", custom_fields={"Plan": "Pro"}, minute=2,
             requester_name="Jiwoo", requester_email="jiwoo@example.com")  # fmt: skip
    desk.add("21", status="Closed", priority="High", is_processed=True, assignee_email="lee@example.com", minute=1)
    desk.say("20", "Which browser?", by="agent", minute=3)
    desk.say("20", "Old plan.", kind="private", by="agent", minute=4)
    add_desk(database, "theirs", "Globex").add("30")
    return desk


@pytest.fixture
def arcana(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("ARCANA_HOME", str(desk.database.settings.home))
    monkeypatch.setenv("DATABASE_URL", desk.database.url)
    return lambda *arguments: CliRunner().invoke(command, arguments)


def test_lists_what_changed_last_first_with_filters(arcana: Callable[..., Result]) -> None:
    def listed(*arguments: str) -> list[str]:
        done = arcana("list", "help", "--json", *arguments)
        assert done.exit_code == 0, done.output
        return [each["ticket_id"] for each in json.loads(done.stdout)["tickets"]]

    assert listed() == ["20", "21"]
    assert listed("--status", "Closed") == listed("--priority", "High") == listed("--processed") == ["21"]
    assert listed("--assignee", "lee@example.com") == listed("--status", "closed") == ["21"]
    assert listed("--unprocessed") == listed("--since", f"{NOON:%Y-%m-%d}T12:02") == ["20"]
    assert listed("--before", "2026-03-05T21:02+09:00") == listed("--offset", "1") == ["21"]
    first = json.loads(arcana("list", "help", "--limit", "1", "--json").stdout)
    assert listed("--after", first["cursor"]) == ["21"]


def test_says_to_people_what_there_is(arcana: Callable[..., Result]) -> None:
    listed = arcana("list", "help", "--limit", "1").stdout
    assert "20  로그인 \ufffd[2J  Open, Low" in listed and "--after '2026-03-05T12:02:00+00:00 " in listed
    assert "There are no such tickets in 'help'." in arcana("list", "help", "--since", "2026-04-01").stdout
    lost = arcana("list", "help", "--status", "Opne").stdout
    assert "No ticket has the status 'Opne'. There are: Closed, Open." in lost
    shown = arcana("show", "help", "20").stdout
    for told in (
        "It fails.",
        "Plan: Pro",
        "from Jiwoo jiwoo@example.com",
        "agent Kim",
        "Old plan.",
        "private",
        "log.txt",
    ):
        assert told in shown
    stats = arcana("stats", "help").stdout
    assert "help: 2 tickets, 1 with a summary" in stats and "status: Closed 1, Open 1" in stats


def test_a_summary_is_shown_with_its_ticket(desk: Desk, arcana: Callable[..., Result]) -> None:
    made = {"symptom": "로그인이\x1b[2J 안 됩니다.", "cause": None, "resolution": "Reset it.", "model": "chat-1"}
    desk.add("22", summary=made, is_processed=True)
    desk.add("23", summary=made)
    shown = arcana("show", "help", "22").stdout
    assert "Summary\nsymptom: 로그인이\ufffd[2J 안 됩니다.\nresolution: Reset it.\n\n" in shown
    assert "chat-1" not in shown and "cause" not in shown
    assert "Summary of an earlier content\n" in arcana("show", "help", "23").stdout


@pytest.mark.parametrize("call", [("list", "book"), ("show", "book", "20"), ("stats", "book"), ("summarise", "book")])
def test_a_workspace_of_pages_is_refused(desk: Desk, arcana: Callable[..., Result], call: tuple[str, ...]) -> None:
    add_desk(desk.database, "book", platform="notion_export")
    refused = arcana(*call).exception
    assert isinstance(refused, WrongUse) and refused.exit_code == 2
    assert str(refused).startswith("Workspace 'book' has no tickets: its source is 'notion-export'.")


def test_gives_programs_one_object(arcana: Callable[..., Result]) -> None:
    shown = json.loads(arcana("show", "help", "20", "--json").stdout)
    assert [each["message_type"] for each in shown["messages"]] == ["public", "private"]
    assert json.loads(arcana("stats", "help", "--json").stdout) == {
        "workspace": "help", "total_tickets": 2, "status_distribution": {"Closed": 1, "Open": 1},
        "priority_distribution": {"High": 1, "Low": 1}, "processed_count": 1, "unprocessed_count": 1,
    }  # fmt: skip


def test_wrong_use_is_told_in_words(arcana: Callable[..., Result]) -> None:
    assert isinstance(arcana("show", "help", "30").exception, UnknownTicket)
    assert isinstance(arcana("stats", "nowhere").exception, UnknownWorkspace)
    assert isinstance(arcana("list", "help", "--after", "x").exception, CursorRefused)
    refused = arcana("list", "help", "--since", "soon")
    assert refused.exit_code == 2 and "is not a time" in refused.output
    assert {error.exit_code for error in (UnknownTicket, UnknownWorkspace, CursorRefused)} == {2}
