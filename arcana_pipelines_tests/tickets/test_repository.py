"""Tickets as records: what a program lists, reads, counts, makes and changes, within one company and platform."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import (
    CursorRefused,
    TicketExists,
    UnknownTicket,
    UnknownTicketField,
    WrongUse,
)
from arcana_pipelines.tickets.repository import SyncTicketRepository, TicketPage, TicketRepository, WholeTicket
from arcana_pipelines_tests.ticket_rows import NOON, Desk, add_desk

ADD_UP = (
    "SELECT setval(name, nextval(name) / 64 * 64 + 62) "
    "FROM pg_get_serial_sequence('ticket_counts', 'ticket_count_id') AS name"
)
NOBODY_S = "5e1f0000-0000-4000-8000-0000000000ff"


@pytest.fixture
def desk(database: Database) -> Desk:
    """An account of the company `Acme`."""
    return add_desk(database, "acme-help", "Acme")


@pytest.fixture
def tickets(desk: Desk) -> SyncTicketRepository:
    return SyncTicketRepository(desk.database, desk.company_id)


def _nested(levels: int) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for _ in range(levels):
        nested = {"a": nested}
    return nested


def numbers(page: TicketPage) -> list[str]:
    return [each.ticket_id for each in page.tickets]


class TestAList:
    @pytest.fixture(autouse=True)
    def made(self, desk: Desk) -> None:
        desk.add("1", minute=1, status="Open", priority="Low", assignee_email="lee@acme.example")
        desk.add("2", minute=2, status="Closed", priority="Urgent", is_processed=True)
        desk.add("3", minute=3, status="Open", priority="Urgent", assignee_email="lee@acme.example")
        desk.add("4", minute=4, status="보류 중", priority="Low", title="로그인이 안 됩니다")

    def test_begins_with_what_changed_last(self, tickets: SyncTicketRepository) -> None:
        page = tickets.get_tickets()
        assert numbers(page) == ["4", "3", "2", "1"] and page.cursor is None
        first = page.tickets[0]
        assert (first.title, first.status, first.workspace) == ("로그인이 안 됩니다", "보류 중", "acme-help")
        assert first.updated_at == NOON + timedelta(minutes=4)

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"status": "Open"}, ["3", "1"]),
            ({"status": "보류 중"}, ["4"]),
            ({"status": "open"}, ["3", "1"]),
            ({"status": "OPEN", "priority": "urgent"}, ["3"]),
            ({"assignee_email": "Lee@Acme.example"}, ["3", "1"]),
            ({"status": unicodedata.normalize("NFD", "보류 중")}, ["4"]),
            ({"priority": "Urgent"}, ["3", "2"]),
            ({"status": "Open", "priority": "Urgent"}, ["3"]),
            ({"assignee_email": "lee@acme.example"}, ["3", "1"]),
            ({"is_processed": True}, ["2"]),
            ({"is_processed": False}, ["4", "3", "1"]),
            ({"date_range": (NOON + timedelta(minutes=2), NOON + timedelta(minutes=4))}, ["3", "2"]),
            ({"date_range": (None, NOON + timedelta(minutes=2))}, ["1"]),
            ({"date_range": (NOON + timedelta(minutes=4), None)}, ["4"]),
        ],
    )
    def test_has_those_alone_that_all_filters_let_through(
        self, tickets: SyncTicketRepository, filters: dict[str, Any], expected: list[str]
    ) -> None:
        assert numbers(tickets.get_tickets(**filters)) == expected

    @pytest.mark.parametrize(
        ("filters", "note"),
        [
            ({"status": "Opne"}, "No ticket has the status 'Opne'. There are: Closed, Open, 보류 중."),
            ({"priority": "High", "status": "open"}, "No ticket has the priority 'High'. There are: Low, Urgent."),
            ({"assignee_email": "lee"}, "No ticket has the assignee 'lee'. There are: lee@acme.example."),
        ],
    )
    def test_says_which_names_there_are_of_the_tickets_that_may_be_seen(
        self, tickets: SyncTicketRepository, desk: Desk, filters: dict[str, Any], note: str
    ) -> None:
        beside = add_desk(desk.database, "acme-two", "Acme")
        beside.add("9", status="Secret", priority="Secret", assignee_email="secret@acme.example")
        ours = SyncTicketRepository(desk.database, desk.company_id, workspaces=[desk.workspace_id])
        assert ours.get_tickets(**filters) == TicketPage([], None, note)
        assert tickets.get_tickets(status="Secret").note is None
        assert ours.get_tickets(status="Open", date_range=(None, NOON)).note is None

    def test_goes_on_behind_its_cursor_whatever_changes_meanwhile(
        self, tickets: SyncTicketRepository, desk: Desk
    ) -> None:
        first = tickets.get_tickets(limit=2)
        assert numbers(first) == ["4", "3"]
        desk.add("5", minute=5)
        second = tickets.get_tickets(limit=2, after=first.cursor)
        assert numbers(second) == ["2", "1"] and second.cursor is None
        assert numbers(tickets.get_tickets(limit=2, offset=2)) == ["3", "2"]

    def test_goes_on_among_tickets_of_the_same_moment(self, tickets: SyncTicketRepository, desk: Desk) -> None:
        for number in range(10, 17):
            desk.add(str(number), minute=9)
        found, after = [], None
        while True:
            page = tickets.get_tickets(limit=3, after=after)
            found += numbers(page)
            if (after := page.cursor) is None:
                break
        assert len(found) == 11 and set(found) == {*map(str, range(10, 17)), "1", "2", "3", "4"}

    @pytest.mark.parametrize(
        "filters",
        [
            {"limit": 0}, {"limit": 1001}, {"offset": -1}, {"status": 3}, {"status": "a\0b"}, {"status": "\ud800"},
            {"is_processed": "yes"}, {"date_range": (NOON.replace(tzinfo=None), None)}, {"date_range": NOON},
            {"after": f"2026-03-05T12:00:00+00:00 {NOBODY_S}", "offset": 1},
        ],
    )  # fmt: skip
    def test_refuses_in_words_what_cannot_be_meant(
        self, tickets: SyncTicketRepository, filters: dict[str, Any]
    ) -> None:
        with pytest.raises(WrongUse):
            tickets.get_tickets(**filters)

    @pytest.mark.parametrize("after", ["", "x", "2026-03-05T12:00:00+00:00", "2026-03-05T12:00:00+00:00 7", "\0 \0"])
    def test_refuses_what_is_no_cursor(self, tickets: SyncTicketRepository, after: str) -> None:
        with pytest.raises(CursorRefused, match="from the beginning"):
            tickets.get_tickets(after=after)


class TestATicket:
    @pytest.fixture(autouse=True)
    def made(self, desk: Desk) -> None:
        desk.add("20", description="# Log-in\n\nIt fails.", custom_fields={"Plan": "Pro"}, tags=["login"])
        desk.say("20", "Which browser?", by="agent", minute=1)
        desk.say("20", "Firefox.", minute=2)
        desk.say("20", "They are on the old plan.", kind="private", by="agent", minute=3)

    def test_is_found_by_its_number_and_by_our_id(self, tickets: SyncTicketRepository) -> None:
        found = tickets.get_ticket_by_id("20")
        assert tickets.get_ticket_by_id(found.id) == tickets.get_ticket_by_id(str(found.id)) == found
        assert (found.description, found.custom_fields, found.tags) == (
            "# Log-in\n\nIt fails.",
            {"Plan": "Pro"},
            ["login"],
        )

    def test_comes_with_its_messages_in_order_and_private_ones_where_they_are_asked_for(
        self, tickets: SyncTicketRepository, desk: Desk
    ) -> None:
        def said(private_notes: Any) -> list[str]:
            repository = SyncTicketRepository(desk.database, desk.company_id, private_notes=private_notes)
            return [each.content for each in repository.get_ticket_by_id("20").messages]

        assert said(False) == said([UUID(NOBODY_S)]) == said([]) == ["Which browser?", "Firefox."]
        everything = ["Which browser?", "Firefox.", "They are on the old plan."]
        assert said(True) == said([desk.workspace_id]) == everything
        message = tickets.get_ticket_by_id("20").messages[1]
        assert (message.author_type, message.author_email) == ("customer", "kim@example.com")
        assert message.attachments == [{"name": "log.txt", "content_type": "text/plain", "size": 3}]

    @pytest.mark.parametrize("asked", ["21", "", " ", "a\0b", "\ud800", "x" * 300, NOBODY_S, "20 "])
    def test_that_is_not_there_is_unknown_however_odd_its_name(self, tickets: SyncTicketRepository, asked: str) -> None:
        with pytest.raises(UnknownTicket, match="no ticket"):
            tickets.get_ticket_by_id(asked)

    def test_that_was_removed_is_nowhere(self, tickets: SyncTicketRepository, desk: Desk) -> None:
        desk.change("UPDATE tickets SET removed_at = now() WHERE ticket_id = '20'")
        with pytest.raises(UnknownTicket):
            tickets.get_ticket_by_id("20")
        with pytest.raises(UnknownTicket):
            tickets.update_ticket("20", status="Closed")
        assert tickets.get_tickets().tickets == [] and tickets.get_ticket_stats().total_tickets == 0

    def test_of_a_workspace_that_is_being_removed_is_nowhere(self, tickets: SyncTicketRepository, desk: Desk) -> None:
        desk.change("UPDATE workspace SET status = 'deleting' WHERE slug = %s", desk.slug)
        with pytest.raises(UnknownTicket):
            tickets.get_ticket_by_id("20")
        assert tickets.get_tickets().tickets == [] and tickets.get_ticket_stats().total_tickets == 0


class TestWriting:
    def test_a_ticket_is_made_with_what_is_known_of_it(self, tickets: SyncTicketRepository) -> None:
        made = tickets.create_ticket("900", title="프린터", priority="High", tags=["hw"], custom_fields={"층": 3})
        assert made == tickets.get_ticket_by_id("900")
        assert (made.title, made.status, made.priority, made.workspace) == ("프린터", "", "High", None)
        assert (made.tags, made.custom_fields, made.document_id, made.is_processed) == (["hw"], {"층": 3}, None, False)

    def test_a_number_is_given_once(self, tickets: SyncTicketRepository, desk: Desk) -> None:
        desk.add("20", removed_at=NOON)
        for number in ("20", tickets.create_ticket("21").ticket_id):
            with pytest.raises(TicketExists, match="another number"):
                tickets.create_ticket(number)

    @pytest.mark.parametrize("number", ["", " ", "a b", "a\0", "x" * 201, 7])
    def test_a_number_can_be_written_on_a_label(self, tickets: SyncTicketRepository, number: Any) -> None:
        with pytest.raises(WrongUse, match="number of a ticket"):
            tickets.create_ticket(number)

    def test_what_is_changed_is_changed_and_nothing_else(self, tickets: SyncTicketRepository, desk: Desk) -> None:
        desk.add("20", description="It fails.", assignee_name="Lee", tags=["a"])
        before = tickets.get_ticket_by_id("20")
        after = tickets.update_ticket("20", status="Closed", assignee_name=None, tags=["b", "c"])
        assert (after.status, after.assignee_name, after.tags) == ("Closed", None, ["b", "c"])
        assert (after.description, after.updated_at, after.priority) == ("It fails.", before.updated_at, "Low")

    def test_a_field_that_no_ticket_has_is_an_error_of_its_own(self, tickets: SyncTicketRepository, desk: Desk) -> None:
        desk.add("20")
        for field in ("statuss", "company_id", "workspace_id", "removed_at", "id", "content_hash"):
            changes: dict[str, Any] = {field: "x", "status": "Closed"}
            with pytest.raises(UnknownTicketField, match=f"no field '{field}'.*status, priority"):
                tickets.update_ticket("20", **changes)
            with pytest.raises(UnknownTicketField):
                tickets.create_ticket("21", **changes)
        assert tickets.get_ticket_by_id("20").status == "Open"

    @pytest.mark.parametrize(
        "changes", [{"status": 3}, {"title": None}, {"tags": "a"}, {"tags": [1]}, {"is_processed": 1},
                    {"summary": "text"}, {"custom_fields": []}, {"title": "x" * 2001}, {"status": "가" * 501},
                    {"priority": "가" * 501}, {"assignee_email": "가" * 501}, {"custom_fields": {"a": float("nan")}},
                    {"custom_fields": {"a": b"bytes"}}, {"custom_fields": {"a": 10**5000}},
                    {"custom_fields": {"a": "x" * 2_000_000}}, {"custom_fields": _nested(100_000)}],
        ids=lambda changes: next(iter(changes)),
    )  # fmt: skip
    def test_a_value_that_cannot_be_one_is_refused_in_words(
        self, tickets: SyncTicketRepository, desk: Desk, changes: dict[str, Any]
    ) -> None:
        desk.add("20")
        with pytest.raises(WrongUse, match=next(iter(changes))):
            tickets.update_ticket("20", **changes)

    def test_what_no_text_can_hold_is_left_out(self, tickets: SyncTicketRepository) -> None:
        made = tickets.create_ticket("1", description="a\0b", custom_fields={"x\0": "\0"})
        assert (made.description, made.custom_fields) == ("ab", {"x": ""})

    def test_a_summary_is_of_what_a_ticket_says(self, tickets: SyncTicketRepository, desk: Desk) -> None:
        tickets.create_ticket("1", title="Log-in", description="It fails.")
        tickets.update_ticket("1", summary={"symptom": "No log-in."}, is_processed=True)
        assert tickets.update_ticket("1", status="Closed", title="Log-in").is_processed
        desk.say("1", "Agents alone.", kind="private")
        assert tickets.update_ticket("1", priority="Low").is_processed
        changed = tickets.update_ticket("1", title="Log-in, again")
        assert not changed.is_processed and changed.summary == {"symptom": "No log-in."}
        assert tickets.update_ticket("1", title="Third", is_processed=True).is_processed

    def test_a_ticket_that_was_made_here_is_changed_now(self, tickets: SyncTicketRepository, desk: Desk) -> None:
        desk.add("20")
        made = tickets.create_ticket("21")
        assert tickets.update_ticket("21", status="Closed").updated_at > made.updated_at
        assert tickets.update_ticket("20", status="Closed").updated_at == NOON


class TestCounts:
    def test_are_by_status_priority_and_summary(self, tickets: SyncTicketRepository, desk: Desk) -> None:
        for number, (status, priority) in enumerate([("Open", "Low"), ("Open", "High"), ("닫힘", "Low")]):
            desk.add(str(number), status=status, priority=priority, is_processed=number == 0)
        stats = tickets.get_ticket_stats()
        assert (stats.total_tickets, stats.processed_count, stats.unprocessed_count) == (3, 1, 2)
        assert list(stats.status_distribution.items()) == [("Open", 2), ("닫힘", 1)]
        assert stats.priority_distribution == {"Low": 2, "High": 1}

    def test_of_nothing_are_nothing(self, tickets: SyncTicketRepository) -> None:
        stats = tickets.get_ticket_stats()
        assert (stats.total_tickets, stats.processed_count, stats.unprocessed_count) == (0, 0, 0)
        assert stats.status_distribution == {} == stats.priority_distribution

    def test_are_those_of_the_tickets_after_whatever_happens_to_them(self, database: Database) -> None:
        """Triggers keep them: a statement more or less may not matter, nor that sums are added up now and then."""
        desks = [add_desk(database, slug, company) for slug, company in (("a", "A"), ("b", "A"), ("c", "C"))]
        for number in range(120):
            desks[number % 3].add(str(number), status=f"S{number % 4}", priority=f"P{number % 3}")
            if number % 5 == 0:
                desks[0].change(
                    "UPDATE tickets SET is_processed = true, status = 'S9' WHERE ticket_id = %s", str(number)
                )
            if number % 7 == 0:
                desks[0].change("UPDATE tickets SET removed_at = now() WHERE ticket_id = %s", str(number))
            if number % 14 == 0:
                desks[0].change("UPDATE tickets SET removed_at = NULL WHERE ticket_id = %s", str(number))
            if number % 11 == 0:
                desks[0].change("DELETE FROM tickets WHERE ticket_id = %s", str(number))
        desks[0].change("UPDATE tickets SET priority = 'P9' WHERE status = 'S1'")
        desks[0].change("UPDATE tickets SET title = title || '!'")
        self.agree(database)
        desks[0].change("DELETE FROM workspace WHERE slug = 'b'")
        self.agree(database)
        with database.connection() as connection:
            company = connection.execute("INSERT INTO company (name) VALUES ('D') RETURNING company_id").fetchone()
            connection.execute("UPDATE workspace SET company_id = %s WHERE slug = 'c'", company)
        self.agree(database)
        with database.connection() as connection:
            rows = connection.execute("SELECT count(*) FROM ticket_counts").fetchone()
        assert rows is not None and rows[0] < 200, "they are added up"

    def agree(self, database: Database) -> None:
        alike = "company_id, platform, workspace_id, status, priority, is_processed"
        told = f"SELECT {alike}, sum(tickets) FROM ticket_counts GROUP BY {alike} HAVING sum(tickets) <> 0"
        counted = f"SELECT {alike}, count(*) FROM tickets WHERE removed_at IS NULL GROUP BY {alike}"
        with database.connection() as connection:
            both = [set(connection.execute(each).fetchall()) for each in (told, counted)]  # type: ignore[arg-type]
        assert both[0] == both[1] and both[0]

    def test_of_writers_at_once_add_up_and_nobody_waits(self, desk: Desk, tickets: SyncTicketRepository) -> None:
        """Two change the same statuses in opposite order, in transactions that are open at once."""
        for number in range(8):
            desk.add(str(number), status="Open")
        with desk.database.own_connection() as one, desk.database.own_connection() as other:
            for connection in (one, other):
                connection.execute("SET lock_timeout = '2s'")
            with one.transaction(), other.transaction():
                for number in range(4):
                    for connection, offset in ((one, 0), (other, 4)):
                        status = "Closed" if (number + offset // 4) % 2 else "Pending"
                        connection.execute(
                            "UPDATE tickets SET status = %s WHERE ticket_id = %s", [status, str(number + offset)]
                        )
                        # The next row of counts has a number with which all are added up.
                        connection.execute(ADD_UP)
        self.agree(desk.database)
        assert tickets.get_ticket_stats().status_distribution == {"Closed": 4, "Pending": 4}


class TestTenancy:
    """Companies, platforms and workspaces: what is another's is answered as what does not exist."""

    @pytest.fixture
    def desks(self, database: Database) -> list[Desk]:
        desks = [
            add_desk(database, f"{company}-{platform}-{place}".lower(), company, platform)
            for company in ("Acme", "Globex")
            for platform in ("freshdesk", "otherdesk")
            for place in ("one", "two")
        ]
        for number, desk in enumerate(desks):
            # The numbers are the same in every company and on every platform.
            desk.add(str(number % 2), status=f"Status of {desk.slug}")
            desk.say(str(number % 2), f"Said to {desk.slug}")
        return desks

    @pytest.mark.parametrize("acting", ["operator", "company"])
    def test_what_is_another_s_is_as_what_is_not_there(self, desks: list[Desk], served: Database, acting: str) -> None:
        tried = 0
        for ours in desks:
            database = ours.database if acting == "operator" else served.for_company(ours.company_id)
            for workspaces in (None, [ours.workspace_id]):
                tickets = SyncTicketRepository(
                    database, ours.company_id, ours.platform, workspaces=workspaces, private_notes=True
                )
                seen = {
                    each.slug
                    for each in desks
                    if (each.company_id, each.platform) == (ours.company_id, ours.platform)
                    and (workspaces is None or each is ours)
                }
                assert {each.workspace for each in tickets.get_tickets().tickets} == seen
                stats = tickets.get_ticket_stats()
                assert set(stats.status_distribution) == {f"Status of {slug}" for slug in seen}
                for other in desks:
                    found = self._id_of(other)
                    if other.slug in seen:
                        assert tickets.get_ticket_by_id(found).messages[0].content == f"Said to {other.slug}"
                        continue
                    tried += 1
                    with pytest.raises(UnknownTicket):
                        tickets.get_ticket_by_id(found)
                    if acting == "operator":
                        with pytest.raises(UnknownTicket):
                            tickets.update_ticket(found, title="taken over")
        assert tried == 8 * (6 + 7)

    def _id_of(self, desk: Desk) -> UUID:
        (found,) = (
            SyncTicketRepository(desk.database, desk.company_id, desk.platform, workspaces=[desk.workspace_id])
            .get_tickets()
            .tickets
        )
        return found.id

    def test_who_acts_for_a_company_reads_nothing_of_another_even_if_it_is_named(
        self, desks: list[Desk], served: Database
    ) -> None:
        ours, theirs = desks[0], desks[4]
        tickets = SyncTicketRepository(served.for_company(ours.company_id), theirs.company_id, private_notes=True)
        assert tickets.get_tickets().tickets == [] and tickets.get_ticket_stats().total_tickets == 0
        with pytest.raises(UnknownTicket):
            tickets.get_ticket_by_id("0")

    def test_who_acts_for_a_company_writes_nothing(self, desks: list[Desk], served: Database) -> None:
        tickets = SyncTicketRepository(served.for_company(desks[0].company_id), desks[0].company_id)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            tickets.create_ticket("99")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            tickets.update_ticket("0", title="other")

    def test_what_is_made_here_is_the_whole_company_s(self, desks: list[Desk]) -> None:
        ours = desks[0]
        everything = SyncTicketRepository(ours.database, ours.company_id)
        some = SyncTicketRepository(ours.database, ours.company_id, workspaces=[ours.workspace_id])
        everything.create_ticket("99")
        assert "99" in numbers(everything.get_tickets()) and everything.get_ticket_stats().total_tickets == 3
        assert "99" not in numbers(some.get_tickets()) and some.get_ticket_stats().total_tickets == 1
        with pytest.raises(WrongUse, match="no workspace"):
            some.create_ticket("100")

    def test_private_messages_are_shown_of_the_workspaces_that_are_named(
        self, desks: list[Desk], served: Database
    ) -> None:
        one, two = desks[:2]
        for desk, number in ((one, "0"), (two, "1")):
            desk.say(number, "Agents alone.", kind="private", minute=9)
        tickets = SyncTicketRepository(
            served.for_company(one.company_id), one.company_id, private_notes=[two.workspace_id]
        )
        assert [each.message_type for each in tickets.get_ticket_by_id("0").messages] == ["public"]
        assert [each.message_type for each in tickets.get_ticket_by_id("1").messages] == ["public", "private"]
        without = SyncTicketRepository(served.for_company(one.company_id), one.company_id)
        assert [each.message_type for each in without.get_ticket_by_id("1").messages] == ["public"]


