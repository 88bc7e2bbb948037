"""A Freshdesk that answers nonsense: no ticket is lost, mixed up or removed for it, and nobody gets to see more."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from arcana_pipelines.errors import AnswerUnusable, DownloadRefused
from arcana_pipelines.sources.freshdesk.api import FreshdeskApi
from arcana_pipelines.sources.freshdesk.html import markdown_of
from arcana_pipelines.sources.freshdesk.source import FreshdeskSource
from arcana_pipelines.sources.freshdesk.values import number
from arcana_pipelines.sources.freshdesk.walk import walk
from arcana_pipelines.sources.limiter import RateLimiter
from arcana_pipelines.sources.protocol import Mode, Presence
from arcana_pipelines_tests.freshdesk.conftest import Desk, fetched, listed
from arcana_pipelines_tests.freshdesk.test_sync import Synced
from arcana_pipelines_tests.freshdesk.test_sync import synced as synced

Change = Callable[[str, Mapping[str, object], Any], Any]


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[Change], None]:
    """Lets a function change what Freshdesk answers: it gets the path, the query and the JSON, and gives the JSON."""
    ask = FreshdeskApi._ask

    def change(of: Change) -> None:
        def asked(self: FreshdeskApi, path: str, feature: str, query: dict[str, object]) -> Any:
            answer, result = ask(self, path, feature, query)
            return answer, of(path, query, result)

        monkeypatch.setattr(FreshdeskApi, "_ask", asked)

    return change


Answering = Callable[[Change], None]


def tickets(desk: Desk, count: int) -> list[int]:
    """So many tickets, each updated a minute after the one before."""
    made = []
    for at in range(count):
        made.append(desk.world.add_ticket(f"Subject {at}", f"Question {at}"))
        desk.world.clock.advance(60)
    return made


class TestIds:
    def test_one_that_is_no_number_an_account_could_have_is_none(self) -> None:
        for none in (0, -1, True, 10**18, 10**400, "5", 5.0, None, [5], {"id": 5}):
            assert number(none) is None

    @pytest.mark.parametrize("path", ["agents", "groups", "companies", "tickets/1/conversations"])
    def test_of_lists_that_are_none_break_no_listing_and_are_no_twins(
        self, desk: Desk, answering: Answering, path: str
    ) -> None:
        answering(lambda asked, query, rows: [{"id": [1]}, {"id": {}}, {}, *rows] if asked == path else rows)
        assert len(desk.api().all(path) if tickets(desk, 1) else []) >= 3

    def test_another_ticket_than_the_one_asked_for_is_not_taken_for_it(self, desk: Desk, answering: Answering) -> None:
        first, other = tickets(desk, 2)
        refs, _ = listed(desk.source(), Mode.AUDIT)
        answering(lambda path, query, row: {**row, "id": other} if path == f"tickets/{first}" else row)
        with pytest.raises(AnswerUnusable, match="another ticket"):
            desk.source().fetch(refs[str(first)])
        assert desk.source().confirm(str(first))[0] is Presence.UNKNOWN

    def test_a_message_that_is_told_twice_is_one_and_is_private_if_one_telling_says_so(
        self, desk: Desk, answering: Answering
    ) -> None:
        (ticket,) = tickets(desk, 1)
        desk.world.reply(ticket, "Between us: he pays late.")

        def twice(path: str, query: Mapping[str, object], row: Any) -> Any:
            if path != f"tickets/{ticket}":
                return row
            said = [each for one in row["conversations"] for each in ({**one, "private": True}, one)]
            return {**row, "conversations": said}

        answering(twice)
        page = fetched(desk.source(private_notes=True), ticket, Mode.AUDIT)
        assert page.record is not None and page.companions is not None
        assert [each["message_type"] for each in page.record["conversations"]] == ["private"]
        assert "pays late" not in page.markdown and "pays late" in page.companions[0][1].markdown


class TestTimes:
    def test_a_ticket_without_a_time_stops_no_listing(self, desk: Desk, answering: Answering) -> None:
        made = tickets(desk, 3)

        def broken(path: str, query: Mapping[str, object], rows: Any) -> Any:
            if path != "tickets":
                return rows
            return [{**row, "updated_at": None} if row["id"] == made[1] else row for row in rows]

        answering(broken)
        refs, listing = listed(desk.source())
        assert set(refs) == set(map(str, made)) and listing.complete
        assert refs[str(made[1])].problem and not refs[str(made[2])].problem

    def test_the_end_of_time_ends_a_walk(self, desk: Desk, answering: Answering, monkeypatch: Any) -> None:
        last = {"id": 1, "updated_at": "9999-12-31T23:59:59Z"}
        monkeypatch.setattr("arcana_pipelines.sources.freshdesk.walk._asked", lambda *_: _Page([last], has_more=True))
        monkeypatch.setattr("arcana_pipelines.sources.freshdesk.walk.MOST_ROUNDS", 0)
        with pytest.raises(AnswerUnusable, match="no end"):
            list(walk(desk.api(), datetime(1970, 1, 1, tzinfo=UTC)))

    def test_a_clock_that_was_ahead_hides_nothing_that_is_updated_later(self, desk: Desk) -> None:
        tickets(desk, 1)
        desk.settle()
        ahead = '{"since": "2999-01-01T00:00:00+00:00", "seen": {}, "articles": "2999-01-01T00:00:00+00:00"}'
        refs, listing = listed(desk.source(), Mode.INCREMENTAL, ahead)
        assert set(refs) == {"1"} and listing.complete
        assert listing.cursor is not None and "2999" not in listing.cursor


class _Page:
    def __init__(self, rows: list[dict[str, Any]], has_more: bool) -> None:
        self.rows, self.has_more, self.date = rows, has_more, None


class TestWhatIsShown:
    def test_a_customer_cannot_write_the_heading_of_an_agents_answer(self, desk: Desk) -> None:
        forged = "<p>Hello</p><h2>Agent Kim · 2026-03-05 14:02</h2><p>We refund all of it.</p>"
        assert markdown_of(forged) == "Hello\n\nAgent Kim · 2026-03-05 14:02\n\nWe refund all of it."
        assert markdown_of(forged, is_mail=False).splitlines()[2] == "## Agent Kim · 2026-03-05 14:02"

    @pytest.mark.parametrize("visibility", [None, "1", "agents", [], True, -1])
    def test_an_article_that_does_not_say_who_sees_it_is_internal(
        self, desk: Desk, answering: Answering, visibility: object
    ) -> None:
        folder = desk.world.add_folder(desk.world.add_category("A"), "B")
        article = f"article-{desk.world.add_article(folder, 'C', 'D')}"

        def unclear(path: str, query: Mapping[str, object], result: Any) -> Any:
            rows = result if isinstance(result, list) else [result]
            for row in rows if "folders" in path and "articles" not in path else ():
                row["visibility"] = visibility
            return result

        assert not listed(desk.source(articles=True))[0][article].is_internal
        answering(unclear)
        assert listed(desk.source(articles=True))[0][article].is_internal
        presence, ref = desk.source(articles=True).confirm(article)
        assert presence is Presence.ALIVE and ref is not None and ref.is_internal

    def test_a_ticket_whose_messages_do_not_come_is_asked_for_them(self, desk: Desk, answering: Answering) -> None:
        (ticket,) = tickets(desk, 1)
        desk.world.reply(ticket, "Here is the answer.")
        answering(lambda path, query, row: {**row, "conversations": None} if path == f"tickets/{ticket}" else row)
        assert "Here is the answer." in fetched(desk.source(), ticket, Mode.AUDIT).markdown

    def test_what_only_a_forwarded_mail_links_to_is_no_link_of_the_ticket(
        self, desk: Desk, answering: Answering
    ) -> None:
        first, other = tickets(desk, 2)
        desk.world.reply(first, "See the other one.")

        def forward(path: str, query: Mapping[str, object], rows: Any) -> Any:
            if path != f"tickets/{first}/conversations":
                return rows
            link = f'<a href="/a/tickets/{other}">the other</a>'
            return [{**row, "source": 8, "private": False, "body": link} for row in rows]

        answering(forward)
        assert fetched(desk.source(), first).links == ()

    def test_tickets_that_are_listed_as_trash_and_are_not_are_no_trash(self, desk: Desk, answering: Answering) -> None:
        tickets(desk, 2)

        def unfiltered(path: str, query: Mapping[str, object], rows: Any) -> Any:
            if path == "tickets" and "filter" in query:
                return [{"id": 1, "spam": False, "updated_at": "2026-01-01T00:00:00Z"}]
            return rows

        answering(unfiltered)
        refs, listing = listed(desk.source())
        assert set(refs) == {"1", "2"} and listing.trash is None


def test_names_and_addresses_are_no_longer_than_an_index_takes(
    desk: Desk, synced: Callable[..., Synced], answering: Answering
) -> None:
    (ticket,) = tickets(desk, 1)
    desk.settle()
    long = "".join(chr(0xAC00 + at * 7919 % 11172) for at in range(5_000))

    def named(path: str, query: Mapping[str, object], result: Any) -> Any:
        if path == "tickets":
            return [{**row, "requester": {**row.get("requester", {}), "email": long, "name": long}} for row in result]
        if path == "ticket_fields":
            for field in result:
                if field.get("type") == "default_status":
                    field["choices"] = {code: [long, long] for code in (*field["choices"], "9" * 5_000)}
        return result

    answering(named)
    workspace = synced()
    workspace.sync()
    assert list(workspace.alive()) == [str(ticket)]
    with desk.database.connection() as connection:
        ((status,),) = connection.execute("SELECT status FROM tickets").fetchall()
    assert status == long[:500]


def test_a_file_is_not_fetched_from_another_bucket_by_way_of_one_of_freshdesks(desk: Desk) -> None:
    source: FreshdeskSource = desk.source(with_files=True)
    for up in ("..", "%2e%2e", ".%2E"):
        with pytest.raises(DownloadRefused):
            source._files._check(f"https://s3.amazonaws.com/cdn.freshdesk.com/{up}/other/file")


class TestFields:
    def test_of_any_type_break_no_ticket(self, desk: Desk, answering: Answering) -> None:
        (ticket,) = tickets(desk, 1)
        desk.world.reply(ticket, "An answer.")
        odd: list[Any] = [None, True, -1, 10**30, 1.5, "x", [], ["x"], [[1]], {}, {"a": [1]}]
        for value in odd:

            def changed(path: str, query: Mapping[str, object], result: Any, value: Any = value) -> Any:
                rows = result if isinstance(result, list) else [result]
                if path != "tickets" and not path.startswith("tickets/"):
                    return result
                within = [message for row in rows for message in row.get("conversations", ())]
                for row in [*rows, *within]:
                    row.update({name: value for name in row if name not in ("id", "updated_at", "conversations")})
                return result

            answering(changed)
            source = desk.source(private_notes=True, with_files=True)
            refs, listing = listed(source)
            assert listing.complete, listing.problems
            assert not refs[str(ticket)].problem, (value, refs[str(ticket)].problem)
            for ref in (refs[str(ticket)], listed(source, Mode.AUDIT)[0][str(ticket)]):
                if not ref.in_trash:
                    page = source.fetch(ref)
                    assert "An answer" not in page.markdown and json.dumps(page.record)

    def test_a_scope_that_is_no_number_is_not_all_tickets(self, desk: Desk, answering: Answering) -> None:
        tickets(desk, 1)
        answering(lambda path, query, row: {**row, "ticket_scope": True} if path == "agents/me" else row)
        assert listed(desk.source())[1].is_limited

    @pytest.mark.parametrize("said", [0.0, -5.0])
    def test_no_request_is_counted_for_nothing(self, desk: Desk, monkeypatch: pytest.MonkeyPatch, said: float) -> None:
        counted: list[int] = []
        monkeypatch.setattr(RateLimiter, "correct", lambda limiter, more: counted.append(more))
        monkeypatch.setattr("arcana_pipelines.sources.freshdesk.api.number_of_seconds", lambda value: said)
        desk.api().get("agents/me")
        assert counted == [0]

    def test_who_is_not_said_to_be_a_customer_is_an_agent_only_where_agents_are(
        self, desk: Desk, answering: Answering
    ) -> None:
        (ticket,) = tickets(desk, 1)
        desk.world.reply(ticket, "Refund me.", by=desk.world.add_contact("Kim", "kim@customer.example"))
        desk.world.reply(ticket, "We will.")

        def unsaid(path: str, query: Mapping[str, object], rows: Any) -> Any:
            if path == f"tickets/{ticket}/conversations":
                return [{key: value for key, value in row.items() if key != "incoming"} for row in rows]
            return rows

        answering(unsaid)
        first, second = (part.split(" · ")[0] for part in fetched(desk.source(), ticket).markdown.split("## ")[1:])
        assert first == "Customer" and second.startswith("Agent")
