"""The promises: complete, minimal, atomic, no lost edit. Each test would fail if its promise were broken."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from arcana_pipelines.ledger import generations
from arcana_pipelines.pipeline import sync
from arcana_pipelines.pipeline.session import Session
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server import NotionWorld, seed_world
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.testing.notion_server.model.rich_text import text
from arcana_pipelines_tests.harness import Harness


class TestComplete:
    @pytest.fixture
    def world(self) -> NotionWorld:
        return seed_world(pages=40, rows=15)

    def test_the_first_sync_publishes_every_visible_page_with_all_its_text_and_nothing_else(
        self, acme: Harness
    ) -> None:
        report = acme.sync()
        assert report["mode"] == "full"
        assert report["listing_complete"]
        assert report["pages"]["added"] == len(acme.world.visible_pages())
        acme.assert_matches_world()

    def test_the_first_sync_costs_one_request_a_page_and_few_to_list_them(self, acme: Harness) -> None:
        report = acme.sync()
        data_sources = [request for request in acme.server.requests if request.path.endswith("/query")]
        pages = report["pages"]["enumerated"]
        assert report["notion"]["requests"] == len(acme.server.requests)
        assert report["notion"]["requests"] <= 1 + 2 + len(data_sources) + pages

    def test_every_page_has_a_document_below_its_workspace(self, acme: Harness) -> None:
        acme.sync()
        paths = acme.rows("SELECT path::text, deleted_at FROM document")
        assert len(paths) == len(acme.world.visible_pages())
        assert len({path.split(".")[0] for path, _ in paths}) == 1

    def test_an_audit_finds_a_linked_page_that_no_listing_shows(self, acme: Harness) -> None:
        hidden = acme.world.add_page("Hidden", blocks=[blocks.paragraph("out of every listing")])
        acme.world.add_page("Pointer", blocks=[blocks.link_to_page(hidden)])
        acme.settle()
        acme.sync()
        # From here on search is silent about the page, and the ledger has never heard of it.
        acme.server.faults.add("POST /v1/search", "short", times=None, keep=0)
        acme.rows(
            "UPDATE document d SET deleted_at = now() FROM source_page p "
            "WHERE p.document_id = d.document_id AND p.external_id = %s RETURNING 1",
            hidden,
        )
        acme.sync()
        acme.rows("DELETE FROM source_page WHERE external_id = %s RETURNING 1", hidden)
        assert hidden not in acme.published()
        assert acme.sync(Mode.AUDIT)["pages"]["added"] == 1
        assert "out of every listing" in acme.published()[hidden]


class TestMinimal:
    @pytest.fixture
    def world(self) -> NotionWorld:
        return seed_world(pages=30, rows=10)

    def test_a_second_sync_costs_two_requests_and_writes_no_content(self, acme: Harness) -> None:
        acme.settle()
        acme.sync()
        before = acme.rows("SELECT max(xmin::text::bigint) FROM document_content"), acme.checksum()
        report = acme.sync()
        assert report["notion"]["requests"] == 2
        assert report["embeddings"] == {"computed": 0, "reused": 0, "tokens": 0, "cost": 0.0}
        assert report["chunks"] == {"published": 0, "retired": 0}
        assert (acme.rows("SELECT max(xmin::text::bigint) FROM document_content"), acme.checksum()) == before

    def test_what_is_new_in_the_trash_costs_an_answer_of_it_more_and_only_once(
        self, acme: Harness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("arcana_pipelines.sources.notion.source.PAGE_SIZE", 3)
        world = acme.world
        oldest = world.add_page("Oldest")
        world.clock.advance(60)
        holder = world.add_page("Holder")
        table = world.add_database("Table", holder)
        world.clock.advance(60)
        newest = [world.add_page(f"Newest {number}") for number in range(3)]
        acme.settle()
        acme.sync()
        world.clock.advance(900)
        for node in (*newest, oldest):
            world.trash(node)
        acme.sync()
        # Neither is among the newest three of the trash, and an audit's listing shows no database below a trashed page.
        for node in (table.database_id, holder):
            world.trash(node)
        acme.sync(Mode.AUDIT)
        acme.assert_matches_world()
        assert acme.sync()["notion"]["requests"] == 2
        # Now both of them are, and a sync hears of the database.
        for node in newest[:2]:
            world.restore(node)
        acme.sync(Mode.AUDIT)
        assert [acme.sync()["notion"]["requests"] for _ in range(3)] == [3, 2, 2]
        acme.assert_matches_world()

    def test_one_edited_page_costs_one_more_request_and_makes_version_two_of_exactly_it(self, acme: Harness) -> None:
        acme.settle()
        acme.sync()
        acme.settle()
        page = acme.world.visible_pages()[3]
        acme.world.append_blocks(page, [blocks.paragraph("The word is zanzibarium.")])
        report = acme.sync()
        assert report["notion"]["requests"] == 3
        assert report["pages"]["updated"] == 1
        assert [row[0] for row in acme.rows("SELECT version FROM document_content WHERE version > 1")] == [2]
        assert acme.version(page) == 2
        assert acme.search("zanzibarium")[0].external_id == page
        acme.assert_matches_world()

    def test_the_same_text_is_embedded_once_in_a_workspace(self, acme: Harness) -> None:
        acme.sync()
        twin = "A sentence that stands on two pages. " * 30
        for title in ("Twin", "Twin"):
            acme.world.add_page(title, blocks=[blocks.paragraph(twin)])
        report = acme.sync()
        assert report["pages"]["added"] == 2
        assert report["embeddings"]["computed"] == report["chunks"]["published"] / 2

    def test_one_word_changed_in_a_long_page_embeds_one_chunk(self, acme: Harness) -> None:
        lines = [f"Paragraph {number} is about subject {number % 7} and says enough." for number in range(300)]
        page = acme.world.add_page("Long", blocks=[blocks.paragraph(line) for line in lines])
        acme.sync()
        acme.settle()
        lines[150] = lines[150].replace("enough", "plenty")
        acme.world.edit_page(page, [blocks.paragraph(line) for line in lines])
        assert acme.sync()["embeddings"]["computed"] == 1

    def test_a_row_of_a_database_that_no_listing_has_shown_yet_names_it(self, acme: Harness) -> None:
        acme.sync()
        database = acme.world.add_database("Obstacles", schema={"State": "rich_text"})
        row = acme.world.add_row(database.data_source_id, "Robot")
        acme.settle()
        acme.sync()
        assert "Database: Obstacles" in acme.published()[row]
        acme.world.set_title(row, "Lamp")
        acme.settle()
        acme.server.requests.clear()
        acme.sync()
        assert not [request for request in acme.server.requests if "/data_sources/" in request.path], "it is known now"

    def test_a_renamed_database_embeds_one_text_a_row_and_reads_no_page(self, acme: Harness) -> None:
        root = acme.world.add_page("Company")
        database = acme.world.add_database("Obstacles", root, {"Name": "title", "State": "rich_text"})
        body = [blocks.paragraph(f"sentence {number} of the body " * 20) for number in range(20)]
        rows = [
            acme.world.add_row(database.data_source_id, name, {"State": "open"}, [*body, blocks.paragraph(name)])
            for name in ("Robot", "Lamp")
        ]
        acme.settle()
        acme.sync()
        assert {hit.external_id for hit in acme.search("obstacles") if "Database: Obstacles" in hit.text} == set(rows)
        acme.world.set_title(database.data_source_id, "Hindernisse")
        acme.settle()
        acme.server.requests.clear()
        report = acme.sync(Mode.FULL)  # others list no databases
        assert report["embeddings"]["computed"] == len(rows)
        assert not [request for request in acme.server.requests if request.path.endswith("/markdown")]
        assert {hit.external_id for hit in acme.search("hindernisse") if "Hindernisse" in hit.text} == set(rows)
        assert not [row for row in rows if "Obstacles" in acme.published()[row]]

    def test_new_signatures_on_file_addresses_are_no_change(self, acme: Harness) -> None:
        page = acme.world.add_page("Picture", blocks=[blocks.image(hosted="plan.png", caption="The plan of the hall")])
        acme.sync()
        acme.settle()
        acme.world.edit_page(page)  # touched, nothing changed; its file address is signed anew
        report = acme.sync()
        assert report["pages"]["unchanged"] >= 1
        assert report["pages"]["updated"] == 0
        assert acme.version(page) == 1


class TestNoLostEdit:
    def test_a_second_edit_in_the_same_minute_is_found(self, acme: Harness) -> None:
        page = acme.world.add_page("Notes", blocks=[blocks.paragraph("first")])
        acme.sync()
        acme.world.edit_page(page, [blocks.paragraph("second")])  # the same minute, the same timestamp
        acme.settle()
        acme.sync()
        assert "second" in acme.published()[page]

    def test_a_page_that_is_read_while_no_listing_tells_the_time_is_not_settled(self, acme: Harness) -> None:
        page = acme.world.add_page("Fresh", blocks=[blocks.paragraph("first words")])
        acme.server.faults.add("/markdown", "500", times=None)
        acme.sync()
        acme.server.faults.clear()
        acme.server.faults.add("POST /v1/search", "500", times=None)
        assert not acme.sync()["listing_complete"]
        assert "first words" in acme.published()[page]
        acme.world.append_blocks(page, [blocks.paragraph("second words, in the same minute")])
        acme.server.faults.clear()
        acme.settle()
        acme.sync()
        acme.assert_matches_world()

    def test_a_settled_page_is_not_read_again(self, acme: Harness) -> None:
        acme.world.add_page("Notes", blocks=[blocks.paragraph("first")])
        acme.sync()
        acme.settle()
        assert acme.sync()["notion"]["requests"] == 3  # two listings and the page, now settled
        assert acme.sync()["notion"]["requests"] == 2

    def test_an_import_going_on_is_read_again_once_and_not_at_every_sync(self, acme: Harness) -> None:
        for number in range(30):
            acme.world.add_page(f"Imported {number}", blocks=[blocks.paragraph("text")])
        acme.sync()
        assert acme.sync()["notion"]["requests"] == 2
        acme.settle()
        assert acme.sync()["notion"]["requests"] == 32
        assert acme.sync()["notion"]["requests"] == 2

    def test_an_edit_is_found_when_the_servers_clock_is_far_from_its_timestamps(self, acme: Harness) -> None:
        page = acme.world.add_page("Notes", blocks=[blocks.paragraph("first")])
        acme.sync()
        # The cursor now lies in the year 2999, as after a run on a machine with a broken clock.
        acme.rows('UPDATE workspace SET source_cursor = \'{"since": "2999-01-01T00:00:00+00:00"}\' RETURNING 1')
        acme.settle()
        acme.world.edit_page(page, [blocks.paragraph("second")])
        acme.sync()
        assert "second" in acme.published()[page]

    @pytest.mark.parametrize("cursor", ["", "garbage", "{}", '{"since": 7}'])
    def test_an_unreadable_cursor_lists_everything(self, acme: Harness, cursor: str) -> None:
        acme.world.add_page("Notes", blocks=[blocks.paragraph("first")])
        acme.sync()
        acme.settle()
        acme.rows("UPDATE workspace SET source_cursor = %s RETURNING 1", cursor)
        acme.world.add_page("More", blocks=[blocks.paragraph("second")])
        acme.sync()
        acme.assert_matches_world()

    def test_a_renamed_property_is_a_new_version_without_reading_the_body(self, acme: Harness) -> None:
        database = acme.world.add_database("Tasks", schema={"Status": "select"})
        row = acme.world.add_row(database.data_source_id, "Task", {"Status": "Open"})
        acme.settle()
        acme.sync()
        acme.world.rename_property(database.data_source_id, "Status", "State")
        report = acme.sync()
        assert "State: Open" in acme.published()[row]
        assert not [request for request in acme.server.requests if request.path.endswith("/markdown")]
        assert report["pages"]["updated"] == 1


class TestIsolated:
    def test_no_search_of_one_workspace_returns_the_text_of_another(
        self, acme: Harness, another: Callable[[str], Harness]
    ) -> None:
        other = another("globex")
        for harness, secret in ((acme, "alabaster"), (other, "bordeaux")):
            for number in range(5):
                harness.world.add_page(f"Plan {number}", blocks=[blocks.paragraph(f"The password is {secret}.")])
            harness.sync()
        for harness, own, foreign in ((acme, "alabaster", "bordeaux"), (other, "bordeaux", "alabaster")):
            for query in ("the password is", own, foreign):
                texts = [hit.text for hit in harness.search(query, k=50)]
                assert texts
                assert not [text for text in texts if foreign in text]

    def test_the_same_page_in_two_workspaces_is_two_documents(self, acme: Harness, world: NotionWorld) -> None:
        world.add_page("Shared", blocks=[blocks.paragraph("text")])
        twin = Harness.register(acme.database, world, acme.server, "twin")
        assert acme.sync()["pages"]["added"] == 1
        assert twin.sync()["pages"]["added"] == 1
        assert acme.published() == twin.published()
        assert len(acme.rows("SELECT 1 FROM document")) == 2


class TestOddPages:
    def test_characters_that_postgresql_cannot_store_do_not_stop_a_sync(self, acme: Harness) -> None:
        page = acme.world.add_page("Ti\x00tle \ud800", blocks=[blocks.paragraph("be\x00fore \ud800 after 😀")])
        acme.sync()
        text = acme.published()[page]
        assert "Title" in text
        assert "before" in text
        assert "after 😀" in text

    def test_code_that_speaks_of_placeholders_stays_as_it_is(self, acme: Harness) -> None:
        other = acme.world.add_page("Other", blocks=[blocks.paragraph("the other's text")])
        literal = f'<unknown url="https://www.notion.so/x#{other.replace("-", "")}" alt="alias"/>'
        page = acme.world.add_page(
            "Code",
            blocks=[
                blocks.code(f"first line\n{literal}\nlast line", "html"),
                blocks.paragraph(text(literal, code=True)),
                blocks.bookmark("https://example.com/kept"),
            ],
        )
        acme.sync()
        assert acme.published()[page].count(literal) == 2
        assert acme.rows("SELECT partial FROM source_page WHERE external_id = %s", page) == [([],)]

    def test_an_empty_page_is_found_by_its_title(self, acme: Harness) -> None:
        page = acme.world.add_page("빈 페이지")
        acme.sync()
        assert [hit.external_id for hit in acme.search("빈 페이지")] == [page]

    def test_a_page_without_title_and_text_is_indexed_as_untitled(self, acme: Harness) -> None:
        page = acme.world.add_page("")
        assert acme.sync()["pages"]["added"] == 1
        assert acme.published()[page] == "# Untitled"

    def test_a_hundred_levels_of_pages_have_a_place(self, acme: Harness) -> None:
        pages: list[str] = []
        for level in range(105):
            pages.append(acme.world.add_page(f"Level {level}", parent=pages[-1] if pages else None))
        assert acme.sync(Mode.FULL)["pages"]["added"] == 105
        acme.assert_matches_world()

        [(longest,)] = acme.rows("SELECT max(pg_column_size(path)) FROM document")
        assert 2 * longest < 4000, "two paths are a key of the GiST index, and two keys have to fit on a page of it"
        for level in (0, 30, 60):
            assert acme.rows(
                "SELECT count(*) FROM document d, source_page p JOIN document top USING (document_id) "
                "WHERE p.external_id = %s AND d.path <@ top.path",
                pages[level],
            ) == [(105 - level,)]


def test_a_sync_tells_of_itself_although_another_one_has_begun(acme: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The workspace is free again while targets are told."""
    deliver = sync.deliver_to_targets

    def another_begins(session: Session) -> None:
        deliver(session)
        with acme.database.connection() as connection:
            generations.begin(connection, session.workspace.workspace_id, Mode.FULL)

    monkeypatch.setattr(sync, "deliver_to_targets", another_begins)
    report = acme.sync()
    assert (report["generation"], report["pages"]["added"]) == (1, len(acme.world.visible_pages()))