class TestWithAnEventLoop:
    @pytest.fixture
    def pool(self, database: Database) -> Iterator[Database]:
        settings = database.settings.model_copy(update={"database_pool_size": 2, "database_max_overflow": 0})
        with closing(Database(settings)) as pool:
            yield pool

    def test_each_call_is_awaited_and_gives_the_same(self, desk: Desk, tickets: SyncTicketRepository) -> None:
        async def done() -> tuple[WholeTicket, WholeTicket]:
            repository = TicketRepository(desk.database, desk.company_id)
            await repository.create_ticket("1", title="Printer")
            await repository.update_ticket("1", status="Open")
            assert numbers(await repository.get_tickets(status="Open")) == ["1"]
            assert (await repository.get_ticket_stats()).total_tickets == 1
            with pytest.raises(UnknownTicketField):
                await repository.update_ticket("1", statuss="Open")  # type: ignore[call-arg]
            return await repository.get_ticket_by_id("1"), repository.sync.get_ticket_by_id("1")

        awaited, called = asyncio.run(done())
        assert awaited == called == tickets.get_ticket_by_id("1")

    def test_more_calls_at_once_than_connections_wait_for_each_other(self, desk: Desk, pool: Database) -> None:
        for number in range(30):
            desk.add(str(number), minute=number)

        async def done() -> list[WholeTicket]:
            repository = TicketRepository(pool, desk.company_id)
            return await asyncio.gather(*(repository.get_ticket_by_id(str(number)) for number in range(30)))

        assert [each.ticket_id for each in asyncio.run(done())] == [str(number) for number in range(30)]
