"""What a ticket says when it is read: the thread without what mails repeat, private notes apart, files by ids."""

from __future__ import annotations

import io
import json
import logging
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from arcana_pipelines.errors import (
    DownloadExpired,
    DownloadFailed,
    DownloadRefused,
    PageRejected,
    PageUnavailable,
)
from arcana_pipelines.sources.freshdesk.people import People, Person
from arcana_pipelines.sources.freshdesk.source import FreshdeskSource
from arcana_pipelines.sources.protocol import FetchedPage, FileRef, Mode, PageRef, Presence
from arcana_pipelines.testing.freshdesk_server import Html, LoggedRequest
from arcana_pipelines_tests.freshdesk.conftest import Desk, fetched, listed

MIB = 2**20


def companion(page: FetchedPage) -> tuple[PageRef, FetchedPage]:
    assert page.companions is not None and len(page.companions) == 1
    return page.companions[0]


def data_of(source: FreshdeskSource, file: FileRef) -> bytes:
    target = io.BytesIO()
    source.download(file, target, MIB)
    return target.getvalue()


class TestThread:
    def test_the_question_comes_first_and_messages_follow_by_time_under_who_said_them(self, desk: Desk) -> None:
        world = desk.world
        world.clock.set(datetime(2026, 3, 5, 14, 2, tzinfo=UTC))
        asks = world.add_contact("김하늘", "haneul@customer.example")
        ticket = world.add_ticket("로그인", "인증번호가 오지 않아요.", requester=asks)
        world.clock.advance(60)
        world.reply(ticket, "We got your mail.", auto_response=True)
        world.clock.advance(60)
        world.reply(ticket, "Please try again.")
        world.clock.advance(60)
        world.reply(ticket, "됐어요!", by=asks)
        world.clock.advance(60)
        world.add_note(ticket, "Solved by waiting.", private=False, by=world.group_agent)
        assert fetched(desk.source(), ticket).markdown == (
            "인증번호가 오지 않아요.\n\n"
            "## Automatic reply · 2026-03-05 14:03\n\nWe got your mail.\n\n"
            "## Agent Grace Hopper · 2026-03-05 14:04\n\nPlease try again.\n\n"
            "## Customer · 2026-03-05 14:05\n\n됐어요!\n\n"
            "## Public note by 이수민 · 2026-03-05 14:06\n\nSolved by waiting."
        )

    def test_neither_the_name_nor_the_address_of_a_customer_is_in_the_text_or_the_properties(self, desk: Desk) -> None:
        world = desk.world
        asks = world.add_contact("김하늘", "haneul@customer.example")
        ticket = world.add_ticket("Help", "Please.", requester=asks)
        world.reply(ticket, "Thanks.", by=asks)
        refs, _ = listed(desk.source())
        page = desk.source().fetch(refs[str(ticket)])
        shown = page.markdown + json.dumps(refs[str(ticket)].properties, ensure_ascii=False)
        assert "김하늘" not in shown and "haneul" not in shown
        assert page.record is not None
        assert (page.record["requester_name"], page.record["requester_email"]) == ("김하늘", "haneul@customer.example")

    def test_what_a_web_chat_says_twice_is_said_once(self, desk: Desk) -> None:
        world = desk.world
        asks = world.add_contact("A")
        twice = world.add_ticket("Chat", "My parcel is lost.", source=15, requester=asks)
        world.reply(twice, "My parcel is lost.", by=asks)
        other = world.add_ticket("Chat", "Only here.", source=15, requester=asks)
        world.reply(other, "Something else.", by=asks)
        source = desk.source()
        assert fetched(source, twice).markdown.count("My parcel is lost.") == 1
        assert "Only here." in fetched(source, other).markdown

    @pytest.mark.parametrize("source_code", [10, 14])
    def test_the_description_of_an_outgoing_ticket_is_the_agents(self, desk: Desk, source_code: int) -> None:
        world = desk.world
        ticket = world.add_ticket("Renewal", "Your contract ends.", source=source_code, responder=world.agent)
        markdown = fetched(desk.source(), ticket).markdown
        assert markdown.startswith("## Agent Grace Hopper · ") and markdown.endswith("\n\nYour contract ends.")

    def test_a_merged_ticket_links_to_the_one_it_was_merged_into(self, desk: Desk) -> None:
        primary, second = desk.world.add_ticket("First"), desk.world.add_ticket("Second", "The same again.")
        desk.world.merge(primary, [second])
        source = desk.source()
        assert fetched(source, second).links == (str(primary),)
        assert fetched(source, primary).links == ()

    def test_links_to_tickets_and_articles_of_the_account_are_told(self, desk: Desk) -> None:
        article = desk.world.add_article(desk.world.add_folder(desk.world.add_category("A"), "B"), "C", "D")
        text = (
            f'<p>See <a href="https://acme.freshdesk.com/support/solutions/articles/{article}-login">this</a>, '
            '<a href="/a/tickets/7">that</a> and <a href="https://evil.example/a/tickets/8">those</a>.</p>'
        )
        ticket = desk.world.add_ticket("Help", Html(text))
        assert fetched(desk.source(articles=True), ticket).links == (f"article-{article}", "7")
        page = fetched(desk.source(), ticket)
        assert page.links == ("7",)
        assert f"https://acme.freshdesk.com/support/solutions/articles/{article}-login" in page.markdown

    def test_a_message_of_an_unknown_kind_is_a_message(self, desk: Desk) -> None:
        ticket = desk.world.add_ticket("Odd")
        desk.world.reply(ticket, "From somewhere new.", source=42)
        assert "From somewhere new." in fetched(desk.source(), ticket).markdown

    def test_addresses_that_are_a_text_and_times_that_are_null_do_not_matter(self, desk: Desk) -> None:
        desk.world.sla_seconds = 3600
        ticket = desk.world.add_ticket("Odd", "Text.", cc_emails="one@a.example")
        refs, listing = listed(desk.source())
        assert listing.complete and desk.source().fetch(refs[str(ticket)]).markdown == "Text."


