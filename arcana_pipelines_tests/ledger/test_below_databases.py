"""What lies below databases goes and comes back with the trash, wherever the databases stand and whatever fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from arcana_pipelines.errors import RequestInvalid
from arcana_pipelines.ledger import removal
from arcana_pipelines.ledger.polling import poll
from arcana_pipelines.sources.notion.api import NotionApi
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server import NotionWorld
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.workspaces.workspaces import find
from arcana_pipelines_tests.harness import Harness


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def page(world: NotionWorld) -> str:
    for number in range(5):
        world.add_page(f"Other {number}", blocks=_text(f"other text {number}"))
    return world.add_page("Page", blocks=_text("page text"))


@pytest.fixture
def short_answers(acme: Harness, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Has many later pages, and makes answers short: an incremental listing ends long before the older ones."""

    def shorten() -> None:
        acme.world.clock.advance(3600)
        for number in range(6):
            acme.world.add_page(f"Late {number}", blocks=_text(f"late {number}"))
        acme.world.clock.advance(3600)
        acme.sync()
        monkeypatch.setattr("arcana_pipelines.sources.notion.source.PAGE_SIZE", 2)

    return shorten


def _text(text: str) -> list[dict[str, Any]]:
    return [blocks.paragraph(text)]


def _table(acme: Harness, parent: str) -> tuple[str, str]:
    """A database with one row; the ids of both."""
    database = acme.world.add_database("Tasks", parent=parent, schema={"Done": "checkbox"})
    return database.database_id, acme.world.add_row(database.data_source_id, "Row", blocks=_text("row text"))


def _announce(acme: Harness, page: str) -> None:
    acme.rows(
        "INSERT INTO webhook_event (workspace_id, event_id, event_type, external_id) "
        "SELECT workspace_id, 'event', 'page.created', %s FROM workspace WHERE slug = %s RETURNING 1",
        page, acme.slug,
    )  # fmt: skip


@pytest.mark.parametrize("marks_descendants", [True, False])
@pytest.mark.parametrize("how", ["its page", "its block"])
def test_rows_of_a_database_in_a_toggle_go_with_what_is_around_it(
    acme: Harness, page: str, how: str, marks_descendants: bool
) -> None:
    acme.world.trash_marks_descendants = marks_descendants
    (toggle,) = acme.world.append_blocks(page, [blocks.toggle("Toggle", _text("in it"))])
    _, row = _table(acme, toggle)
    acme.world.add_page("Below the row", parent=row, blocks=_text("below the row"))
    acme.settle()
    acme.sync()
    acme.assert_matches_world()
    if how == "its page":
        acme.world.trash(page)
    else:
        acme.world.delete_block(toggle)
    acme.settle()
    for mode in (Mode.INCREMENTAL, Mode.AUDIT, Mode.AUDIT):
        acme.sync(mode)
    acme.assert_matches_world()
    if how == "its page":
        acme.world.restore(page)
        for mode in (Mode.INCREMENTAL, Mode.AUDIT):
            acme.sync(mode)
        acme.assert_matches_world()


@pytest.mark.parametrize("way", ["linked", "announced", "linked below the row", "moved below the row"])
def test_nothing_is_published_of_a_database_that_was_made_and_trashed_between_two_listings(
    acme: Harness, page: str, way: str
) -> None:
    inner = acme.world.add_page("Inner", parent=page, blocks=_text("inner text"))
    acme.settle()
    acme.sync()
    top = acme.world.add_page("Top")
    _, row = _table(acme, top)
    below = acme.world.add_page("Below the row", parent=row, blocks=_text("below the row"))
    if way.startswith("linked"):
        acme.world.add_page("Pointer", blocks=[blocks.link_to_page(row if way == "linked" else below)])
    elif way == "moved below the row":
        acme.world.move(inner, row)
    acme.settle()
    acme.world.trash(top)
    acme.sync()
    if way == "announced":
        _announce(acme, row)
        acme.sync()
    else:
        acme.sync(Mode.AUDIT)
    acme.assert_matches_world()


def test_nothing_is_published_of_a_database_that_moved_below_a_page_that_was_trashed(acme: Harness, page: str) -> None:
    top = acme.world.add_page("Top")
    database = acme.world.add_database("Tasks", parent=page, schema={"Done": "checkbox"})
    acme.settle()
    acme.sync()
    acme.world.move(database.database_id, top)
    row = acme.world.add_row(database.data_source_id, "Row", blocks=_text("row text"))
    acme.world.add_page("Pointer", blocks=[blocks.link_to_page(row)])
    acme.settle()
    acme.world.trash(top)
    acme.sync()
    acme.sync(Mode.AUDIT)
    acme.assert_matches_world()


