"""What a person sees on a page is in the index: comments on request, names, and what we do not know is counted."""

from __future__ import annotations

from typing import Any

import pytest

from arcana_pipelines.defs.results import partial_table
from arcana_pipelines.ledger import pages
from arcana_pipelines.operations.reports import sync_report
from arcana_pipelines.operations.status import workspace_status
from arcana_pipelines.sources.notion.comments import comment_line
from arcana_pipelines.sources.notion.pages import page_ref
from arcana_pipelines.sources.notion.users import UserNames
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.workspaces.workspaces import find
from arcana_pipelines_tests.harness import Harness


class TestComments:
    @pytest.fixture
    def commented(self, acme: Harness) -> tuple[Harness, str]:
        page = acme.world.add_page("Plan", blocks=[blocks.paragraph("The plan.")])
        writer = acme.world.add_user("김하늘")
        for number in range(120):
            acme.world.add_comment(page, f"remark number {number}", by=writer)
        acme.settle()
        return acme.at(comments=True), page

    def test_every_open_comment_is_indexed_with_its_writer(self, commented: tuple[Harness, str]) -> None:
        acme, page = commented
        acme.sync()
        text = acme.published()[page]
        assert "The plan." in text and "김하늘" in text
        for number in range(120):
            assert f"remark number {number}" in text
        users = [request for request in acme.server.requests if request.path == "/v1/users"]
        assert len(users) <= 1, "names are asked for once a run"

    def test_without_the_option_no_comment_is_asked_for(self, commented: tuple[Harness, str]) -> None:
        acme, page = commented
        acme.at(comments=False).sync()
        assert "remark" not in acme.published()[page]
        assert not [request for request in acme.server.requests if "comments" in request.path]

    def test_a_connection_that_may_not_read_comments_indexes_the_page_and_says_so(
        self, commented: tuple[Harness, str]
    ) -> None:
        acme, page = commented
        acme.server.faults.add("GET /v1/comments", "403", times=None)
        acme.sync()
        assert "The plan." in acme.published()[page]
        ((partial,),) = acme.rows("SELECT partial FROM source_page WHERE external_id = %s", page)
        assert "comments could not be read" in partial[0]

    def test_a_failing_list_of_comments_never_makes_a_page_shorter(self, commented: tuple[Harness, str]) -> None:
        acme, page = commented
        acme.sync()
        acme.world.append_blocks(page, [blocks.paragraph("More.")])
        acme.settle()
        acme.server.faults.add("GET /v1/comments", "500", times=None, skip=1)
        acme.sync()
        assert acme.page_state(page)[0] == "quarantined"
        assert "remark number 119" in acme.published()[page]
        acme.server.faults.clear()
        acme.sync()
        assert "More." in acme.published()[page] and "remark number 119" in acme.published()[page]

    @pytest.mark.parametrize("comment", [{}, {"rich_text": None}, {"rich_text": []}, {"created_by": None}])
    def test_a_comment_without_text_is_no_line(self, acme: Harness, comment: dict[str, Any]) -> None:
        source = acme.source()
        assert comment_line(comment, UserNames(source.api)) == ""
        source.close()


class TestNames:
    def page(self, person: dict[str, Any]) -> dict[str, Any]:
        return {
            "object": "page",
            "id": "c0ffee00-0000-4000-8000-000000000000",
            "last_edited_time": "2026-07-01T00:00:00.000Z",
            "parent": {"type": "workspace", "workspace": True},
            "properties": {
                "Owner": {"id": "a", "type": "people", "people": [person, {"object": "user", "id": "nobody"}]},
                "Made by": {"id": "b", "type": "created_by", "created_by": person},
            },
        }

    def test_people_that_a_listing_gives_by_id_alone_get_their_names(self, acme: Harness) -> None:
        user = acme.world.add_user("Ines Okafor")
        source = acme.source()
        names = UserNames(source.api)
        for _ in range(3):
            ref = names.complete(page_ref(self.page({"object": "user", "id": user})))
            assert ref.properties["Owner"]["text"] == "Ines Okafor"
            assert ref.properties["Owner"]["value"][0] == {"id": user, "name": "Ines Okafor"}
            assert ref.properties["Made by"]["text"] == "Ines Okafor"
        source.close()
        assert len([r for r in acme.server.requests if r.path == "/v1/users"]) == 1

    def test_a_connection_that_may_not_read_users_goes_on_without_names(self, acme: Harness) -> None:
        acme.server.faults.add("GET /v1/users", "403", times=None)
        source = acme.source()
        ref = page_ref(self.page({"object": "user", "id": "somebody"}))
        assert UserNames(source.api).complete(ref) == ref
        source.close()


