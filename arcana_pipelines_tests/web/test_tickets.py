"""Tickets over HTTP: lists, one with its messages, counts; and of whom they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Permission
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.ticket_rows import NOON, Desk, add_desk
from arcana_pipelines_tests.web.conftest import SALT, Api, served
from arcana_pipelines_tests.web.test_api import problem

TICKETS = "/v1/tickets"


@dataclass(frozen=True)
class Help:
    """The API beside accounts: two of the same company, one of the other, all with tickets of the same form."""

    api: Api
    ours: Desk
    beside: Desk
    theirs: Desk

    def key(self, *permissions: Permission) -> httpx.Client:
        """A client of our company with these permissions."""
        with self.api.acme.database.connection() as connection:
            made = keys.create(connection, SALT, self.ours.company_id, list(permissions), "test")
        return self.api.with_key(made.key)


@pytest.fixture
def help_(api: Api) -> Help:
    database = api.acme.database
    # A company has one account of a platform; that a key of one workspace reads nothing of another has to hold anyway.
    desks = [add_desk(database, "help"), add_desk(database, "help-two"), add_desk(database, "their-help", "Globex")]
    for number, desk in enumerate(desks):
        for minute, status in enumerate(("Open", "Closed", "Open")):
            desk.add(f"{number}{minute}", minute=minute, status=status, is_processed=minute == 0)
        desk.say(f"{number}0", f"Said to {desk.slug}.", minute=1)
        desk.say(f"{number}0", f"Agents of {desk.slug} alone.", kind="private", by="agent", minute=2)
    return Help(api, *desks)


def listed(client: httpx.Client, **asked: Any) -> list[str]:
    answer = client.get(TICKETS, params=asked)
    assert answer.status_code == 200, answer.text
    return [each["ticket_id"] for each in answer.json()["tickets"]]


class TestAList:
    def test_begins_with_what_changed_last_and_takes_filters(self, help_: Help) -> None:
        with help_.api.client("read", slug="help") as client:
            assert listed(client) == ["02", "01", "00"]
            assert listed(client, status="Open") == listed(client, status="open") == ["02", "00"]
            note = client.get(TICKETS, params={"status": "Opne"}).json()["note"]
            assert note == "No ticket has the status 'Opne'. There are: Closed, Open."
            assert listed(client, is_processed=True) == ["00"]
            assert listed(client, updated_since=(NOON + timedelta(minutes=1)).isoformat()) == ["02", "01"]
            assert listed(client, updated_before=(NOON + timedelta(minutes=1)).isoformat()) == ["00"]
            assert listed(client, priority="Urgent") == listed(client, platform="otherdesk") == []
            assert listed(client, workspace="help", offset=1, limit=1) == ["01"]

    def test_goes_on_behind_its_cursor_which_holds_for_this_list_alone(self, help_: Help) -> None:
        with help_.api.client("read", slug="help") as client:
            first = client.get(TICKETS, params={"limit": 2}).json()
            assert listed(client, limit=2, cursor=first["cursor"]) == ["00"]
            assert listed(client, limit=2, platform="freshdesk", cursor=first["cursor"]) == ["00"]
            for other in ({"status": "Open"}, {"workspace": "help"}, {"platform": "otherdesk"}):
                refused = problem(client.get(TICKETS, params={**other, "cursor": first["cursor"]}))
                assert refused["type"] == "urn:arcana:problem:cursor-refused"
            refused = problem(client.get(TICKETS, params={"cursor": first["cursor"], "offset": 1}))
            assert refused["status"] == 422 and "not both" in refused["detail"]

    @pytest.mark.parametrize(
        "asked",
        [
            {"status": "a\0b"}, {"updated_since": "2026-01-01T00:00:00"}, {"updated_since": "soon"}, {"limit": 101},
            {"platform": "a\0b"}, {"platform": "Fresh Desk"}, {"stat": "Open"}, {"offset": -1},
            {"updated_since": "0001-01-01T00:00:00+23:59"},
        ],
    )  # fmt: skip
    def test_refuses_what_cannot_be_meant(self, help_: Help, asked: dict[str, Any]) -> None:
        with help_.api.client("read", slug="help") as client:
            assert problem(client.get(TICKETS, params=asked))["status"] == 422


class TestATicket:
    def test_comes_with_the_messages_that_customers_see(self, help_: Help) -> None:
        with help_.api.client("read", slug="help") as client:
            found = client.get(f"{TICKETS}/00").json()
            assert [each["content"] for each in found["messages"]] == ["Said to help."]
            assert client.get(f"{TICKETS}/{found['id']}").json() == found
            unknown = problem(client.get(f"{TICKETS}/99"))
            assert unknown["status"] == 404 and "no ticket '99'" in unknown["detail"]

    def test_comes_with_private_messages_where_the_key_has_the_scope(self, help_: Help) -> None:
        ours, beside = help_.ours.workspace_id, help_.beside.workspace_id

        def kinds(ticket: str, *permissions: Permission) -> list[str]:
            with help_.key(*permissions) as client:
                return [each["message_type"] for each in client.get(f"{TICKETS}/{ticket}").json()["messages"]]

        read = Permission("read", None, None)
        assert kinds("00", read) == kinds("10", read) == ["public"]
        assert kinds("00", read, Permission("notes", ours, None)) == ["public", "private"]
        assert kinds("10", read, Permission("notes", ours, None)) == ["public"]
        assert kinds("10", read, Permission("notes", beside, None)) == ["public", "private"]
        assert kinds("10", read, Permission("notes", None, None)) == ["public", "private"]

    def test_is_shown_without_what_hides_or_commands(self, help_: Help) -> None:
        help_.ours.add("77", title="\u202eevil\x1b[2J", description="a\u2066b", custom_fields={"x\u202e": "y\u202e"})
        with help_.api.client("read", slug="help") as client:
            found = client.get(f"{TICKETS}/77").json()
        assert (found["title"], found["description"], found["custom_fields"]) == ("evil[2J", "ab", {"x": "y"})


class TestCounts:
    def test_are_those_of_the_workspaces_that_the_key_reads(self, help_: Help) -> None:
        with help_.api.client("read", slug="help") as client:
            stats = client.get(f"{TICKETS}/stats").json()
        assert stats == {
            "total_tickets": 3, "status_distribution": {"Open": 2, "Closed": 1}, "priority_distribution": {"Low": 3},
            "processed_count": 1, "unprocessed_count": 2,
        }  # fmt: skip
        with help_.key(Permission("read", None, None)) as client:
            assert client.get(f"{TICKETS}/stats").json()["total_tickets"] == 6
            assert client.get(f"{TICKETS}/stats", params={"workspace": "help-two"}).json()["total_tickets"] == 3


class TestWhoseTheyAre:
    def test_a_key_of_some_workspaces_sees_their_tickets_alone(self, help_: Help) -> None:
        with help_.api.client("read", "notes", slug="help") as client:
            assert listed(client) == ["02", "01", "00"]
            unknown = problem(client.get(f"{TICKETS}/99"))
            for ticket in ("10", "20"):
                foreign = problem(client.get(f"{TICKETS}/{ticket}"))
                assert foreign["detail"].replace(ticket, "99") == unknown["detail"]
            for slug in ("help-two", "their-help", "nowhere"):
                for path in (TICKETS, f"{TICKETS}/stats"):
                    assert problem(client.get(path, params={"workspace": slug}))["status"] == 404

    def test_a_key_of_a_company_sees_all_of_it_and_what_was_made_there(self, help_: Help) -> None:
        help_.ours.add("m", workspace_id=None, minute=-1)
        with help_.key(Permission("read", None, None)) as client:
            assert set(listed(client)) == {"00", "01", "02", "10", "11", "12", "m"}
            assert problem(client.get(f"{TICKETS}/20"))["status"] == 404
        with help_.api.client("read", slug="help") as client:
            assert "m" not in listed(client)

    def test_a_platform_is_named_where_there_are_several(self, help_: Help) -> None:
        add_desk(help_.api.acme.database, "other", platform="otherdesk").add("00")
        with help_.key(Permission("read", None, None)) as client:
            for path in (TICKETS, f"{TICKETS}/stats", f"{TICKETS}/00"):
                refused = problem(client.get(path))
                assert refused["status"] == 422 and "`platform`, freshdesk or otherdesk, or" in refused["detail"]
            for named in ({"platform": "otherdesk"}, {"workspace": "other"}):
                assert client.get(f"{TICKETS}/00", params=named).json()["workspace"] == "other"
                assert client.get(f"{TICKETS}/stats", params=named).json()["total_tickets"] == 1
            assert client.get(f"{TICKETS}/00", params={"workspace": "help"}).json()["workspace"] == "help"
            assert problem(client.get(f"{TICKETS}/10", params={"workspace": "help"}))["status"] == 404
            assert listed(client, workspace="other") == ["00"]
        with help_.api.client("read", slug="other") as client:
            assert listed(client) == ["00"]  # those that it may not read are no reason to ask

    def test_a_workspace_of_pages_is_refused(self, help_: Help) -> None:
        add_desk(help_.api.acme.database, "book", platform="notion_export")
        with help_.key(Permission("read", None, None)) as client:
            for path in (TICKETS, f"{TICKETS}/stats", f"{TICKETS}/00"):
                refused = problem(client.get(path, params={"workspace": "book"}))
                assert refused["status"] == 422 and "Workspace 'book' has no tickets" in refused["detail"]

    def test_a_key_without_the_scope_is_told_so(self, help_: Help) -> None:
        with help_.api.client("search", "notes", "feedback", slug="help") as client:
            for path in (TICKETS, f"{TICKETS}/stats", f"{TICKETS}/00"):
                refused = problem(client.get(path))
                assert refused["status"] == 403 and "lacks the scope 'read'" in refused["detail"]
        with help_.api.with_key(None) as client:
            assert problem(client.get(TICKETS))["status"] == 401


def test_what_was_seen_is_sent_again_only_when_it_has_changed(help_: Help) -> None:
    with help_.api.client("read", slug="help") as client:
        for path in (f"{TICKETS}/00", f"{TICKETS}/stats"):
            tag = client.get(path).headers["etag"]
            assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
            help_.ours.change("UPDATE tickets SET status = status || '!' WHERE ticket_id = '00'")
            assert client.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_each_answer_is_as_the_openapi_document_says_and_so_are_its_examples(help_: Help) -> None:
    with help_.api.client("read", slug="help") as client:
        schema = client.get("/openapi.json").json()
        for path, route in ((TICKETS, TICKETS), (f"{TICKETS}/stats",) * 2, (f"{TICKETS}/00", f"{TICKETS}/{{ticket}}")):
            told = schema["paths"][route]["get"]["responses"]["200"]["content"]["application/json"]
            validator = Draft202012Validator({**told["schema"], "components": schema["components"]})
            validator.validate(client.get(path).json())
            validator.validate(told["example"])


def test_a_use_is_written_down_as_reading(companies: Harness) -> None:
    add_desk(companies.database, "help").add("20")
    with served(companies) as api, api.client("read", slug="help") as client:
        for path in (f"{TICKETS}?workspace=help", f"{TICKETS}/20", f"{TICKETS}/stats"):
            assert client.get(path).status_code == 200
    assert companies.rows(
        "SELECT action, route, u.status, slug FROM api_usage_logs u LEFT JOIN workspace USING (workspace_id) "
        "ORDER BY at"
    ) == [
        ("read", TICKETS, 200, "help"),
        ("read", f"{TICKETS}/{{ticket}}", 200, None),
        ("read", f"{TICKETS}/stats", 200, None),
    ]