class TestRequests:
    @pytest.mark.parametrize("count", [0, 1, 9])
    def test_a_ticket_is_read_with_one_request(self, desk: Desk, count: int) -> None:
        ticket = desk.world.add_ticket("Talk", "Question")
        for number in range(count):
            desk.world.reply(ticket, f"Answer {number}")
        source = desk.source()
        refs, _ = listed(source)
        desk.server.reset_log()
        page = source.fetch(refs[str(ticket)])
        assert desk.server.requests == {"tickets/conversations": 1, "agents": 1}
        assert page.markdown.count("## Agent") == count
        # Without the description that the list brought, and where files are told of: a look at the ticket itself.
        for other, ref in (
            (source, replace(refs[str(ticket)], record=None)),
            (desk.source(with_files=True), refs["1"]),
        ):
            other.fetch(ref)
            desk.server.reset_log()
            assert other.fetch(ref).markdown == page.markdown
            assert desk.server.requests == {"tickets/view": 1}

    @pytest.mark.parametrize("count", [10, 11, 150])
    def test_all_messages_of_a_long_ticket_are_read(self, desk: Desk, count: int) -> None:
        ticket = desk.world.add_ticket("Long", "Question")
        for number in range(count):
            desk.world.reply(ticket, f"Answer {number}.")
        for source in (desk.source(), desk.source(with_files=True)):
            assert fetched(source, ticket).markdown.count("## Agent") == count

    def test_what_the_list_brought_of_an_older_revision_is_not_used(self, desk: Desk) -> None:
        ticket = desk.world.add_ticket("Changing", "Before.")
        source = desk.source()
        refs, _ = listed(source)
        desk.settle()
        desk.world.update(ticket, text="After.")
        now, _ = listed(source, Mode.AUDIT)
        ref = replace(now[str(ticket)], record=refs[str(ticket)].record)
        assert source.fetch(ref).markdown == "After."

    def test_an_author_is_looked_at_once_and_one_who_is_gone_has_no_name(self, desk: Desk) -> None:
        world = desk.world
        other = world.add_contact("Colleague", "colleague@customer.example")
        ticket = world.add_ticket("Two", requester=world.add_contact("Asks"))
        for _ in range(3):
            world.reply(ticket, "Me too.", by=other)
        source = desk.source()
        page = fetched(source, ticket)
        source.fetch(listed(source)[0][str(ticket)])
        assert page.record is not None and page.record["conversations"][0]["author_name"] == "Colleague"
        assert desk.server.requests["contacts/view"] == 1
        world.delete_contact(other)
        page = fetched(desk.source(), ticket)
        assert page.record is not None and page.record["conversations"][0]["author_name"] is None

    def test_whom_one_ticket_brings_is_known_though_another_asked_for_them_in_vain_meanwhile(self, desk: Desk) -> None:
        asks = desk.world.add_contact("김하늘", "haneul@customer.example")
        people = People(desk.api())
        desk.server.faults.add("403", "contacts/view")

        def meanwhile(_: LoggedRequest) -> None:
            people.note({"id": asks, "name": "김하늘", "email": "haneul@customer.example"})

        people.agent(asks)  # agents are listed before
        desk.server.after_request = meanwhile
        known = Person("김하늘", "haneul@customer.example")
        assert [people.anyone(asks), people.anyone(asks)] == [known, known]
        assert desk.server.requests["contacts/view"] == 1