class TestIncompletePages:
    @pytest.fixture
    def copies(self, acme: Harness) -> list[str]:
        """Two pages that show a synced block whose original is not shared."""
        hidden = acme.world.add_page("Hidden", blocks=[blocks.synced([blocks.paragraph("nur innen")])])
        original = acme.world.nodes[hidden].children[0]
        pages = [
            acme.world.add_page(title, blocks=[blocks.paragraph("words"), blocks.synced_copy(original)])
            for title in ("Synced copy", "동기화된 사본")
        ]
        acme.world.unshare(hidden)
        acme.settle()
        return pages

    def test_what_the_source_kept_back_is_told_with_the_pages_and_the_reason(
        self, acme: Harness, copies: list[str]
    ) -> None:
        report = acme.sync()
        assert report["partial"]["pages"] == 2
        (group,) = report["partial"]["reasons"]
        assert group["pages"] == 2 and "not shared with the connection" in group["reason"]
        assert {(page["external_id"], page["title"]) for page in group["examples"]} == set(
            zip(copies, ("Synced copy", "동기화된 사본"), strict=True)
        )
        with acme.database.connection() as connection:
            assert workspace_status(connection, find(connection, "acme")).partial.as_dict() == report["partial"]
        with acme.session() as session:
            found = sync_report(session.connection, session.workspace, session.generation)
        assert not found.is_incomplete, "what is not shared is meant so"
        records = {record.data["page"]: record.data for record in partial_table(found.partial).records}
        assert records["동기화된 사본"]["url"].startswith("https://")
        assert "not shared" in records["동기화된 사본"]["missing"]

    def test_the_same_reason_with_other_ids_and_numbers_is_one_group_with_few_examples(self, acme: Harness) -> None:
        for number in range(9):
            acme.world.add_page(f"Page {number}", blocks=[blocks.paragraph("words")])
        acme.settle()
        acme.sync()
        acme.rows(
            "UPDATE source_page SET partial = jsonb_build_array('block ' || external_id || ': HTTP 403', 'bytes lost') "
            "WHERE title LIKE 'Page %%' RETURNING 1"
        )
        partial = acme.sync()["partial"]
        assert partial["pages"] == 9
        assert sorted(group["reason"] for group in partial["reasons"]) == ["block …: HTTP …", "bytes lost"]
        assert all(group["pages"] == 9 and len(group["examples"]) == 5 for group in partial["reasons"])

    def test_a_page_that_is_whole_again_and_a_removed_one_are_not_told(self, acme: Harness, copies: list[str]) -> None:
        acme.sync()
        acme.world.trash(copies[0])
        acme.world.delete_block(acme.world.nodes[copies[1]].children[1])
        acme.settle()
        assert acme.sync()["partial"] == {"pages": 0, "reasons": []}


class TestUnknownTypes:
    def test_blocks_without_a_rendering_are_counted_by_type(self, acme: Harness) -> None:
        for title in ("One", "Two"):
            acme.world.add_page(title, blocks=[blocks.paragraph("text"), blocks.unsupported("ai_block")])
        acme.settle()
        acme.sync()
        with acme.database.connection() as connection:
            found = pages.unknown_types(connection, find(connection, "acme").workspace_id)
        assert sum(found.values()) == 2 and len(found) == 1
        acme.assert_matches_world()


class TestSilentLimits:
    """What docs/fidelity.md says of limits that no answer speaks of."""

    def test_rows_beyond_the_cap_of_one_query_are_listed_in_windows(self, acme: Harness) -> None:
        table = acme.world.add_database("Table", schema={"Name": "title"}).data_source_id
        for number in range(25):
            acme.world.add_row(table, f"Row {number}", {}, [blocks.paragraph(f"words {number}")])
            acme.world.clock.advance(60)
        acme.world.query_result_limit = 10
        acme.settle()
        assert acme.sync()["listing_complete"]
        acme.assert_matches_world()

    def test_rows_that_cannot_be_told_apart_by_time_make_the_listing_incomplete(self, acme: Harness) -> None:
        table = acme.world.add_database("Table", schema={"Name": "title"}).data_source_id
        for number in range(25):
            acme.world.add_row(table, f"Row {number}", {}, [])
        acme.world.query_result_limit = 10
        acme.settle()
        report = acme.sync()
        assert not report["listing_complete"] and "cannot be windowed" in report["problems"][0]

    def test_a_row_that_is_archived_later_is_not_taken_for_gone(self, acme: Harness) -> None:
        table = acme.world.add_database("Table", schema={"Name": "title"}).data_source_id
        row = acme.world.add_row(table, "Old row", {}, [blocks.paragraph("kept words")])
        acme.settle()
        acme.sync()
        acme.world.archive_row(row)
        acme.settle()
        for _ in range(2):
            acme.sync(Mode.FULL)
        assert "kept words" in acme.published()[row]

    def test_a_transcript_is_not_asked_for_and_the_notes_are_there(self, acme: Harness) -> None:
        notes = blocks.meeting_notes(
            "Weekly", notes=[blocks.paragraph("Noted")], transcript=[blocks.paragraph("Word for word")]
        )
        page = acme.world.add_page("Meeting", blocks=[notes])
        acme.settle()
        acme.sync()
        text = acme.published()[page]
        assert "Noted" in text and "Word for word" not in text

    def test_markdown_that_is_cut_is_read_to_its_end(self, acme: Harness) -> None:
        acme.world.markdown_block_limit = 20
        page = acme.world.add_page("Long", blocks=[blocks.paragraph(f"line{number}") for number in range(90)])
        acme.settle()
        report = acme.sync()
        assert all(f"line{number}" in acme.published()[page] for number in range(90))
        assert report["partial"]["pages"] == 0

    def test_a_copy_without_its_original_is_told_and_code_that_looks_like_one_is_not(self, acme: Harness) -> None:
        tag = '<synced-block-reference url="https://app.notion.com/p/x"></synced-block-reference>'
        acme.world.add_page("Docs", blocks=[blocks.code(tag, "html")])
        acme.settle()
        assert acme.sync()["partial"]["pages"] == 0