def test_rows_stay_gone_where_the_trash_is_listed_without_databases(
    acme: Harness, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = NotionApi.request

    def of_one_kind(api: NotionApi, path: str, method: str, **options: Any) -> dict[str, Any]:
        if path == "search" and "property" not in options["body"]["filter"]:
            api.traffic.count(400)
            raise RequestInvalid("400 validation_error: filter.property should be defined")
        return request(api, path, method, **options)

    monkeypatch.setattr(NotionApi, "request", of_one_kind)
    database, _ = _table(acme, page)
    acme.settle()
    acme.sync()
    acme.world.trash(database)
    acme.settle()
    for mode in (Mode.AUDIT, Mode.INCREMENTAL, Mode.INCREMENTAL):
        acme.sync(mode)
        acme.assert_matches_world()


def test_rows_stay_gone_where_the_listing_of_the_trash_is_cut_short(acme: Harness, page: str) -> None:
    database, _ = _table(acme, page)
    acme.settle()
    acme.sync()
    acme.world.trash(database)
    acme.sync()
    acme.assert_matches_world()
    acme.server.faults.add("POST /v1/search", "short", times=1, skip=1, keep=0)
    acme.sync()
    acme.assert_matches_world()


@pytest.mark.parametrize("way", ["deleted for ever", "hidden"])
def test_a_database_that_left_the_trash_for_good_is_looked_at_once(acme: Harness, page: str, way: str) -> None:
    database, _ = _table(acme, page)
    acme.settle()
    acme.sync()
    acme.world.trash(database)
    acme.sync()
    if way == "hidden":
        acme.world.unshare(page)
    else:
        acme.world.delete_forever(database)
    for mode in (Mode.AUDIT, Mode.AUDIT, Mode.INCREMENTAL):
        acme.sync(mode)
    acme.assert_matches_world()
    acme.server.requests.clear()
    acme.sync()
    assert not [request for request in acme.server.requests if request.path.startswith("/v1/data_sources/")]


@pytest.mark.parametrize("what", ["page", "database"])
def test_what_is_below_something_restored_returns_with_the_next_sync_when_one_was_killed(
    acme: Harness, page: str, short_answers: Callable[[], None], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    target, _ = (page, acme.world.add_page("Child", parent=page)) if what == "page" else _table(acme, page)
    short_answers()
    acme.world.trash(target)
    acme.sync()
    acme.assert_matches_world()
    acme.world.restore(target)
    look, looks = removal._look_at_returned, []

    def killed(*arguments: Any) -> int:
        looks.append(arguments)
        if len(looks) == (2 if what == "page" else 1):
            raise Killed
        return look(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(removal, "_look_at_returned", killed)
        with pytest.raises(Killed):
            acme.sync()
    acme.sync()
    acme.assert_matches_world()


@pytest.mark.parametrize("what", ["page", "database"])
def test_what_could_not_be_looked_at_when_the_one_above_it_returned_is_looked_at_by_the_next_sync(
    acme: Harness, page: str, short_answers: Callable[[], None], what: str
) -> None:
    target, child = (page, acme.world.add_page("Child", parent=page)) if what == "page" else _table(acme, page)
    short_answers()
    acme.world.trash(target)
    acme.sync()
    acme.world.restore(target)
    acme.server.faults.add(f"GET /v1/pages/{child}", "500", times=None)
    acme.sync()
    assert child not in acme.published()
    acme.server.faults.clear()
    acme.sync()
    acme.assert_matches_world()


@pytest.mark.parametrize("how", ["itself", "the page above it"])
def test_a_page_that_only_a_link_shows_returns_when_it_is_shared_again(
    acme: Harness, page: str, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    linked = acme.world.add_page("Linked", parent=page, blocks=_text("linked text"))
    acme.world.add_page("Pointer", blocks=[blocks.link_to_page(linked)])
    entries = acme.world.search_index.entries
    monkeypatch.setattr(
        acme.world.search_index, "entries", lambda: [entry for entry in entries() if entry.node.id != linked]
    )
    acme.settle()
    for mode in (Mode.INCREMENTAL, Mode.AUDIT, Mode.INCREMENTAL):
        acme.sync(mode)
    acme.assert_matches_world()
    target = linked if how == "itself" else page
    acme.world.unshare(target)
    for mode in (Mode.AUDIT, Mode.AUDIT, Mode.INCREMENTAL):
        acme.sync(mode)
    acme.assert_matches_world()
    acme.world.share(target)
    for mode in (Mode.AUDIT, Mode.INCREMENTAL):
        acme.sync(mode)
    acme.assert_matches_world()


def test_the_sensor_sees_a_page_leave_a_trash_that_is_too_long_to_be_listed_whole(
    acme: Harness, page: str, short_answers: Callable[[], None]
) -> None:
    old = [acme.world.add_page(f"Old {number}") for number in range(4)]
    acme.world.clock.advance(3600)
    target = acme.world.add_page("Target", blocks=_text("target text"))
    short_answers()
    for each in [*old, target]:
        acme.world.trash(each)
        acme.sync()
    acme.assert_matches_world()

    def is_needed() -> bool:
        with acme.database.connection() as connection:
            workspace = find(connection, acme.slug)
        return poll(acme.database, workspace, acme.source(), at_once=True).needed

    assert not is_needed()
    acme.world.restore(target)
    assert is_needed()
    acme.sync()
    acme.assert_matches_world()
    assert not is_needed()
