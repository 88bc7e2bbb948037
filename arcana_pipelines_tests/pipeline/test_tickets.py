"""Tickets in the ledger: what comes with them, what is archived, what is a record, and what a change embeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from arcana_pipelines.errors import PageUnavailable
from arcana_pipelines.ledger import generations, pages
from arcana_pipelines.pipeline.session import workspace_session
from arcana_pipelines.pipeline.sync import SyncRequest, sync
from arcana_pipelines.sources.protocol import (
    Capabilities,
    FetchedPage,
    Listing,
    Mode,
    PageRef,
    Presence,
    Source,
)
from arcana_pipelines.sources.ticket_record import ConversationRecord, TicketRecord
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.taxonomy.planted import plant, tree_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
QUESTION = "The robot arm stops in the middle of a cycle and shows the error E-217."
ANSWER = "Please replace the cable of the second joint; the part number is HR-2201."
NOTE = "This customer has not paid since January."


@dataclass
class Ticket:
    """A ticket of the desk: its messages are (type, author, text)."""

    title: str
    messages: list[tuple[str, str, str]] = field(default_factory=list)
    status: str = "Open"
    edits: int = 1


@dataclass
class Desk(Source):
    """A source of tickets, all in memory."""

    tickets: dict[str, Ticket] = field(default_factory=dict)
    archive: dict[str, Ticket] = field(default_factory=dict)
    trash: dict[str, Ticket] = field(default_factory=dict)
    with_notes: bool = True
    hides_edits: bool = False
    shows_archive: bool = True
    meanwhile: Callable[[], None] = lambda: None
    internal: set[str] = field(default_factory=set)
    reads: list[str] = field(default_factory=list)
    read_so_far: int = 0
    looks: list[str] = field(default_factory=list)
    given_back: dict[str, Any] = field(default_factory=dict)

    @property  # type: ignore[override]
    def capabilities(self) -> Capabilities:
        return Capabilities(lists_trash=True, has_companions=self.with_notes, hides_edits=self.hides_edits)

    def reply(self, number: str, text: str, kind: str = "public", author: str = "agent") -> None:
        self.tickets[number].messages.append((kind, author, text))
        self.tickets[number].edits += 1

    def set_status(self, number: str, status: str) -> None:
        self.tickets[number].status = status
        self.tickets[number].edits += 1

    def _ref(self, number: str, ticket: Ticket, in_trash: bool = False) -> PageRef:
        status = {"type": "status", "text": ticket.status, "value": ticket.status, "hidden": True}
        return PageRef(
            number, "ticket", "workspace", None, ticket.title, f"https://desk.example/{number}", str(ticket.edits),
            NOON, in_trash=in_trash, properties={"Status": status}, record={"listed": ticket.title},
            is_internal=number in self.internal,
        )  # fmt: skip

    def enumerate(
        self, mode: Mode, cursor: str | None, is_unchanged: Callable[[Sequence[PageRef]], Sequence[bool]]
    ) -> Listing:
        self.meanwhile()
        listed = [self._ref(number, ticket) for number, ticket in self.tickets.items()]
        return Listing(iter([listed]), complete=True, cursor="1", source_time=NOON + timedelta(hours=1),
                       trash=set(self.trash))  # fmt: skip

    def fetch(self, ref: PageRef) -> FetchedPage:
        self.reads.append(ref.external_id)
        self.read_so_far += 1
        self.given_back[ref.external_id] = ref.record
        ticket = {**self.tickets, **self.archive}.get(ref.external_id)
        if ticket is None:
            raise PageUnavailable("gone")
        shown = [text for kind, _, text in ticket.messages if kind != "private"]
        notes = [text for kind, _, text in ticket.messages if kind == "private" and self.with_notes]
        companion = PageRef(
            f"{ref.external_id}-notes", "notes", "ticket", ref.external_id, ticket.title, ref.url, ref.revision, NOON,
            is_internal=True,
        )  # fmt: skip
        together = "\n\n".join(f"## Message {number}\n\n{text}" for number, text in enumerate(shown))
        return FetchedPage(
            together, NOON + timedelta(seconds=self.read_so_far), record=self._record(ref.external_id, ticket),
            companions=((companion, FetchedPage("\n\n".join(notes), NOON)),) if notes else (),
        )  # fmt: skip

    def _record(self, number: str, ticket: Ticket) -> TicketRecord:
        conversations = [
            ConversationRecord(
                conversation_id=str(position), content=text, message_type=kind, author_email=f"{author}@example.com",
                author_name=author.title(), author_type=author, attachments=[],
                created_at=(NOON + timedelta(minutes=position)).isoformat(),
            )
            for position, (kind, author, text) in enumerate(ticket.messages)
            if position and (kind != "private" or self.with_notes)
        ]  # fmt: skip
        return TicketRecord(
            ticket_id=number, description=ticket.messages[0][2], status=ticket.status, priority="High",
            requester_email="customer@example.com", requester_name="Kim", assignee_email=None, assignee_name=None,
            tags=["robot"], custom_fields={"Line": 4}, conversations=conversations,
            created_at=NOON.isoformat(), updated_at=NOON.isoformat(),
        )  # fmt: skip

    def confirm(self, external_id: str) -> tuple[Presence, PageRef | None]:
        self.looks.append(external_id)
        number = external_id.removesuffix("-notes")
        for held, presence in (
            (self.tickets, Presence.ALIVE), (self.archive, Presence.ARCHIVED), (self.trash, Presence.TRASHED)
        ):  # fmt: skip
            if number in held and (self.shows_archive or presence is not Presence.ARCHIVED):
                return presence, self._ref(number, held[number], in_trash=presence is Presence.TRASHED)
        return Presence.GONE if self.shows_archive else Presence.ARCHIVED, None


@dataclass
class Support:
    """The workspace `acme` with such a source."""

    acme: Harness
    desk: Desk

    def sync(self, mode: Mode = Mode.INCREMENTAL) -> dict[str, Any]:
        self.desk.reads.clear()
        self.desk.looks.clear()
        with workspace_session(
            self.acme.database, "acme", open_source=lambda workspace, database: self.desk
        ) as session:  # fmt: skip
            report = sync(session, SyncRequest(mode))
            noted = generations.counters(session.connection, session.generation)
            assert noted.listed == report.pages.enumerated, "the ledger lost pages that were listed"
            assert report.pages.is_balanced
        return report.as_dict()

    def switch(self, private_notes: bool) -> None:
        with self.acme.database.connection() as connection:
            workspace = workspaces.find(connection, "acme")
            workspaces.change(connection, workspace, "acme", {"private_notes": private_notes}, None)

    def found(self) -> dict[str, str]:
        return self.acme.published()

    def tickets(self) -> list[tuple[Any, ...]]:
        return self.acme.rows(
            "SELECT ticket_id, title, status, is_processed, removed_at IS NULL FROM tickets ORDER BY ticket_id"
        )

    def messages(self, kind: str) -> list[str]:
        asked = "SELECT content FROM conversations WHERE message_type = %s ORDER BY created_at"
        return [content for (content,) in self.acme.rows(asked, kind)]


@pytest.fixture
def support(acme: Harness) -> Support:
    """Two tickets, one with a private note, and synced."""
    desk = Desk()
    desk.tickets["20"] = Ticket("Arm stops", [("public", "customer", QUESTION), ("public", "agent", ANSWER)])
    desk.tickets["21"] = Ticket(
        "로봇이 멈춥니다", [("public", "customer", "충전이 되지 않습니다."), ("private", "agent", NOTE)]
    )
    support = Support(acme, desk)
    support.sync()
    return support


def test_a_ticket_is_a_document_and_a_record_and_its_notes_are_a_document_of_their_own(support: Support) -> None:
    found = support.found()
    assert sorted(found) == ["20", "21", "21-notes"]
    assert QUESTION in found["20"] and ANSWER in found["20"] and NOTE in found["21-notes"] and NOTE not in found["21"]
    assert support.tickets() == [
        ("20", "Arm stops", "Open", False, True), ("21", "로봇이 멈춥니다", "Open", False, True)
    ]  # fmt: skip
    assert support.messages("public") == [ANSWER] and support.messages("private") == [NOTE]
    assert support.acme.rows(
        "SELECT p.external_id FROM document d JOIN source_page p USING (document_id) WHERE d.is_internal"
    ) == [("21-notes",)]


def test_a_field_of_a_ticket_says_its_topic_whenever_it_is_named_and_whenever_it_changes(support: Support) -> None:
    def topics() -> dict[str, str]:
        given = (
            "SELECT p.external_id, array_to_string(t.path, '/') FROM doc_taxonomy t "
            "JOIN source_page p ON p.document_id = t.doc_id WHERE t.origin = 'given' AND p.kind = 'ticket'"
        )
        return dict(support.acme.rows(given))

    with support.acme.database.connection() as connection:
        workspace_id = workspaces.find(connection, "acme").workspace_id
        plant(connection, workspace_id, "1.0.0", tree_of(["Open", "Closed"]))
        connection.execute(
            "INSERT INTO taxonomy_settings (workspace_id, topic_properties) VALUES (%s, ARRAY['Status'])",
            [workspace_id],
        )
    support.sync()
    assert topics() == {"20": "Open", "21": "Open"}, "of tickets that are no news, too"
    support.desk.set_status("20", "Closed")
    support.desk.set_status("21", "Pending")
    support.sync()
    assert topics() == {"20": "Closed"}
    assert support.acme.rows("SELECT path, times FROM taxonomy_unknown_path")[0][0] == ["Pending"]


def test_the_reading_has_what_the_listing_brought_and_nothing_of_it_is_kept(support: Support) -> None:
    assert support.desk.given_back["20"] == {"listed": "Arm stops"}
    assert support.acme.rows("SELECT count(*) FROM source_page WHERE record IS NOT NULL") == [(0,)]


def test_a_reply_embeds_itself_alone(support: Support) -> None:
    support.desk.reply("20", "We have replaced the cable. Does it run?" * 20)
    report = support.sync()
    assert support.desk.reads == ["20"]
    assert report["embeddings"]["computed"] == 1
    assert support.messages("public")[-1].startswith("We have replaced the cable.")


def test_another_status_embeds_nothing_and_stands_in_the_record_and_for_filters(support: Support) -> None:
    support.desk.set_status("20", "Closed")
    report = support.sync()
    assert report["embeddings"]["computed"] == 0
    assert support.tickets()[0][2] == "Closed"
    assert support.acme.rows(
        "SELECT q.text FROM document_property q JOIN source_page p USING (document_id) "
        "WHERE p.external_id = '20' AND q.name = 'Status'"
    ) == [("Closed",)]
    assert "Closed" not in support.found()["20"]


def test_what_becomes_internal_is_so_at_once_and_embeds_nothing(support: Support) -> None:
    asked = "SELECT d.is_internal FROM document d JOIN source_page p USING (document_id) WHERE p.external_id = '20'"
    for is_internal in (True, False):
        support.desk.internal = {"20"} if is_internal else set()
        report = support.sync(Mode.FULL)
        assert support.acme.rows(asked) == [(is_internal,)]
        assert support.desk.reads == [] and report["embeddings"]["computed"] == 0


def test_a_hit_leads_to_the_ticket_itself_whose_page_has_none_of_our_headings(support: Support) -> None:
    hit = support.acme.search(ANSWER, 1)[0]
    assert hit.heading_path and hit.link == hit.url == "https://desk.example/20"


def test_a_renamed_status_is_in_the_record_without_a_reading(support: Support) -> None:
    support.desk.tickets["20"].status = "In Bearbeitung"
    support.sync(Mode.FULL)
    assert support.desk.reads == [] and support.tickets()[0][2] == "In Bearbeitung"
    assert support.messages("public") == [ANSWER]


def test_a_summary_is_stale_once_customers_see_something_else_and_not_for_a_note(support: Support) -> None:
    with support.acme.database.connection() as connection:
        connection.execute("UPDATE tickets SET is_processed = true, summary = '{}'")
    support.desk.reply("20", NOTE, kind="private")
    support.sync()
    assert support.tickets()[0][3] is True
    support.desk.reply("20", "It works again.", author="customer")
    support.sync()
    assert support.tickets()[0][3] is False
    assert support.acme.rows("SELECT count(*) FROM tickets WHERE summary IS NOT NULL") == [(2,)]


def test_an_edit_that_moves_nothing_is_read_by_the_audits_of_a_month(support: Support) -> None:
    support.desk.hides_edits = True
    support.sync(Mode.AUDIT)
    assert support.desk.reads == ["20"], "one in thirty, at least one: that which was read longest ago"
    support.desk.tickets["20"].messages[1] = ("public", "agent", "Please replace the cable of the third joint.")
    support.sync(Mode.AUDIT)
    assert support.desk.reads == ["21"] and "second joint" in support.found()["20"]
    report = support.sync(Mode.AUDIT)
    assert "third joint" in support.found()["20"] and report["pages"]["updated"] == 1


def test_a_ticket_that_cannot_be_stored_delays_no_other_and_nothing_that_it_says_is_told(
    support: Support, caplog: pytest.LogCaptureFixture
) -> None:
    support.desk.reply("20", "zirkonquark", kind="secret")  # there is no such kind of message
    support.desk.reply("21", "It charges again.")
    support.sync()
    assert "It charges again." in support.found()["21"]
    ((state, reason),) = support.acme.rows("SELECT state, reason FROM source_page WHERE external_id = '20'")
    assert state == "quarantined" and reason.startswith("cannot be stored: CheckViolation")
    assert "zirkonquark" not in reason and "zirkonquark" not in caplog.text


def test_notes_whose_reference_cannot_be_stored_are_as_internal_as_others(
    support: Support, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = pages._record

    def refusing(connection: Any, generation: Any, refs: Sequence[PageRef], comes_with: Any) -> None:
        if any(ref.external_id == "20-notes" for ref in refs):
            raise ValueError("no row can hold this")
        record(connection, generation, refs, comes_with)

    monkeypatch.setattr(pages, "_record", refusing)
    support.desk.reply("20", NOTE, kind="private")
    support.sync()
    assert support.acme.rows(
        "SELECT p.is_internal, d.is_internal, p.comes_with FROM source_page p LEFT JOIN document d USING (document_id) "
        "WHERE p.external_id = '20-notes'"
    ) == [(True, True, "20")]


class TestWhatComesWithAPage:
    def test_it_goes_when_a_reading_shows_it_no_more(self, support: Support) -> None:
        support.desk.tickets["21"].messages.pop()
        support.desk.set_status("21", "Closed")
        support.sync()
        assert sorted(support.found()) == ["20", "21"] and support.messages("private") == []

    def test_a_listing_without_it_says_nothing(self, support: Support) -> None:
        support.sync(Mode.FULL)
        assert support.desk.looks == [] and support.desk.reads == []
        assert sorted(support.found()) == ["20", "21", "21-notes"]

    def test_it_goes_and_returns_with_its_page_and_nothing_is_read(self, support: Support) -> None:
        desk = support.desk
        desk.trash["21"] = desk.tickets.pop("21")
        support.sync()
        assert sorted(support.found()) == ["20"]
        assert support.tickets()[1][4] is False
        desk.tickets["21"] = desk.trash.pop("21")
        report = support.sync()
        assert sorted(support.found()) == ["20", "21", "21-notes"]
        assert desk.reads == [] and report["embeddings"]["computed"] == 0
        assert support.tickets()[1][4] is True and support.messages("private") == [NOTE]

    def test_a_page_that_returns_edited_brings_it(self, support: Support) -> None:
        desk = support.desk
        desk.trash["21"] = desk.tickets.pop("21")
        support.sync()
        desk.tickets["21"] = desk.trash.pop("21")
        desk.reply("21", "Ask the accountants first.", kind="private")
        support.sync()
        assert "accountants" in support.found()["21-notes"]

    def test_it_does_not_return_with_its_page_where_it_is_not_there_any_more(self, support: Support) -> None:
        desk = support.desk
        desk.trash["21"] = desk.tickets.pop("21")
        support.sync()
        desk.tickets["21"] = desk.trash.pop("21")
        desk.tickets["21"].messages.pop()
        desk.tickets["21"].edits += 1
        for _ in range(2):
            support.sync()
            assert sorted(support.found()) == ["20", "21"] and support.messages("private") == []

    def test_all_of_it_goes_when_the_source_is_asked_for_none(self, support: Support) -> None:
        support.desk.with_notes = False
        support.sync()
        assert support.desk.reads == [] and sorted(support.found()) == ["20", "21"]
        assert support.messages("private") == []
        support.desk.with_notes = True
        support.desk.set_status("21", "Closed")
        support.sync()
        assert NOTE in support.found()["21-notes"]

    def test_once_it_is_asked_for_it_comes_with_what_was_read_without(self, support: Support) -> None:
        support.desk.with_notes = False
        support.switch(private_notes=False)
        support.sync()
        support.switch(private_notes=True)
        support.desk.with_notes = True
        report = support.sync()
        assert support.desk.reads == ["20", "21"] and report["embeddings"]["computed"] == 0
        assert NOTE in support.found()["21-notes"] and support.messages("private") == [NOTE]

    def test_once_it_is_asked_for_during_a_run_the_next_one_brings_it(self, support: Support) -> None:
        support.desk.with_notes = False
        support.switch(private_notes=False)
        support.desk.meanwhile = lambda: support.switch(private_notes=True)
        support.sync()
        support.desk.with_notes, support.desk.meanwhile = True, lambda: None
        assert support.sync()["mode"] == "full"
        assert NOTE in support.found()["21-notes"]


class TestArchived:
    @pytest.fixture
    def archived(self, support: Support) -> Support:
        support.desk.archive["20"] = support.desk.tickets.pop("20")
        return support

    def test_what_is_archived_is_found_still_and_is_no_suspect_again(self, archived: Support) -> None:
        archived.sync(Mode.FULL)
        assert archived.desk.looks == ["20"] and ANSWER in archived.found()["20"]
        archived.sync(Mode.FULL)
        assert archived.desk.looks == [] and archived.desk.reads == []
        assert ANSWER in archived.found()["20"] and archived.tickets()[0][4] is True

    def test_an_audit_looks_at_it_and_removes_what_is_gone_for_good(self, archived: Support) -> None:
        archived.sync(Mode.FULL)
        archived.sync(Mode.AUDIT)
        assert archived.desk.looks == ["20"] and ANSWER in archived.found()["20"]
        archived.desk.archive.clear()
        archived.sync(Mode.AUDIT)
        archived.sync(Mode.AUDIT)
        assert sorted(archived.found()) == ["21", "21-notes"] and archived.tickets()[0][4] is False

    def test_what_was_answered_before_it_was_archived_is_read(self, archived: Support) -> None:
        archived.desk.archive["20"].messages.append(("public", "customer", "Thank you, it runs."))
        archived.desk.archive["20"].edits += 1
        archived.sync(Mode.FULL)
        assert "Thank you, it runs." in archived.found()["20"]

    def test_one_that_is_listed_again_is_as_any_other(self, archived: Support) -> None:
        archived.sync(Mode.FULL)
        archived.desk.tickets["20"] = archived.desk.archive.pop("20")
        archived.sync(Mode.FULL)
        assert archived.acme.rows("SELECT count(*) FROM source_page WHERE is_archived") == [(0,)]


class TestAnArchiveThatNobodyMayLookInto:
    """Freshdesk's smaller plans answer 404 for a ticket that is archived or gone, and 403 for the archive."""

    @pytest.fixture
    def archived(self, support: Support) -> Support:
        support.desk.shows_archive = False
        support.desk.archive["20"] = support.desk.tickets.pop("20")
        return support

    def test_what_is_old_is_found_still_and_is_no_suspect_again(self, archived: Support) -> None:
        with archived.acme.database.connection() as connection:
            connection.execute("UPDATE source_page SET last_edited_at = last_edited_at - interval '120 days'")
        archived.sync(Mode.FULL)
        assert archived.desk.looks == ["20"] and ANSWER in archived.found()["20"]
        archived.sync(Mode.FULL)
        assert archived.desk.looks == [] and archived.desk.reads == []
        assert ANSWER in archived.found()["20"] and archived.tickets()[0][4] is True

    def test_what_is_young_is_gone_once_two_syncs_find_it_so(self, archived: Support) -> None:
        archived.sync(Mode.FULL)
        assert ANSWER in archived.found()["20"]
        archived.sync(Mode.FULL)
        assert sorted(archived.found()) == ["21", "21-notes"]

    def test_what_was_in_the_trash_before_does_not_return_and_is_not_asked_for_again(self, support: Support) -> None:
        support.desk.trash["20"] = support.desk.tickets.pop("20")
        support.sync()
        support.desk.shows_archive = False
        support.desk.trash.clear()
        support.sync()
        assert support.desk.looks == ["20"] and sorted(support.found()) == ["21", "21-notes"]
        support.sync()
        assert support.desk.looks == []
