"""Absence is proven: what is removed, what is not, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from arcana_pipelines.errors import RequestInvalid, SourceMismatch, TokenRevoked
from arcana_pipelines.sources.notion.api import NotionApi
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server import NotionWorld
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines_tests.harness import Harness


@pytest.fixture
def page(world: NotionWorld) -> str:
    for number in range(5):
        world.add_page(f"Other {number}", blocks=[blocks.paragraph(f"other text {number}")])
    return world.add_page("Vanishing", blocks=[blocks.paragraph("the quick xylophone")])


class TestTrash:
    def test_a_trashed_page_disappears_at_the_next_sync(self, acme: Harness, page: str) -> None:
        acme.sync()
        acme.settle()
        acme.world.trash(page)
        assert acme.sync()["pages"]["removed"] == 1
        assert page not in acme.published()
        assert not [hit for hit in acme.search("xylophone") if hit.external_id == page]
        acme.assert_matches_world()

    def test_a_restored_page_returns_with_its_identity_and_without_an_embedding(self, acme: Harness, page: str) -> None:
        acme.sync()
        document = acme.search("xylophone")[0].document_id
        acme.settle()
        acme.sync()
        acme.world.trash(page)
        acme.sync()
        acme.world.restore(page)
        report = acme.sync()
        assert report["embeddings"]["computed"] == 0
        assert acme.search("xylophone")[0].document_id == document
        assert acme.version(page) == 1
        acme.assert_matches_world()

    def test_pages_below_a_trashed_page_go_and_come_back_with_it(self, acme: Harness, page: str) -> None:
        child = acme.world.add_page("Child", parent=page, blocks=[blocks.paragraph("child text")])
        acme.world.add_page("Grandchild", parent=child, blocks=[blocks.paragraph("grandchild text")])
        acme.sync()
        acme.settle()
        acme.sync()
        acme.world.trash(page)
        assert acme.sync()["pages"]["removed"] == 3
        acme.assert_matches_world()
        acme.world.restore(page)
        assert acme.sync()["embeddings"]["computed"] == 0
        acme.assert_matches_world()

    def test_a_page_that_moved_out_of_a_trashed_page_stays(self, acme: Harness, page: str) -> None:
        child = acme.world.add_page("Child", parent=page, blocks=[blocks.paragraph("child text")])
        acme.sync()
        acme.settle()
        acme.sync()
        acme.world.move(child, None)
        acme.world.share(child)
        acme.world.trash(page)
        acme.sync()
        assert child in acme.published()
        acme.assert_matches_world()

    def test_a_page_that_moved_out_of_a_trashed_page_to_where_it_is_not_shared_is_looked_at_twice(
        self, acme: Harness, page: str
    ) -> None:
        private = acme.world.add_page("Private")
        acme.world.unshare(private)
        child = acme.world.add_page("Child", parent=page, blocks=[blocks.paragraph("child text")])
        acme.settle()
        acme.sync()
        acme.world.move(child, private)
        acme.world.trash(page)
        acme.sync()
        assert child in acme.published(), "one 404 proves nothing, whatever the place on record"
        acme.sync()
        acme.assert_matches_world()

    def test_a_page_that_was_restored_after_an_interrupted_sync_saw_it_in_the_trash_stays(
        self, acme: Harness, page: str
    ) -> None:
        acme.settle()
        acme.sync()
        acme.settle()
        acme.sync()
        with acme.database.connection() as connection:
            connection.execute(
                "UPDATE source_page SET state = 'suspect', in_trash = true, reason = 'in the trash' "
                "WHERE external_id = %s",
                [page],
            )
        assert acme.sync()["pages"]["removed"] == 0
        acme.assert_matches_world()

    def test_a_page_in_a_deleted_block_goes_and_is_not_looked_at_for_ever(self, acme: Harness, page: str) -> None:
        (toggle,) = acme.world.append_blocks(page, [blocks.toggle("Toggle", [blocks.paragraph("in it")])])
        child = acme.world.add_page("Child", parent=toggle, blocks=[blocks.paragraph("child text")])
        acme.settle()
        acme.sync()
        assert child in acme.published()
        acme.world.delete_block(toggle)
        acme.settle()
        for mode in (Mode.INCREMENTAL, Mode.AUDIT, Mode.INCREMENTAL):
            acme.sync(mode)
        assert child not in acme.published()
        acme.assert_matches_world()
        assert acme.sync()["notion"]["requests"] == 2

    def test_an_api_that_filters_its_trash_only_by_kind_is_asked_so_from_then_on(
        self, acme: Harness, page: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        request = NotionApi.request

        def strict(api: NotionApi, path: str, method: str, **options: Any) -> dict[str, Any]:
            if path == "search" and "property" not in options["body"]["filter"]:
                api.traffic.count(400)
                raise RequestInvalid("400 validation_error: filter.property should be defined")
            return request(api, path, method, **options)

        monkeypatch.setattr(NotionApi, "request", strict)
        acme.settle()
        acme.sync()
        acme.world.trash(page)
        assert acme.sync()["pages"]["removed"] == 1
        assert acme.sync()["notion"]["requests"] == 2
        acme.assert_matches_world()

    def test_a_trash_that_is_refused_once_is_asked_for_whole_again(self, acme: Harness, page: str) -> None:
        database = acme.world.add_database("Tasks", parent=page, schema={"Done": "checkbox"})
        row = acme.world.add_row(database.data_source_id, "A row", blocks=[blocks.paragraph("row text")])
        acme.settle()
        acme.sync()
        acme.server.faults.add("POST /v1/search", "403", skip=1, times=1)
        assert not acme.sync()["listing_complete"]
        acme.world.trash(database.database_id)
        acme.sync()
        assert row not in acme.published()
        acme.assert_matches_world()

    def test_an_api_that_ignores_the_trash_filter_removes_nothing_and_is_not_read_to_its_end(
        self, acme: Harness, page: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        request = NotionApi.request

        def deaf(api: NotionApi, path: str, method: str, **options: Any) -> dict[str, Any]:
            body = options.get("body") or {}
            if path == "search" and "in_trash" in body["filter"]:
                options["body"] = {**body, "filter": {"property": "object", "value": "page"}}
            return request(api, path, method, **options)

        monkeypatch.setattr(NotionApi, "request", deaf)
        acme.settle()
        acme.sync()
        report = acme.sync()
        assert report["notion"]["requests"] == 2
        assert report["listing_complete"]
        acme.assert_matches_world()

    def test_a_trash_whose_listing_is_refused_half_way_is_listed_again(
        self, acme: Harness, page: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("arcana_pipelines.sources.notion.source.PAGE_SIZE", 2)
        database = acme.world.add_database("Tasks", parent=page, schema={"Done": "checkbox"})
        row = acme.world.add_row(database.data_source_id, "A row", blocks=[blocks.paragraph("row text")])
        others = [acme.world.add_page(f"Other {number}") for number in range(3)]
        acme.settle()
        acme.sync()
        for other in others:
            acme.world.trash(other)
        request = NotionApi.request
        refused = []

        def refusing(api: NotionApi, path: str, method: str, **options: Any) -> dict[str, Any]:
            body = options.get("body") or {}
            if path == "search" and "in_trash" in body["filter"] and "start_cursor" in body and not refused:
                refused.append(body)
                raise RequestInvalid("POST search: 400 validation_error: The start_cursor provided is invalid")
            return request(api, path, method, **options)

        monkeypatch.setattr(NotionApi, "request", refusing)
        assert not acme.sync()["listing_complete"] and refused
        acme.world.trash(database.database_id)
        assert acme.sync()["listing_complete"]
        assert row not in acme.published()
        acme.assert_matches_world()

    def test_the_second_sync_after_a_trashing_costs_two_requests_again(self, acme: Harness, page: str) -> None:
        acme.settle()
        acme.sync()
        acme.world.trash(page)
        acme.sync()
        assert acme.sync()["notion"]["requests"] == 2

    def test_a_page_deleted_for_ever_from_the_trash_is_looked_at_once(self, acme: Harness, page: str) -> None:
        acme.settle()
        acme.sync()
        acme.world.trash(page)
        acme.sync()
        acme.world.delete_forever(page)
        assert acme.sync()["notion"]["requests"] == 3
        assert acme.sync()["notion"]["requests"] == 2
        acme.assert_matches_world()


class TestBelowTheTrash:
    """A page below a trashed one vanishes from listings but says `in_trash: false` of itself."""

    @pytest.fixture
    def tree(self, acme: Harness) -> str:
        world = acme.world
        root = world.add_page("Root", blocks=[blocks.paragraph("root text")])
        child = world.add_page("Child", parent=root, blocks=[blocks.paragraph("child text")])
        world.add_page("Grandchild", parent=child, blocks=[blocks.paragraph("grandchild text")])
        (toggle,) = world.append_blocks(root, [blocks.toggle("A toggle")])
        world.add_page("In a toggle", parent=toggle, blocks=[blocks.paragraph("toggled text")])
        database = world.add_database("Tasks", parent=root, schema={"Done": "checkbox"})
        world.add_row(database.data_source_id, "A row", blocks=[blocks.paragraph("row text")])
        world.add_page("Bystander", blocks=[blocks.paragraph("stays"), blocks.link_to_page(child)])
        world.trash_marks_descendants = False
        acme.settle()
        acme.sync()
        acme.assert_matches_world()
        assert len(acme.published()) == 6
        return root

    @pytest.mark.parametrize("mode", [Mode.INCREMENTAL, Mode.FULL, Mode.AUDIT])
    def test_all_of_them_go_with_their_parent_and_come_back_with_it(self, acme: Harness, tree: str, mode: Mode) -> None:
        acme.world.trash(tree)
        assert acme.sync(mode)["pages"]["removed"] == 5
        acme.assert_matches_world()
        acme.world.restore(tree)
        assert acme.sync(mode)["embeddings"]["computed"] == 0
        acme.assert_matches_world()

    def test_a_page_that_leaves_the_trash_below_a_trashed_one_is_looked_at_once_and_returns_with_it(
        self, acme: Harness, tree: str
    ) -> None:
        (child,) = [page for page, text in acme.published().items() if "child text" in text and "grand" not in text]
        acme.world.trash(child)
        acme.sync()
        acme.world.trash(tree)
        acme.sync()
        acme.world.restore(child)
        acme.sync()
        assert acme.sync()["notion"]["requests"] == 2
        acme.assert_matches_world()
        acme.world.restore(tree)
        assert acme.sync()["embeddings"]["computed"] == 0
        acme.assert_matches_world()

    def test_what_is_below_a_page_in_a_deleted_block_goes_with_it(self, acme: Harness, page: str) -> None:
        acme.world.trash_marks_descendants = False
        (toggle,) = acme.world.append_blocks(page, [blocks.toggle("Inside")])
        inner = acme.world.add_page("Inner", parent=toggle, blocks=[blocks.paragraph("inner text")])
        acme.world.add_page("Innermost", parent=inner, blocks=[blocks.paragraph("innermost text")])
        acme.settle()
        acme.sync()
        acme.world.delete_block(toggle)
        acme.settle()
        acme.sync(Mode.FULL)
        acme.sync(Mode.FULL)
        acme.assert_matches_world()

    @pytest.mark.parametrize("mode", [Mode.INCREMENTAL, Mode.FULL])
    def test_what_is_below_a_page_in_a_block_goes_with_the_page_around_that(
        self, acme: Harness, page: str, mode: Mode
    ) -> None:
        acme.world.trash_marks_descendants = False
        (toggle,) = acme.world.append_blocks(page, [blocks.toggle("Inside")])
        inner = acme.world.add_page("Inner", parent=toggle, blocks=[blocks.paragraph("inner text")])
        for number in range(6):  # whichever of them is looked at before the page above it
            acme.world.add_page(f"Innermost {number}", parent=inner, blocks=[blocks.paragraph("innermost text")])
        acme.settle()
        acme.sync()
        acme.world.trash(page)
        assert acme.sync(mode)["pages"]["removed"] == 8
        acme.assert_matches_world()

    def test_what_is_below_a_page_that_does_not_return_with_the_one_above_returns_where_it_can_be_seen(
        self, acme: Harness, page: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("arcana_pipelines.sources.notion.source.PAGE_SIZE", 1)
        acme.world.trash_marks_descendants = False
        inner = acme.world.add_page("Inner", parent=page, blocks=[blocks.paragraph("inner text")])
        below = acme.world.add_page("Innermost", parent=inner, blocks=[blocks.paragraph("innermost text")])
        acme.world.clock.advance(60)
        acme.world.add_page("All that a listing shows")
        acme.world.clock.advance(3600)
        acme.sync()
        acme.world.trash(page)
        acme.sync()
        acme.world.unshare(inner)
        acme.world.share(below)
        acme.settle()
        acme.world.restore(page)
        acme.sync()
        acme.assert_matches_world()

    @pytest.mark.parametrize("trashed", ["known", "made since"])
    @pytest.mark.parametrize("is_deep", [True, False])
    def test_what_others_link_to_is_not_taken_up_below_a_page_that_was_trashed_before_a_listing_showed_it(
        self, acme: Harness, page: str, trashed: str, is_deep: bool
    ) -> None:
        acme.world.trash_marks_descendants = False
        acme.settle()
        acme.sync()
        above = page if trashed == "known" else acme.world.add_page("Above")
        between = acme.world.add_page("Between", parent=above) if is_deep else above
        below = acme.world.add_page("Below", parent=between, blocks=[blocks.paragraph("below text")])
        acme.world.add_page("Bystander", blocks=[blocks.link_to_page(below)])
        acme.settle()
        acme.world.trash(above)
        acme.sync()
        for _ in range(2):
            acme.sync(Mode.AUDIT)
            acme.assert_matches_world()

    def test_nothing_returns_while_a_page_above_it_cannot_be_looked_at(self, acme: Harness, page: str) -> None:
        acme.world.trash_marks_descendants = False
        top = acme.world.add_page("Top")
        trashed = acme.world.add_page("Trashed", parent=top)
        below = acme.world.add_page("Below", parent=trashed, blocks=[blocks.paragraph("below text")])
        acme.settle()
        acme.sync()
        acme.world.trash(trashed)
        acme.sync()
        acme.world.unshare(top)
        for mode in (Mode.AUDIT, Mode.INCREMENTAL):
            acme.sync(mode)
        acme.world.share(top)
        acme.server.faults.add(f"GET /v1/pages/{trashed}", "500", times=None)
        acme.sync(Mode.AUDIT)
        assert {top} == {top, trashed, below} & acme.published().keys()
        acme.world.restore(trashed)
        acme.server.faults.clear()
        acme.settle()
        acme.sync()
        acme.assert_matches_world()

    def test_what_returns_below_a_page_that_was_made_and_trashed_since_stays_gone(
        self, acme: Harness, page: str
    ) -> None:
        acme.world.trash_marks_descendants = False
        inner = acme.world.add_page("Inner", parent=page, blocks=[blocks.paragraph("inner text")])
        acme.settle()
        acme.sync()
        acme.world.trash(page)
        acme.sync()
        acme.world.restore(page)
        above = acme.world.add_page("Above", parent=page)
        acme.world.move(inner, above)
        acme.world.trash(above)
        acme.settle()
        for mode in (Mode.AUDIT, Mode.INCREMENTAL):
            acme.sync(mode)
            acme.assert_matches_world()

    def test_what_moved_below_a_page_that_was_made_and_trashed_since_goes_with_it(
        self, acme: Harness, page: str
    ) -> None:
        acme.world.trash_marks_descendants = False
        inner = acme.world.add_page("Inner", parent=page, blocks=[blocks.paragraph("inner text")])
        for number in range(6):
            acme.world.add_page(f"Innermost {number}", parent=inner, blocks=[blocks.paragraph("innermost text")])
        acme.settle()
        acme.sync()
        above = acme.world.add_page("Above")
        acme.world.move(inner, above)
        acme.world.trash(above)
        acme.settle()
        assert acme.sync(Mode.FULL)["pages"]["removed"] == 7
        acme.assert_matches_world()

    @pytest.mark.parametrize("mode", [Mode.INCREMENTAL, Mode.AUDIT])
    @pytest.mark.parametrize("below", ["page", "page below", "row", "row of a trashed database"])
    @pytest.mark.parametrize("marks_descendants", [True, False])
    def test_what_lies_in_the_trash_stays_gone_when_the_page_above_it_is_hidden_and_shown_again(
        self, acme: Harness, page: str, below: str, mode: Mode, marks_descendants: bool
    ) -> None:
        acme.world.trash_marks_descendants = marks_descendants
        top = acme.world.add_page("Top", blocks=[blocks.paragraph("top text")])
        trashed = inner = acme.world.add_page("Trashed", parent=top, blocks=[blocks.paragraph("trashed text")])
        if below == "page below":
            inner = acme.world.add_page("Between", parent=trashed)
        if below == "row of a trashed database":
            database = acme.world.add_database("Tasks", schema={"Done": "checkbox"}, parent=top)
            acme.world.add_row(database.data_source_id, "Row", blocks=[blocks.paragraph("inner text")])
            trashed = database.database_id
        elif below == "row":
            database = acme.world.add_database("Tasks", schema={"Done": "checkbox"}, parent=trashed)
            acme.world.add_row(database.data_source_id, "Row", blocks=[blocks.paragraph("inner text")])
        else:
            acme.world.add_page("Inner", parent=inner, blocks=[blocks.paragraph("inner text")])
        acme.settle()
        acme.sync()
        acme.world.trash(trashed)
        acme.settle()
        acme.sync()
        acme.assert_matches_world()
        acme.world.unshare(top)
        for hidden_in in (Mode.AUDIT, Mode.INCREMENTAL):
            acme.sync(hidden_in)
        acme.assert_matches_world()
        acme.world.share(top)
        acme.world.append_blocks(top, [blocks.paragraph("more top text")])
        acme.settle()
        for shown_in in (mode, Mode.AUDIT, Mode.INCREMENTAL):
            acme.sync(shown_in)
            acme.assert_matches_world()
        acme.world.restore(trashed)
        acme.settle()
        acme.sync()
        acme.assert_matches_world()

    @pytest.mark.parametrize("mode", [Mode.INCREMENTAL, Mode.FULL])
    def test_the_rows_of_a_trashed_database_go_and_come_back_with_it(self, acme: Harness, mode: Mode) -> None:
        database = acme.world.add_database("Tasks", schema={"Done": "checkbox"})
        for number in range(3):
            acme.world.add_row(database.data_source_id, f"Row {number}")
        acme.world.add_page("Bystander")
        acme.world.trash_marks_descendants = False
        acme.settle()
        acme.sync()
        acme.world.trash(database.database_id)
        assert acme.sync(mode)["pages"]["removed"] == 3
        acme.assert_matches_world()
        assert acme.sync()["notion"]["requests"] == 2
        acme.world.restore(database.database_id)
        assert acme.sync(mode)["embeddings"]["computed"] == 0
        acme.assert_matches_world()

    @pytest.mark.parametrize("lists_trash", [True, False])
    def test_the_rows_of_a_database_that_was_made_and_trashed_since_the_last_whole_listing_go(
        self, acme: Harness, lists_trash: bool
    ) -> None:
        acme.world.add_page("Bystander")
        acme.world.trash_marks_descendants = False
        acme.settle()
        acme.sync()
        database = acme.world.add_database("Tasks", schema={"Done": "checkbox"})
        acme.world.add_row(database.data_source_id, "A row", blocks=[blocks.paragraph("row text")])
        acme.settle()
        acme.sync()
        assert len(acme.published()) == 2
        acme.world.trash(database.database_id)
        if lists_trash:
            acme.sync()
        else:
            acme.server.faults.add("POST /v1/search", "short", times=None, skip=1, keep=0)
            acme.sync(Mode.AUDIT)
            acme.server.faults.clear()
            acme.sync(Mode.AUDIT)
        acme.assert_matches_world()
        acme.world.restore(database.database_id)
        assert acme.sync()["embeddings"]["computed"] == 0
        acme.assert_matches_world()


class TestUnshared:
    def test_an_unshared_page_goes_after_two_syncs_found_it_gone(self, acme: Harness, page: str) -> None:
        acme.sync()
        acme.settle()
        acme.world.unshare(page)
        assert acme.sync(Mode.FULL)["pages"]["removed"] == 0
        assert page in acme.published()
        assert acme.page_state(page)[0] == "suspect"
        assert acme.sync()["pages"]["removed"] == 1
        acme.assert_matches_world()

    def test_a_page_shared_again_returns_without_an_embedding(self, acme: Harness, page: str) -> None:
        acme.sync()
        acme.world.unshare(page)
        acme.sync(Mode.FULL)
        acme.sync(Mode.FULL)
        assert page not in acme.published()
        acme.world.share(page)
        assert acme.sync(Mode.FULL)["embeddings"]["computed"] == 0
        acme.assert_matches_world()

    def test_an_alive_page_that_no_listing_shows_is_kept(self, acme: Harness, page: str) -> None:
        acme.sync()
        acme.settle()
        acme.server.faults.add("POST /v1/search", "short", times=2, keep=1)
        report = acme.sync(Mode.FULL)
        assert report["pages"]["removed"] == 0
        acme.assert_matches_world()

    def test_one_that_is_shared_by_itself_below_a_page_that_is_not_is_kept_too(self, acme: Harness, page: str) -> None:
        child = acme.world.add_page("Child", parent=page, blocks=[blocks.paragraph("child text")])
        acme.sync()
        acme.settle()
        acme.world.unshare(page)
        acme.world.share(child)
        acme.sync(Mode.FULL)
        assert acme.sync(Mode.FULL)["pages"]["removed"] == 1
        assert page not in acme.published() and child in acme.published()
        acme.server.faults.add("POST /v1/search", "short", times=2, keep=1)
        assert acme.sync(Mode.FULL)["pages"]["removed"] == 0
        acme.assert_matches_world()


class TestErrorsRemoveNothing:
    @pytest.mark.parametrize("kind", ["incomplete", "repeat_cursor"])
    def test_a_listing_that_is_not_whole_removes_nothing_and_says_so(self, acme: Harness, page: str, kind: str) -> None:
        for number in range(120):
            acme.world.add_page(f"Many {number}")
        acme.settle()
        acme.sync()
        acme.world.unshare(page)
        acme.server.faults.add("POST /v1/search", kind, times=None)
        report = acme.sync(Mode.FULL)
        assert not report["listing_complete"]
        assert report["problems"]
        assert report["pages"]["removed"] == 0
        assert acme.page_state(page)[0] == "unchanged"

    @pytest.mark.parametrize("kind", ["html", "empty", "500", "drop"])
    def test_a_listing_that_keeps_failing_removes_nothing(self, acme: Harness, page: str, kind: str) -> None:
        acme.sync()
        acme.settle()
        acme.server.faults.add("POST /v1/search", kind, times=None)
        report = acme.sync(Mode.FULL)
        assert not report["listing_complete"]
        assert report["pages"]["removed"] == 0
        assert page in acme.published()

    def test_a_revoked_token_stops_the_sync_and_removes_nothing(self, acme: Harness, page: str) -> None:
        acme.sync()
        before = acme.checksum()
        acme.world.tokens.clear()
        with pytest.raises(TokenRevoked, match="Nothing was removed"):
            acme.sync(Mode.FULL)
        assert acme.checksum() == before

    def test_a_token_revoked_while_pages_are_read_stops_the_sync(self, acme: Harness, page: str) -> None:
        acme.server.faults.add("/markdown", "401", times=None, skip=2)
        with pytest.raises(TokenRevoked):
            acme.sync()
        acme.server.faults.clear()
        acme.sync()
        acme.assert_matches_world()

    @pytest.mark.parametrize("mode", list(Mode))
    def test_a_token_of_another_notion_workspace_is_refused(
        self, acme: Harness, page: str, another: Callable[[str], Harness], mode: Mode
    ) -> None:
        acme.sync()
        before = acme.checksum()
        stranger = another("stranger")
        stranger.world.token = "ntn_of_somebody_else"
        stranger.world.tokens = {stranger.world.token}
        acme.rows("UPDATE workspace SET source_workspace_id = 'somebody else' WHERE slug = 'acme' RETURNING 1")
        with pytest.raises(SourceMismatch, match="acme"):
            acme.at(world=stranger.world, server=stranger.server).sync(mode)
        assert acme.checksum() == before

    def test_a_listing_of_nothing_is_taken_for_a_failure(self, acme: Harness, page: str) -> None:
        acme.settle()
        acme.sync()
        acme.server.faults.add("POST /v1/search", "short", times=None, keep=0)
        report = acme.sync(Mode.FULL)
        assert not report["listing_complete"]
        assert "listed no page at all" in report["problems"][0]
        assert len(acme.published()) == 6

    def test_a_mass_disappearance_waits_for_a_person(self, acme: Harness) -> None:
        root = acme.world.add_page("Root")
        for number in range(60):
            acme.world.add_page(f"Page {number}", parent=root)
        acme.sync()
        acme.settle()
        acme.world.trash(root)
        report = acme.sync()
        assert report["pages"]["removed"] == 0
        assert report["waiting_removals"] == 61
        assert len(acme.published()) == 61
        assert acme.sync(allow_removals=61)["pages"]["removed"] == 61
        acme.assert_matches_world()


class TestPoison:
    def test_a_page_that_cannot_be_read_delays_no_other_and_keeps_its_old_version(
        self, acme: Harness, page: str
    ) -> None:
        acme.sync()
        acme.settle()
        acme.world.append_blocks(page, [blocks.paragraph("new words")])
        fresh = acme.world.add_page("Fresh", blocks=[blocks.paragraph("fresh words")])
        acme.server.faults.add(f"GET /v1/(pages|blocks)/{page}", "500", times=None)
        report = acme.sync()
        assert report["pages"]["quarantined"] == 1
        assert "xylophone" in acme.published()[page]
        assert fresh in acme.published()
        assert acme.page_state(page) == ("quarantined", pytest.approx(acme.page_state(page)[1]))
        acme.server.faults.clear()
        assert acme.sync()["pages"]["quarantined"] == 0
        acme.assert_matches_world()

    def test_an_answer_that_is_no_markdown_keeps_the_old_text(
        self, acme: Harness, page: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        acme.settle()
        acme.sync()
        acme.world.append_blocks(page, [blocks.paragraph("more words")])
        request = NotionApi.request

        def spoiled(api: NotionApi, path: str, method: str, **options: object) -> dict[str, object]:
            answer = request(api, path, method, **options)  # type: ignore[arg-type]
            return {**answer, "markdown": None} if path.endswith("/markdown") else answer

        with monkeypatch.context() as patch:
            patch.setattr(NotionApi, "request", spoiled)
            assert acme.sync()["pages"]["quarantined"] == 1
        assert "xylophone" in acme.published()[page]
        acme.sync()
        acme.assert_matches_world()

    def test_a_page_without_markdown_is_read_from_its_blocks(self, acme: Harness, page: str) -> None:
        acme.server.faults.add(f"GET /v1/pages/{page}/markdown", "403", times=None)
        acme.sync()
        acme.assert_matches_world()
