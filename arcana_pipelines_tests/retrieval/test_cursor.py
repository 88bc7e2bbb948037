"""Further results: nothing twice, nothing left out, and a cursor of something else is refused in a sentence."""

from __future__ import annotations

import base64
import random
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import CursorRefused, NotRemembered, WrongUse
from arcana_pipelines.retrieval import Filters, Results, Searcher, SearchRequest
from arcana_pipelines.retrieval.cursor import Cursor, _check, question_hash
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.testing.postgres import DatabaseServer
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.retrieval.test_searcher import promote
from arcana_pipelines_tests.synced import synced

ASKED = "walrus 휴가"


@pytest.fixture(scope="module")
def zoo_database(arcana_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with synced(arcana_server, tmp_path_factory.mktemp("zoo"), _fill) as url:
        yield url


@pytest.fixture
def arcana_database_url(request: pytest.FixtureRequest, arcana_server: DatabaseServer) -> Iterator[str]:
    """A database of this test's own, in which the zoo is where the test asks for it."""
    made = request.getfixturevalue("zoo_database") if "zoo" in request.fixturenames else None
    with arcana_server.copy(made) if made is not None else arcana_server.database() as url:
        yield url


@pytest.fixture
def zoo(database: Database, world: NotionWorld, server: NotionServer) -> Harness:
    _fill(world)
    return Harness(database, world, server, "acme")


def _fill(world: NotionWorld) -> None:
    """Pages of one chunk and of several, some of them copies, in two languages."""
    chance = random.Random(7)
    words = [f"word{number}" for number in range(300)]
    for number in range(60):
        said = "휴가는 바다코끼리와 함께" if number % 3 == 0 else "The walrus is on leave"
        world.add_page(f"Page {number}", blocks=[blocks.paragraph(f"{said} {' '.join(chance.sample(words, 40))}.")])
    for number in range(9):
        world.add_page(f"Copy {number}", blocks=[blocks.paragraph("Each walrus gets a form for its leave.")])
    long = [blocks.paragraph(f"Walrus {part}: {' '.join(chance.sample(words, 90))}.") for part in range(20)]
    world.add_page("Book", blocks=long)
    world.clock.advance(600)


@pytest.fixture
def searcher(zoo: Harness, settings: Settings) -> Iterator[Searcher]:
    with Searcher(zoo.slug, settings=settings) as searcher:
        yield searcher


def answers(searcher: Searcher, k: int, query: str = ASKED, **options: Any) -> list[Results]:
    """Answers until there are no more."""
    found = [searcher.search(query, k, **options)]
    while (cursor := found[-1].cursor) is not None:
        found.append(searcher.search(query, k, after=cursor, **options))
        assert len(found) < 300
    return found


def named(results: Results) -> list[tuple[str, int]]:
    """What an answer shows, pages that repeat a text among it."""
    also = [place.external_id for hit in results.hits for place in hit.duplicates]
    return [
        *((hit.external_id, hit.position) for hit in (*results.hits, *results.repeated)),
        *((page, 0) for page in also),
    ]


class TestFurtherResults:
    @pytest.mark.parametrize(
        ("k", "ranking"),
        [(1, "fused"), *((k, ranking) for k in (7, 40) for ranking in ("lexical", "dense", "fused"))],
    )
    @pytest.mark.parametrize("per_document", [False, True])
    def test_nothing_is_shown_twice_and_nothing_is_left_out(
        self, searcher: Searcher, ranking: Any, per_document: bool, k: int
    ) -> None:
        options: Any = {"ranking": ranking, "per_document": per_document}
        found = answers(searcher, k, **options)
        shown = [each for results in found for each in named(results)]
        assert len(shown) == len(set(shown))
        assert set(shown) == set(named(searcher.search(ASKED, 200, **options)))
        assert all(len(results.hits) == k for results in found[:-1])
        texts = [hit.text for results in found for hit in results.hits]
        assert len(texts) == len(set(texts)), "copies that stand further down are named, and are no hits"

    def test_filters_go_on_too(self, searcher: Searcher, zoo: Harness) -> None:
        top = zoo.world.add_page("Top", blocks=[blocks.paragraph("walrus")])
        below = {zoo.world.add_page(f"Below {n}", top, [blocks.paragraph(f"walrus {n}")]) for n in range(9)}
        zoo.settle()
        zoo.sync()
        found = answers(searcher, 4, "walrus", filters=Filters(below=top))
        assert {page for results in found for page, _ in named(results)} == {top, *below}

    def test_no_more_than_two_hundred_can_be_had_of_one_question(self, acme: Harness, settings: Settings) -> None:
        for number in range(230):
            acme.world.add_page(f"P{number}", blocks=[blocks.paragraph(f"walrus number{number} day{number * 7}")])
        acme.world.clock.advance(600)
        acme.sync()
        with Searcher(acme.slug, settings=settings) as searcher:
            found = answers(searcher, 60, "walrus")
            assert [len(results.hits) for results in found] == [60, 60, 60, 20]
            first = searcher.search("walrus", 60)
            assert len(searcher.search("walrus", 1000, after=first.cursor).hits) == 140
            assert [searcher.search("walrus", k).cursor for k in (200, 1000)] == [None, None]

    def test_the_past_goes_on_while_the_present_changes(self, searcher: Searcher, zoo: Harness) -> None:
        ((then,),) = zoo.rows("SELECT clock_timestamp()")
        first = searcher.search(ASKED, 40, as_of=then)
        zoo.world.add_page("New", blocks=[blocks.paragraph("Another walrus.")])
        zoo.settle()
        zoo.sync()
        second = searcher.search(ASKED, 40, as_of=then, after=first.cursor)
        assert second.hits and not {*named(first)} & {*named(second)}

    def test_other_vectors_on_the_way_show_nothing_twice(
        self, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As while an embedding provider fails in between."""
        first = searcher.search(ASKED, 20)
        monkeypatch.setattr("arcana_pipelines.retrieval.connection_searcher.ConnectionSearcher._embedded", no_meaning)
        second = searcher.search(ASKED, 20, after=first.cursor)
        assert second.hits and not {*named(first)} & {*named(second)}


def no_meaning(*_: Any) -> None:
    return None


class TestRefusals:
    def refused(self, ask: Callable[[], Any], match: str) -> None:
        with pytest.raises(CursorRefused, match=match) as refused:
            ask()
        assert str(refused.value).endswith("Search again without it.") and len(str(refused.value)) < 200

    def test_of_another_question(
        self, searcher: Searcher, another: Callable[[str], Harness], settings: Settings
    ) -> None:
        cursor = searcher.search(ASKED, 5).cursor
        others: list[dict[str, Any]] = [
            {"query": "walrus"}, {"ranking": "dense"}, {"fusion": "rrf"}, {"per_document": True},
            {"filters": Filters(kinds=["page"])},
        ]  # fmt: skip
        for other in others:
            self.refused(lambda other=other: searcher.search(**{"query": ASKED, "after": cursor} | other), "another q")
        assert searcher.search(ASKED, 9, neighbours=2, after=cursor).hits
        beta = another("beta")
        beta.sync()
        with Searcher("beta", settings=settings) as of_beta:
            self.refused(lambda: of_beta.search(ASKED, 5, after=cursor), "another question")

    def test_after_a_publish(self, searcher: Searcher, zoo: Harness) -> None:
        cursor = searcher.search(ASKED, 5).cursor
        assert zoo.sync()["pages"]["added"] == 0
        assert searcher.search(ASKED, 5, after=cursor).hits, "a sync that changed nothing is none"
        zoo.world.add_page("New", blocks=[blocks.paragraph("Another walrus.")])
        zoo.settle()
        zoo.sync()
        self.refused(lambda: searcher.search(ASKED, 5, after=cursor), "index has changed")

    def test_of_a_build_that_serves_no_more(self, searcher: Searcher, zoo: Harness) -> None:
        cursor = searcher.search(ASKED, 5).cursor
        promote(zoo, 60)
        self.refused(lambda: searcher.search(ASKED, 5, after=cursor), "index has changed")

    def test_of_a_time_that_is_not_remembered(self, searcher: Searcher) -> None:
        cursor = searcher.search(ASKED, 5).cursor
        with pytest.raises((CursorRefused, NotRemembered)):
            searcher.search(ASKED, 5, as_of=datetime(2001, 1, 1, tzinfo=UTC), after=cursor)

    def test_what_is_no_cursor(self, searcher: Searcher) -> None:
        cursor = searcher.search(ASKED, 5).cursor
        assert cursor is not None
        hostile = [
            "", " ", "x", "AAAA", "A" * 20_000, "AQ==", "'; DROP TABLE document; --", "../../etc", "😀", "휴가",
            "%s %(a)s", cursor[:-1], cursor + "A", cursor[:-4], cursor[4:], cursor.lower(), cursor + "\n", f" {cursor}",
            "-" + cursor, cursor.replace(cursor[30], "_"), cursor * 3,
        ]  # fmt: skip
        for text in hostile:
            self.refused(lambda text=text: searcher.search(ASKED, 5, after=text), "no cursor")
        with pytest.raises(WrongUse, match="20,000"):
            searcher.search(ASKED, 5, after="A" * 10**7)

    def test_one_that_was_made_up_hides_hits_and_nothing_else(self, searcher: Searcher) -> None:
        cursor = searcher.search(ASKED, 5).cursor
        assert cursor is not None
        packed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        held = Cursor.read(cursor, packed[1:9])
        for chunks in ((1, 2**63 - 1), (0,), tuple(range(199))):
            made = replace(held, shown=chunks, named=(2**62,)).text
            assert isinstance(searcher.search(ASKED, 5, after=made), Results)
        for chunks in (tuple(range(200)), tuple(range(201))):
            made = replace(held, shown=chunks).text
            self.refused(lambda made=made: searcher.search(ASKED, 5, after=made), "no cursor")


KEY = UUID(int=7)
NUMBERS = st.lists(st.integers(0, 2**63 - 1), max_size=30, unique=True).map(sorted).map(tuple)


class TestForm:
    @given(NUMBERS.filter(bool), NUMBERS, st.integers(0, 2**32 - 1), st.integers(-(2**63), 2**63 - 1))
    def test_what_is_written_is_read(
        self, shown: tuple[int, ...], also: tuple[int, ...], build: int, time: int
    ) -> None:
        cursor = Cursor(question_hash(SearchRequest("a"), KEY), build, time, shown, also)
        assert Cursor.read(cursor.text, cursor.question) == cursor

    @given(st.binary(max_size=60))
    def test_any_bytes_are_refused_or_read(self, payload: bytes) -> None:
        head = struct.pack(">B8sIqH", 1, b"12345678", 1, 1, 2)
        text = base64.urlsafe_b64encode(head + payload + _check(head + payload)).rstrip(b"=").decode()
        with suppress(CursorRefused):
            assert len(Cursor.read(text, b"12345678").shown) == 2

    def test_two_hundred_hits_fit_a_line_of_a_shell(self) -> None:
        shown = tuple(sorted(random.Random(1).sample(range(10**6), 199)))
        assert len(Cursor(b"12345678", 1, 1, shown, shown).text) < 2_000

    def test_another_question_has_another_number(self) -> None:
        request = SearchRequest("walrus", filters=Filters(below="a"))
        assert question_hash(SearchRequest("a", filters=Filters()), KEY) == question_hash(SearchRequest("a"), KEY)
        same = [replace(request, k=3), replace(request, neighbours=2), replace(request, after="x")]
        other = [replace(request, query="w"), replace(request, filters=Filters(below="b")), replace(request, index="b")]
        assert {question_hash(each, KEY) for each in same} == {question_hash(request, KEY)}
        assert len({question_hash(each, KEY) for each in (request, *other)}) == 4
        assert question_hash(request, UUID(int=8)) != question_hash(request, KEY)