class TestPrivateNotes:
    def test_private_notes_and_forwards_are_in_nothing_where_they_are_not_wanted(self, desk: Desk) -> None:
        ticket = desk.world.add_ticket("Help", "Please.")
        desk.world.add_note(ticket, "Their password is hunter2.", attach=[("secret.txt", b"secret")])
        desk.world.forward(ticket, "Could you look at this customer?")
        page = fetched(desk.source(with_files=True), ticket)
        everything = repr(asdict(page))
        assert "hunter2" not in everything and "this customer" not in everything and "secret.txt" not in everything
        assert page.companions is None

    def test_private_notes_are_a_document_of_their_own_that_is_internal(self, desk: Desk) -> None:
        ticket = desk.world.add_ticket("Help", "Please.", tags=["vip"])
        desk.world.reply(ticket, "Of course.")
        desk.world.add_note(ticket, "내부 메모입니다.", attach=[("secret.txt", b"secret")])
        source = desk.source(private_notes=True, with_files=True)
        refs, _ = listed(source)
        page = source.fetch(refs[str(ticket)])
        ref, notes = companion(page)
        assert (ref.external_id, ref.kind, ref.parent_kind, ref.parent_id) == ("1-notes", "notes", "ticket", "1")
        assert ref.is_internal and ref.title == "Help" and ref.revision == refs["1"].revision
        assert ref.properties["Visibility"]["text"] == "private" and ref.properties["Tags"]["text"] == "vip"
        assert "내부 메모입니다." in notes.markdown and "## Private note by Grace Hopper · " in notes.markdown
        assert "내부" not in page.markdown and page.files == ()
        assert [file.name for file in notes.files or ()] == ["secret.txt"]
        assert page.record is not None
        assert [said["message_type"] for said in page.record["conversations"]] == ["public", "private"]

    def test_a_ticket_without_private_notes_has_none(self, desk: Desk) -> None:
        ticket = desk.world.add_ticket("Help", "Please.")
        source = desk.source(private_notes=True)
        assert fetched(source, ticket).companions == ()
        assert source.confirm(f"{ticket}-notes") == (Presence.GONE, None)

    def test_private_notes_are_read_and_looked_at_by_their_own_id(self, desk: Desk) -> None:
        ticket = desk.world.add_ticket("Help", "Please.")
        desk.world.add_note(ticket, "Internal.")
        source = desk.source(private_notes=True)
        ref, notes = companion(fetched(source, ticket))
        assert source.confirm("1-notes") == (Presence.ALIVE, ref)
        assert source.fetch(ref).markdown == notes.markdown
        desk.world.delete(ticket)
        assert source.confirm("1-notes")[0] is Presence.TRASHED
        assert desk.source().confirm("1-notes") == (Presence.GONE, None)
        with pytest.raises(PageUnavailable):
            desk.source().fetch(ref)

    def test_a_message_that_does_not_say_that_it_is_public_is_private(self, desk: Desk) -> None:
        from arcana_pipelines.sources.freshdesk.people import NOBODY
        from arcana_pipelines.sources.freshdesk.thread import read_thread

        class Nobody:
            def anyone(self, user_id: object) -> Any:
                return NOBODY

        said = {"id": 1, "body": "<p>Whose?</p>", "source": 0, "created_at": "2026-03-05T14:02:00Z"}
        thread = read_thread({"id": 1}, [said], Nobody())  # type: ignore[arg-type]
        assert "Whose?" not in thread.markdown() and "Whose?" in thread.notes()


