"""The tickets of the sample: thirty, half of them Korean, made up, and as Freshdesk's API would show them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.demo.helpdesk_account import FOLDER, HelpdeskAccount
from arcana_pipelines.pipeline.session import workspace_session
from arcana_pipelines.pipeline.sync import SyncRequest, sync
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines_tests.evaluation.asking import HELPDESK_SLUG, IndexedPages
from arcana_pipelines_tests.evaluation.baseline import SMALL_MODEL

ARCHIVED, MERGED, PRIMARY = "1201", "1212", "1211"


@pytest.fixture(scope="module")
def account() -> HelpdeskAccount:
    return HelpdeskAccount()


@pytest.fixture(scope="module")
def tickets(account: HelpdeskAccount) -> list[Any]:
    return [*asked(account, "tickets"), asked(account, f"tickets/archived/{ARCHIVED}")]


def asked(account: HelpdeskAccount, path: str, **query: str) -> Any:
    return account.answer(path, query)


def test_there_are_thirty_half_of_them_in_korean(tickets: list[Any]) -> None:
    assert len(tickets) == len({ticket["id"] for ticket in tickets}) == 30
    korean = [ticket for ticket in tickets if re.search("[가-힣]", ticket["subject"])]
    assert len(korean) == 15
    assert all(re.search("[가-힣]", said["body"]) for ticket in korean for said in ticket["conversations"])


def test_they_show_what_tickets_have(account: HelpdeskAccount, tickets: list[Any]) -> None:
    said = [each for ticket in tickets for each in ticket["conversations"]]
    assert {1 <= len(ticket["conversations"]) <= 5 for ticket in tickets} == {True}
    assert sum(each["private"] for each in said) >= 5 and any(each["auto_response"] for each in said)
    assert any(each["incoming"] for each in said) and not all(each["incoming"] for each in said)
    assert {2, 3, 4, 5, 6, 7} == {ticket["status"] for ticket in tickets}
    fields = {row["name"]: row for row in asked(account, "ticket_fields")}
    assert fields["status"]["choices"]["6"] == ["Waiting on parts", "Waiting on parts"]
    assert all(set(ticket["custom_fields"]) <= set(fields) for ticket in tickets)
    files = [file for each in (*tickets, *said) for file in each["attachments"]]
    assert {file["name"] for file in files} == {"dock3-0562.log", "nuri_users.csv", "CN-2026-0031.txt"}
    assert all(len(account.attachment(file["id"]) or b"") == file["size"] > 100 for file in files)


def test_names_are_made_up_and_addresses_lead_nowhere() -> None:
    written = "".join(file.read_text(encoding="utf-8") for file in FOLDER.rglob("*.yaml"))
    assert set(re.findall(r"@([\w.-]+\w)", written)) == {"example.com", "nuri.example.com"}
    hosts = {host.removeprefix("sample.") for host in re.findall(r"https?://([^/\s\"<]+)", written)}
    assert hosts == {"nuri.example.com", "haneul-robotics.freshdesk.com"}


def test_one_is_archived_and_another_one_links_to_it(account: HelpdeskAccount) -> None:
    assert asked(account, f"tickets/{ARCHIVED}") is None and asked(account, "tickets/archived/1202") is None
    assert ARCHIVED not in {str(ticket["id"]) for ticket in asked(account, "tickets")}
    assert len(asked(account, f"tickets/archived/{ARCHIVED}/conversations")) == 2
    assert f"/a/tickets/{ARCHIVED}" in str(asked(account, "tickets/1219/conversations"))


def test_one_is_merged_into_another(account: HelpdeskAccount) -> None:
    (note,) = asked(account, f"tickets/{MERGED}/conversations")
    assert f"merged into ticket {PRIMARY}" in note["body"] and note["source"] == 2 and not note["private"]
    assert asked(account, f"tickets/{MERGED}")["status"] == 5
    assert any(MERGED in said["body"] for said in asked(account, f"tickets/{PRIMARY}/conversations"))


def test_a_list_shows_what_was_updated_since_oldest_first(account: HelpdeskAccount) -> None:
    times = [ticket["updated_at"] for ticket in asked(account, "tickets", updated_since="1970-01-01T00:00:00Z")]
    assert len(times) == 29 and times == sorted(times)
    last = asked(account, "tickets", updated_since=times[-1])
    assert [ticket["id"] for ticket in last] == [1230]
    assert asked(account, "tickets", filter="spam") == asked(account, "tickets", page="2") == []


def test_everybody_in_a_ticket_is_an_agent_or_a_contact(account: HelpdeskAccount, tickets: list[Any]) -> None:
    agents = {row["id"] for row in asked(account, "agents")}
    for ticket in tickets:
        assert ticket["responder_id"] in agents
        assert asked(account, f"contacts/{ticket['requester_id']}")["company_id"] == ticket["company_id"]
        for said in ticket["conversations"]:
            assert (said["user_id"] in agents) is not said["incoming"]
    assert asked(account, "contacts/999") is None and asked(account, "no/such/path") is None


@pytest.mark.slow
def test_they_are_read_as_tickets_without_a_network(database: Database) -> None:
    indexed = IndexedPages(database, None, SMALL_MODEL)

    def counted(sql: str) -> list[tuple[Any, ...]]:
        with database.connection() as connection:
            return connection.execute(sql).fetchall()

    assert counted("SELECT is_internal, count(*) FROM document WHERE kind <> 'file' GROUP BY 1 ORDER BY 1") == [
        (False, 29), (True, 8)
    ]  # fmt: skip
    assert counted("SELECT count(*), count(DISTINCT status), count(DISTINCT assignee_name) FROM tickets") == [
        (29, 6, 4)
    ]
    assert counted("SELECT count(*) FROM source_file WHERE state = 'parsed'") == [(3,)]
    assert counted("SELECT count(*) FROM source_request") == [(0,)]
    with indexed.searcher() as searcher:
        hit = searcher.search(SearchRequest("when does the spindle nut for the lift arm arrive?", 1)).hits[0]
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert hit.passage and " ".join(hit.passage.text.split()) in " ".join(readme.split())
    assert f"   1. {hit.title}" in readme and f"      {hit.url}\n" in readme
    with workspace_session(database, HELPDESK_SLUG) as session:
        again = sync(session, SyncRequest())
    with workspace_session(database, HELPDESK_SLUG) as session:
        audit = sync(session, SyncRequest(Mode.AUDIT))
    assert (again.pages.added, again.pages.updated, again.chunks.published) == (0, 0, 0)
    assert audit.pages.added == 1
    assert counted("SELECT external_id FROM source_page WHERE is_archived") == [(ARCHIVED,)]
