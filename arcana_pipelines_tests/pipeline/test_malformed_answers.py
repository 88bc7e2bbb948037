"""One malformed answer or page is one page in quarantine: never a sync's end, never a removal."""

from __future__ import annotations

import copy
import itertools
import json
import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arcana_pipelines.errors import AnswerUnusable
from arcana_pipelines.sources.notion import lists
from arcana_pipelines.sources.notion.api import NotionApi
from arcana_pipelines.sources.notion.endpoints import Endpoints
from arcana_pipelines.sources.protocol import Mode, PageRef, Presence
from arcana_pipelines.testing.notion_server import NotionWorld
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines_tests.harness import Harness

Json = dict[str, Any]

DEEP = b"[" * 100_000
ODD = [
    None, "", "odd", "\x00\ud800", 7, -0.5, True, False, [], {}, [None], [[["odd"]]], {"type": None}, {"type": "x"},
    "../../users", "0001-01-01T00:00:00+05:00", "-0001-01-01", "2999-01-01T00:00:00.000Z", "9999-12-31T23:59:59-12:00",
    10**400, {"id": {"id": []}},
]  # fmt: skip


@pytest.fixture
def world() -> NotionWorld:
    """Twelve pages and four rows with cells of many types; every page says its number."""
    world = NotionWorld()
    person = world.add_user("김하늘")
    for number in range(12):
        bullets = [blocks.toggle("점 하나", [blocks.paragraph("below")])]
        page = world.add_page(f"Page {number}", blocks=[blocks.paragraph(f"marker{number}"), *bullets])
        world.add_comment(page, "a remark", by=person)
    schema = {
        "Name": "title", "When": "date", "Who": "people", "Sum": "number", "Tags": "multi_select",
        "Note": "rich_text", "File": "files", "Where": "place", "Done": "checkbox", "No": "unique_id",
    }  # fmt: skip
    table = world.add_database("Table", schema=schema).data_source_id
    for number in range(12, 16):
        values = {
            "When": "2026-07-01", "Who": [person], "Sum": 3, "Tags": ["a", "b"], "Note": "메모", "Done": True,
            "Where": {"lat": 1.5, "lon": 2.5, "name": "HQ"},
        }  # fmt: skip
        world.add_row(table, f"Page {number}", values, [blocks.paragraph(f"marker{number}")])
    world.clock.advance(600)
    return world


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in an object."""
    if path:
        yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield from places(inner, (*path, key))


def damaged(item: Json, choose: Callable[[int], int]) -> Json:
    """The object with one value in it replaced by an odd one."""
    item = copy.deepcopy(item)
    ways = list(places(item))
    way = ways[choose(len(ways))]
    holder: Any = item
    for key in way[:-1]:
        holder = holder[key]
    holder[way[-1]] = ODD[choose(len(ODD))]
    return item


class TestAnything:
    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(seed=st.integers(0, 10**9), where=st.sampled_from(["listings", "answers"]))
    def test_in_any_page_or_answer_leaves_the_others_published_and_removes_nothing(
        self, acme: Harness, seed: int, where: str
    ) -> None:
        slug = f"w{next(NUMBERS)}"
        acme = Harness.register(acme.database, acme.world, acme.server, slug).at(comments=True)
        acme.server.alter(None)
        acme.sync()
        before = acme.published()
        assert len(before) == 16
        pages = acme.world.visible_pages()
        victims = set(pages[::2])
        choose = random.Random(seed).randrange
        for page in pages:
            acme.world.append_blocks(page, [blocks.paragraph(f"news{seed}")])
        acme.settle()

        def alter(request: str, answer: Json) -> Json:
            if where == "listings" and ("/search" in request or "/query" in request):
                results = [damaged(it, choose) if it.get("id") in victims else it for it in answer["results"]]
                return {**answer, "results": results}
            if where == "answers" and any(victim in request for victim in victims):
                return damaged(answer, choose)
            return answer

        acme.server.alter(alter)
        acme.sync(Mode.FULL)
        acme.server.alter(None)
        published = acme.published()
        assert set(published) == set(before), "nothing is removed because of what cannot be read"
        for page in set(pages) - victims:
            assert f"news{seed}" in published[page]
        for page in pages:
            acme.world.append_blocks(page, [blocks.paragraph(f"more{seed}")])
        acme.settle()
        acme.sync(Mode.FULL)
        acme.sync(Mode.FULL)
        assert all(f"more{seed}" in text for text in acme.published().values()), "what was odd once is read again"


NUMBERS = itertools.count()


class TestNesting:
    def test_of_one_pages_markdown_is_that_page_in_quarantine(self, acme: Harness) -> None:
        page = acme.world.visible_pages()[2]

        def alter(request: str, answer: Json) -> Json | bytes:
            return b'{"object": "page_markdown", "markdown": ' + DEEP if f"{page}/markdown" in request else answer

        acme.server.alter(alter)
        report = acme.sync()
        assert report["listing_complete"] and report["pages"]["quarantined"] == 1 and report["pages"]["added"] == 15
        state, reason = acme.page_state(page)
        assert state == "quarantined" and "nested too deeply" in (reason or "")
        acme.server.alter(None)
        acme.sync()
        acme.assert_matches_world()

    def test_of_every_page_is_every_page_in_quarantine_and_no_failed_sync(self, acme: Harness) -> None:
        acme.server.alter(lambda request, answer: DEEP if "/markdown" in request else answer)
        report = acme.sync()
        assert report["pages"]["quarantined"] == 16 and report["listing_complete"]

    def test_of_a_listing_is_an_incomplete_listing(self, acme: Harness) -> None:
        acme.sync()
        before = acme.published()
        acme.server.alter(lambda request, answer: DEEP if "/query" in request else answer)
        report = acme.sync(Mode.FULL)
        assert not report["listing_complete"] and "nested" in report["problems"][0]
        assert acme.published() == before


class TestUnexpected:
    def test_errors_of_one_page_are_recorded_with_its_kind_and_id(
        self, acme: Harness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        page = acme.world.visible_pages()[3]
        source = type(acme.source())
        fetch = source.fetch

        def broken(self: Any, ref: PageRef) -> Any:
            if ref.external_id == page:
                raise KeyError("what nobody thought of")
            return fetch(self, ref)

        monkeypatch.setattr(source, "fetch", broken)
        report = acme.sync()
        assert report["pages"]["quarantined"] == 1 and report["pages"]["added"] == 15
        assert "KeyError" in (acme.page_state(page)[1] or "")
        assert f"page {page} cannot be read" in caplog.text

    @pytest.mark.parametrize("stage", ["listing", "contents", "chunks"])
    def test_in_any_stage_delay_no_other_page(self, acme: Harness, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
        where = {
            "listing": "arcana_pipelines.sources.notion.source.page_ref",
            "contents": "arcana_pipelines.documents.contents.make_contents",
            "chunks": "arcana_pipelines.pipeline.cutting.chunk_document",
        }[stage]
        module, _, name = where.rpartition(".")
        real = getattr(__import__(module, fromlist=[name]), name)

        def broken(item: Any, *more: Any) -> Any:
            if "Page 5" in json.dumps(item, default=str):
                raise ZeroDivisionError("what nobody thought of")
            return real(item, *more)

        monkeypatch.setattr(where, broken)
        report = acme.sync()
        assert report["pages"]["quarantined"] == 1 and report["listing_complete"]
        assert len(acme.published()) == 15
        assert acme.rows("SELECT count(*) FROM source_page WHERE reason LIKE '%%ZeroDivisionError%%'") == [(1,)]
        monkeypatch.setattr(where, real)
        acme.rows("UPDATE source_page SET next_attempt_at = now() WHERE state = 'quarantined' RETURNING 1")
        acme.sync(Mode.FULL)
        acme.assert_matches_world()

    def test_data_that_the_database_refuses_is_one_page(self, acme: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
        page = acme.world.visible_pages()[4]
        source = type(acme.source())
        fetch = source.fetch

        def poisoned(self: Any, ref: PageRef) -> Any:
            found = fetch(self, ref)
            if ref.external_id != page:
                return found
            return type(found)(found.markdown, found.fetched_at, properties={"N": {"type": "x", "value": float("nan")}})

        monkeypatch.setattr(source, "fetch", poisoned)
        report = acme.sync()
        assert report["pages"]["quarantined"] == 1 and report["pages"]["added"] == 15
        assert "cannot be stored" in (acme.page_state(page)[1] or "")


class TestIds:
    @pytest.mark.parametrize("given", ["../users?x=", "../../../internal/admin", "", ".", "x/y", "1" * 31, "%2e%2e"])
    def test_that_are_none_never_become_a_path(self, acme: Harness, given: str) -> None:
        source = acme.source()
        assert source.confirm(given) == (Presence.UNKNOWN, None)
        assert source.container(given) == (Presence.UNKNOWN, None)
        assert not acme.server.requests
        source.close()

    @pytest.mark.parametrize(
        "odd",
        [
            {"object": "user", "id": "8e1f7e2b-9c1a-4a3e-9a53-0b6d2c7f8a11"},
            {"object": "page", "id": "8e1f7e2b-9c1a-4a3e-9a53-0b6d2c7f8a11", "parent": {}, "properties": {}},
            {"object": "page", "id": None, "parent": {}, "properties": {}, "in_trash": True},
            {"object": "list", "results": []},
        ],
    )
    def test_of_another_object_say_nothing_about_the_page_that_was_asked_for(self, acme: Harness, odd: Json) -> None:
        page = acme.world.visible_pages()[0]
        acme.server.alter(lambda request, answer: odd)
        source = acme.source()
        assert source.confirm(page) == (Presence.UNKNOWN, None)
        source.close()

    def test_in_a_block_tree_lead_nowhere_else(self, acme: Harness) -> None:
        page = acme.world.visible_pages()[0]
        acme.server.faults.add(f"{page}/markdown", "403", times=None)

        def alter(request: str, answer: Json) -> Json:
            if f"blocks/{page}/children" in request:
                evil = {"object": "block", "id": "../users", "type": "toggle", "has_children": True, "toggle": {}}
                return {**answer, "results": [*answer["results"], evil]}
            return answer

        acme.server.alter(alter)
        report = acme.sync()
        assert not [request for request in acme.server.requests if "users" in request.path and "me" not in request.path]
        assert report["partial"]["pages"] == 1
        assert "marker" in acme.published()[page]


class TestEndlessLists:
    def test_a_listing_with_ever_new_cursors_ends_and_removes_nothing(
        self, acme: Harness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        acme.sync()
        before = acme.published()
        cursors = itertools.count()
        request = NotionApi.request

        def endless(self: NotionApi, path: str, method: str, **given: Any) -> Json:
            if path != "search":
                return request(self, path, method, **given)
            return {"object": "list", "results": [], "has_more": True, "next_cursor": f"{next(cursors):032x}"}

        monkeypatch.setattr(NotionApi, "request", endless)
        report = acme.sync(Mode.FULL)
        assert not report["listing_complete"] and "brings nothing new" in report["problems"][0]
        assert report["pages"]["removed"] == 0 and acme.published() == before
        assert next(cursors) <= 3 * lists.MOST_IDLE

    def test_a_list_of_ever_new_items_ends_as_well(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lists, "MOST_ANSWERS", 30)
        numbers = itertools.count()

        class Endless(Endpoints):
            def request(self, path: str, method: str, **_: Any) -> Json:
                item = {"object": "block", "id": f"{next(numbers):032x}"}
                return {"object": "list", "results": [item], "has_more": True, "next_cursor": item["id"]}

        with pytest.raises(AnswerUnusable, match="more and more"):
            list(lists.items(partial(Endless().blocks.children.list, "x"), "blocks/x/children"))
        assert next(numbers) == 30