class TestFiles:
    def test_files_are_known_by_their_ids_and_no_signed_address_is_kept_anywhere(
        self, desk: Desk, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        text = Html('<p>See <img src="inline:0"> and <img src="cid:https://attachment.acme.example/1"></p>')
        ticket = desk.world.add_ticket("Help", text, attach=[("화면.png", b"png")], inline=[("inline.png", b"png")])
        desk.world.reply(ticket, "Here.", attach=[("guide.pdf", b"%PDF")])
        source = desk.source(with_files=True)
        refs, _ = listed(source)
        page = source.fetch(refs[str(ticket)])
        assert [file.name for file in page.files or ()] == ["화면.png", "guide.pdf"]
        assert [data_of(source, file) for file in page.files or ()] == [b"png", b"%PDF"]
        logged = [entry.getMessage() for entry in caplog.records if entry.name.startswith("arcana_pipelines")]
        kept = repr((asdict(page), asdict(refs[str(ticket)]), logged))
        assert "token=" not in kept and "cid:" not in page.markdown
        assert page.markdown.startswith("See and") and "Files: guide.pdf" in page.markdown

    def test_the_bytes_of_a_file_are_had_hours_and_processes_after_its_ticket_was_read(self, desk: Desk) -> None:
        ticket = desk.world.add_ticket("Help", attach=[("a.txt", b"one")])
        (file,) = fetched(desk.source(with_files=True), ticket).files or ()
        desk.world.clock.advance(86400)
        assert data_of(desk.source(with_files=True), file) == b"one"

    def test_an_address_that_ended_meanwhile_is_asked_for_again(self, desk: Desk) -> None:
        ticket = desk.world.add_ticket("Help", attach=[("a.txt", b"one")])
        source = desk.source(with_files=True)
        (file,) = fetched(source, ticket).files or ()
        desk.world.clock.advance(86400)
        with pytest.raises(DownloadExpired):
            source.download(file, io.BytesIO(), MIB)
        assert data_of(source, file) == b"one"

    def test_a_file_that_was_taken_away_is_not_had(self, desk: Desk) -> None:
        ticket = desk.world.add_ticket("Help", attach=[("a.txt", b"one")])
        (file,) = fetched(desk.source(with_files=True), ticket).files or ()
        desk.world.delete_attachment(int(file.file_id.removeprefix("attachment-")))
        with pytest.raises(DownloadExpired):
            data_of(desk.source(with_files=True), file)
        desk.world.delete_for_ever(ticket)
        with pytest.raises(DownloadExpired):
            data_of(desk.source(with_files=True), file)
        desk.server.faults.add("403", "tickets/view", times=None)
        with pytest.raises(DownloadFailed):
            data_of(desk.source(with_files=True), file)

    @pytest.mark.parametrize(
        "address",
        [
            "https://evil.example/data/helpdesk/a.txt",
            "http://acme.freshdesk.com/a.txt",
            "https://freshdesk.com.evil.example/a.txt",
            "https://evilfreshdesk.com/a.txt",
            "https://s3.amazonaws.com/evil-cdn.freshdesk.com.bucket/a.txt",
            "https://s3.amazonaws.com/other/a.txt",
            "https://key@acme.freshdesk.com/a.txt",
            "https://evil.example\\@acme.freshdesk.com/a.txt",
            "http://127.0.0.1:1/a.txt",
            "http://[::1/a.txt",
            "file:///etc/passwd",
        ],
    )
    def test_a_file_is_fetched_only_from_where_freshdesk_keeps_files(self, desk: Desk, address: str) -> None:
        source = desk.source(with_files=True)
        source._files.note("1", [{"id": 5, "name": "a.txt", "attachment_url": address}])
        file = FileRef("attachment-5", "a.txt", "freshdesk:1")
        with pytest.raises(DownloadRefused) as refused:
            source.download(file, io.BytesIO(), MIB)
        assert "evil" not in str(refused.value)
        with pytest.raises(DownloadRefused):
            source.download(replace(file, address=address), io.BytesIO(), MIB)

    @pytest.mark.parametrize(
        "address",
        [
            "https://attachment.freshdesk.com/inline/attachment?token=x",
            "https://eucattachment.freshdesk.com/inline/attachment?token=x",
            "https://s3.amazonaws.com/cdn.freshdesk.com/data/helpdesk/attachments/production/1/original/a.txt",
            "https://s3.eu-central-1.amazonaws.com/euc-cdn.freshdesk.com/data/helpdesk/a.txt",
            "https://cdn.freshdesk.com.s3.amazonaws.com/data/helpdesk/a.txt",
        ],
    )
    def test_hosts_of_the_account_are_known(self, desk: Desk, address: str) -> None:
        desk.source(with_files=True)._files._check(address)

    def test_files_of_articles_are_told_and_had(self, desk: Desk) -> None:
        folder = desk.world.add_folder(desk.world.add_category("A"), "B")
        article = desk.world.add_article(folder, "C", "D", attach=[("manual.pdf", b"%PDF")])
        source = desk.source(articles=True, with_files=True)
        (file,) = fetched(source, f"article-{article}").files or ()
        assert data_of(desk.source(articles=True, with_files=True), file) == b"%PDF"


class TestWhatIsNotThere:
    def test_a_ticket_that_is_refused_is_one_refusal_and_no_other(self, desk: Desk) -> None:
        desk.world.add_ticket("A", "One."), desk.world.add_ticket("B", "Two.")
        source = desk.source()
        refs, _ = listed(source)
        desk.server.faults.add("403", "tickets/conversations", item=1, times=None)
        with pytest.raises(PageRejected, match="403 access_denied"):
            source.fetch(refs["1"])
        assert source.fetch(refs["2"]).markdown == "Two."

    @pytest.mark.parametrize("how", ["delete", "spam"])
    def test_a_ticket_that_went_into_the_trash_after_it_was_listed_is_not_published(self, desk: Desk, how: str) -> None:
        ticket = desk.world.add_ticket("A", "One.")
        source = desk.source()
        refs, _ = listed(source, Mode.AUDIT)
        getattr(desk.world, how)(ticket)
        with pytest.raises(PageUnavailable):
            source.fetch(refs[str(ticket)])
        assert source.confirm(str(ticket))[0] is Presence.TRASHED

    def test_an_archived_ticket_is_read_from_the_archive(self, desk: Desk) -> None:
        ticket = desk.world.add_ticket("A", "One.", status=5, attach=[("a.txt", b"one")])
        desk.world.reply(ticket, "Two.")
        source = desk.source(with_files=True)
        refs, _ = listed(source)
        before = source.fetch(refs[str(ticket)])
        desk.world.archive(ticket)
        presence, ref = source.confirm(str(ticket))
        assert presence is Presence.ARCHIVED and ref == replace(refs[str(ticket)], record=None)
        assert source.fetch(refs[str(ticket)]).markdown == before.markdown
        assert desk.source().fetch(refs[str(ticket)]).markdown == before.markdown
        assert data_of(desk.source(with_files=True), (before.files or ())[0]) == b"one"

    def test_where_the_plan_has_no_archive_a_missing_ticket_is_where_nobody_can_look_and_is_asked_for_once(
        self, desk: Desk
    ) -> None:
        desk.server.set_plan("growth")
        made = [desk.world.add_ticket("A", status=5) for _ in range(3)]
        for ticket in made:
            desk.world.archive(ticket)
        source = desk.source()
        assert [source.confirm(str(ticket)) for ticket in made] == [(Presence.ARCHIVED, None)] * 3
        assert desk.server.requests == {"tickets/view": 3, "tickets/archived": 1}

    @pytest.mark.parametrize("kind", ["500", "502", "429", "403", "html", "empty", "account_suspended", "drop"])
    def test_nothing_that_goes_wrong_says_that_a_ticket_is_gone(self, desk: Desk, kind: str) -> None:
        ticket = desk.world.add_ticket("A")
        desk.server.faults.add(kind, "tickets/view", times=None, retry_after=3600)
        source = desk.source(patience=1)
        assert source.confirm(str(ticket)) == (Presence.UNKNOWN, None)
        with pytest.raises(Exception) as failed:
            source.fetch(replace(listed(desk.source())[0][str(ticket)], record=None))
        assert not isinstance(failed.value, PageUnavailable)

    @pytest.mark.parametrize("external_id", ["", "x", "-1", "1/2", "../agents/me", "1?include=x", "article-x", "٣"])
    def test_what_is_no_id_is_asked_for_nowhere(self, desk: Desk, external_id: str) -> None:
        source = desk.source(articles=True)
        assert source.confirm(external_id)[0] in (Presence.UNKNOWN, Presence.GONE)
        assert source.container(external_id) == (Presence.GONE, None)
        assert desk.server.log == []
