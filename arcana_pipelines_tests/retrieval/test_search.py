"""Searching: words in every form, meaning, filters, odd questions; and the statistics that it relies on."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg import sql

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.lexical.analysis import TERMS, query_terms, words_of
from arcana_pipelines.lexical.weights import chunk_weights
from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.retrieval.filters import Filters, PropertyCondition
from arcana_pipelines.retrieval.fusion import Scored, fuse, weight_of_meaning
from arcana_pipelines.retrieval.highlights import highlights, marks_of
from arcana_pipelines.retrieval.results import Results
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.testing.postgres import DatabaseServer
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.synced import synced


class Library:
    """A small world with something of everything that is looked for."""

    def __init__(self, world: NotionWorld) -> None:
        self.policies = world.add_page("Policies", blocks=[blocks.paragraph("All policies of the company.")])
        self.leave = world.add_page(
            "연차 휴가 규정", self.policies, [blocks.paragraph("직원은 휴가를 사흘 전에 신청해야 합니다.")]
        )
        self.travel = world.add_page(
            "Travel",
            self.policies,
            [blocks.paragraph("Travelling employees book flights with the agency, code HR-200.")],
        )
        self.notice = world.add_page(
            "Notice", blocks=[blocks.paragraph("The kitchen is closed on Friday."), blocks.link_to_page(self.travel)]
        )
        self.twin = world.add_page("Notice", blocks=[blocks.paragraph("Something else about lunch.")])
        database = world.add_database(
            "Tasks",
            schema={"Status": {"type": "select", "options": ["Done", "Open"]}, "Cost": "number", "Due": "date"},
        )
        self.rows = [
            world.add_row(
                database.data_source_id,
                f"Task {number}",
                {"Status": "Done" if number % 2 else "Open", "Cost": number * 50, "Due": f"2026-0{number}-15"},
                [blocks.paragraph("Repair the elevator.")],
            )
            for number in range(1, 6)
        ]
        world.clock.advance(600)


@pytest.fixture(scope="module")
def library_database(arcana_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with synced(arcana_server, tmp_path_factory.mktemp("library"), Library) as url:
        yield url


@pytest.fixture
def arcana_database_url(request: pytest.FixtureRequest, arcana_server: DatabaseServer) -> Iterator[str]:
    """A database of this test's own, in which the library is where the test asks for it."""
    made = request.getfixturevalue("library_database") if "library" in request.fixturenames else None
    with arcana_server.copy(made) if made is not None else arcana_server.database() as url:
        yield url


@pytest.fixture
def acme(request: pytest.FixtureRequest, database: Database, world: NotionWorld, server: NotionServer) -> Harness:
    """The workspace, which has read the library where the test asks for that."""
    if "library" in request.fixturenames:
        return Harness(database, world, server, "acme")
    return Harness.register(database, world, server, "acme")


@pytest.fixture
def library(acme: Harness) -> Library:
    return Library(acme.world)


def search(acme: Harness, query: str, k: int = 10, **options: Any) -> Results:
    with acme.database.connection() as connection:
        workspace_id = workspaces.find(connection, acme.slug).workspace_id
        return ConnectionSearcher(connection, acme.database.settings, workspace_id).search(
            SearchRequest(query, k, **options)
        )


def pages(results: Results) -> list[str]:
    return list(dict.fromkeys(hit.external_id for hit in results.hits))


def test_steps_have_their_numbers_for_people_and_for_models(acme: Harness) -> None:
    steps = [f"{number}번째로 밸브를 잠그고 압력을 기록합니다" for number in range(1, 61)]
    acme.world.add_page("밸브 점검", blocks=[blocks.numbered(step) for step in steps])
    acme.sync()
    found = search(acme, "31번째로 밸브를 잠그고", neighbours=1).hits[0]
    assert found.position > 0 and found.passage is not None
    for text in (found.text, found.passage.text, found.text[found.passage.begin : found.passage.end]):
        assert "31. 31번째로" in text
        assert all(line.partition(". ")[2].startswith(line.partition(".")[0]) for line in text.split("\n") if line)
    assert "31번째로" in {found.text[begin:end] for begin, end in found.highlights}
    assert (found.before or found.after)[0][:2] in ("1.", "- "), "which number it begins with is not known there"


class TestWords:
    @pytest.mark.parametrize(
        ("query", "page"),
        [
            ("휴가는 언제 신청하나요", "leave"),  # another particle, another ending
            ("휴가에서의", "leave"),
            ("traveler booked flight", "travel"),  # other forms of the same words
            ("HR-200", "travel"),
            ("hr 200", "travel"),
            ("kitchen friday", "notice"),
            ("kitchn", "notice"),  # a typing error
        ],
    )
    def test_a_page_is_found_by_its_words_in_other_forms(
        self, acme: Harness, library: Library, query: str, page: str
    ) -> None:
        assert pages(search(acme, query))[0] == getattr(library, page)

    def test_a_word_that_no_text_has_is_named_with_what_was_searched_instead(
        self, acme: Harness, library: Library
    ) -> None:
        assert search(acme, "kitchn").corrections == {"kitchn": "kitchen"}
        assert search(acme, "kitchen").corrections == {}

    @pytest.mark.parametrize("ranking", ["fused", "dense", "lexical"])
    def test_scores_are_between_0_and_1_and_best_first(self, acme: Harness, library: Library, ranking: str) -> None:
        scores = [hit.score for hit in search(acme, "elevator repair", ranking=ranking).hits]
        assert scores == sorted(scores, reverse=True) and scores
        assert all(0 <= score <= 1 for score in scores)

    @pytest.mark.parametrize(
        "query",
        [
            "", "   ", "😀 🎉", "'; DROP TABLE document; --", "a & b | !c <-> d:*", "\"unclosed", "\\", "%_%",
            "a" * 4000, "휴가 " * 1333, "{}[]()<>@#$^*=+~`?/", "SELECT %(build)s %s", "NULL", "-", "🇰🇷 휴가",
        ],
    )  # fmt: skip
    def test_an_odd_question_has_an_answer(self, acme: Harness, library: Library, query: str) -> None:
        assert len(search(acme, query).hits) <= 10

    @pytest.mark.parametrize(
        "query", ["\0", "\ud800", "a" * 100_000, "휴가 " * 30_000], ids=lambda query: ascii(query[:4])
    )
    def test_what_no_question_can_be_is_refused_in_a_sentence(self, acme: Harness, query: str) -> None:
        with pytest.raises(WrongUse, match=r"^The query h.*\.$"):
            search(acme, query)

    def test_a_question_of_sixty_words_is_answered(self, acme: Harness, library: Library) -> None:
        assert library.travel in pages(search(acme, "employees book flights " + "the of and kitchen " * 15))

    @pytest.mark.parametrize("ranking", ["fused", "dense", "lexical"])
    @pytest.mark.parametrize(
        "unseen",
        ["휴\u200b가 kitch\xaden", "\u202e휴가 kitchen\u202c", "\ufeff휴가\u2060 kitch\u200den", "휴가 kitchen"],
    )
    def test_what_nobody_sees_in_a_question_changes_nothing(
        self, acme: Harness, library: Library, ranking: Any, unseen: str
    ) -> None:
        said = search(acme, "휴가 kitchen", ranking=ranking).hits
        for written in (unseen, unicodedata.normalize("NFD", unseen)):
            assert search(acme, written, ranking=ranking).hits == said

    @pytest.mark.parametrize(
        "title", ["연차 휴가 규정", "\u202a연차 휴\u200b가 규정\u202c", "\ufeff연차 휴\xad가 규정"]
    )
    def test_nor_in_a_title_or_a_condition(self, acme: Harness, library: Library, title: str) -> None:
        for written in (title, unicodedata.normalize("NFD", title)):
            assert pages(search(acme, "휴가", filters=Filters(below=written))) == [library.leave]
        for condition in ("Sta\xadtus=Done", "Status=\u200bDone", "\u202aStatus=Do\u2060ne\u202c"):
            filters = Filters(properties=[PropertyCondition.parse(condition)])
            assert len(pages(search(acme, "elevator", filters=filters))) == 3


class TestAnswers:
    def test_what_matches_is_marked(self, acme: Harness, library: Library) -> None:
        hit = search(acme, "book flights").hits[0]
        assert [hit.text[begin:end] for begin, end in hit.highlights] == ["book", "flights"]
        assert hit.last_edited_at and hit.url and hit.version == 1

    def test_nearly_the_same_text_on_several_pages_is_one_hit_that_names_them(self, acme: Harness) -> None:
        rules = "The boiler of the building is drained before the first frost, by the house keeper alone. " * 8
        texts = {"East": rules, "West": rules.replace("alone", "only", 1)}
        for title, text in texts.items():
            acme.world.add_page(title, blocks=[blocks.paragraph(text)])
        acme.world.clock.advance(600)
        acme.sync()
        (hit,) = [hit for hit in search(acme, "drain the boiler").hits if "boiler" in hit.text]
        (twin,) = hit.duplicates
        assert {hit.title, twin.title} == {"East", "West"} and len(twin.differences) == 1

    def test_rows_are_hits_of_their_own(self, acme: Harness, library: Library) -> None:
        hits = [hit for hit in search(acme, "repair the elevator").hits if "elevator" in hit.text]
        assert {hit.external_id for hit in hits} == set(library.rows) and len(hits) == len(library.rows)
        assert {hit.kind for hit in hits} == {"row"} and not any(hit.duplicates for hit in hits)

    def test_however_many_pages_repeat_a_text_as_many_texts_are_found_as_are_asked_for(self, acme: Harness) -> None:
        for _ in range(120):
            acme.world.add_page("Form", blocks=[blocks.paragraph("Write the walrus form and give it to the keeper.")])
        others = [f"The walrus {animal} is not in the zoo." for animal in ("pup", "bull", "cow")]
        for text in others:
            acme.world.add_page("Zoo", blocks=[blocks.paragraph(text)])
        acme.world.clock.advance(600)
        acme.sync()
        for ranking in ("lexical", "dense", "fused"):
            hits = search(acme, "walrus form keeper", 4, ranking=ranking).hits
            assert len(hits) == 4 and sorted(len(hit.duplicates) for hit in hits) == [0, 0, 0, 119], ranking

    @pytest.mark.parametrize("ranking", ["lexical", "dense", "fused"])
    def test_a_document_is_one_hit_where_that_is_asked_for(self, acme: Harness, ranking: str) -> None:
        def text(number: int) -> str:
            return f"Walrus {number}. " + " ".join(f"walrus{number * 90 + word}" for word in range(90))

        long = acme.world.add_page("Walrus book", blocks=[blocks.paragraph(text(number)) for number in range(150)])
        short = [
            acme.world.add_page(title, blocks=[blocks.paragraph(f"A walrus was seen in {title} by several people.")])
            for title in ("Seoul", "Busan", "Berlin")
        ]
        acme.world.add_page("Kitchen", blocks=[blocks.paragraph("The kitchen is closed on Friday.")])
        acme.world.clock.advance(600)
        acme.sync()
        found = search(acme, "walrus", 4, ranking=ranking, per_document=True).hits
        assert {hit.external_id for hit in found} == {long, *short}
        (book,) = [hit for hit in found if hit.external_id == long]
        assert book.other_chunks > 50 and all(not hit.other_chunks for hit in found if hit is not book)
        every = search(acme, "walrus", 300, ranking=ranking).hits
        assert book.text == next(hit.text for hit in every if hit.external_id == long), "the best of its chunks"
        assert not any(hit.other_chunks for hit in every)

    def test_neighbours_come_on_request(self, acme: Harness) -> None:
        text = [blocks.paragraph(f"Sentence {number} " + f"filler{number} words " * 40) for number in range(30)]
        acme.world.add_page("Long", blocks=text)
        acme.world.clock.advance(600)
        acme.sync()
        hit = search(acme, "filler15", neighbours=1).hits[0]
        assert len(hit.before) == len(hit.after) == 1
        assert search(acme, "filler15").hits[0].before == []

    def test_a_link_leads_to_the_nearest_heading(self, acme: Harness) -> None:
        acme.world.add_page("Guide", blocks=[blocks.heading("휴가 신청"), blocks.paragraph("zebra")])
        acme.world.clock.advance(600)
        acme.sync()
        hit = search(acme, "zebra").hits[0]
        assert hit.link is not None and (not hit.heading_path or hit.link.startswith(f"{hit.url}#:~:text=%"))


class TestFilters:
    @pytest.mark.parametrize(
        ("condition", "tasks"),
        [
            ("Status=done", [1, 3, 5]),
            ("Status!=Done", [2, 4]),
            ("Status~pe", [2, 4]),
            ("Cost>=150", [3, 4, 5]),
            ("Cost<100", [1]),
            ("Due<=2026-02-28", [1, 2]),
            ("Due=", []),
            ("Status!=", [1, 2, 3, 4, 5]),
        ],
    )
    def test_rows_are_chosen_by_their_properties(
        self, acme: Harness, library: Library, condition: str, tasks: list[int]
    ) -> None:
        filters = Filters(kinds=["row"], properties=[PropertyCondition.parse(condition)])
        found = search(acme, "elevator Task", 20, filters=filters).hits
        named = {hit.external_id for hit in found} | {twin.external_id for hit in found for twin in hit.duplicates}
        assert named == {library.rows[number - 1] for number in tasks}

    def test_a_property_that_was_changed_or_emptied_counts_as_it_is(self, acme: Harness, library: Library) -> None:
        acme.settle()
        acme.world.set_property(library.rows[0], "Status", "Open")
        acme.world.set_property(library.rows[1], "Cost", None)
        acme.settle()
        acme.sync()
        for condition, tasks in (("Status=Open", {1, 2, 4}), ("Cost<100", {1}), ("Cost=", {2})):
            filters = Filters(kinds=["row"], properties=[PropertyCondition.parse(condition)])
            found = search(acme, "elevator Task", 20, filters=filters).hits
            named = {hit.external_id for hit in found} | {twin.external_id for hit in found for twin in hit.duplicates}
            assert named == {library.rows[number - 1] for number in tasks}, condition

    def test_a_subtree_is_chosen_by_its_page(self, acme: Harness, library: Library) -> None:
        found = search(acme, "company", filters=Filters(below=library.policies))
        assert set(pages(found)) == {library.policies, library.leave, library.travel}, "also what no word matches"

    def test_what_links_to_a_page_is_chosen(self, acme: Harness, library: Library) -> None:
        found = pages(search(acme, "kitchen", filters=Filters(links_to=library.travel)))
        assert found == [library.notice, library.policies], "the page around it links to it as well"

    def test_what_was_edited_lately_is_chosen(self, acme: Harness, library: Library) -> None:
        acme.settle()
        since = acme.world.clock.now() - timedelta(minutes=1)
        acme.world.append_blocks(library.twin, [blocks.paragraph("New words.")])
        acme.settle()
        acme.sync()
        assert pages(search(acme, "kitchen", filters=Filters(edited_since=since))) == [library.twin]

    def test_a_removed_page_is_behind_no_filter(self, acme: Harness, library: Library) -> None:
        acme.world.trash(library.leave)
        acme.sync()
        found = search(acme, "휴가", filters=Filters(below=library.policies))
        assert library.leave not in pages(found)

    @pytest.mark.parametrize("text", ["Status", "=Done", ""])
    def test_a_condition_that_is_none_is_refused(self, text: str) -> None:
        with pytest.raises(WrongUse):
            PropertyCondition.parse(text)


def counted(acme: Harness) -> tuple[Counter[int], Counter[int]]:
    """(what the statistics say, what is there)."""
    kept = Counter(dict(acme.rows("SELECT key, chunks FROM term_count WHERE chunks <> 0")))
    there = Counter(
        dict(
            acme.rows(
                "SELECT key, count(*) FROM chunk_terms t "
                "JOIN document_chunk k USING (rag_index_build_id, document_chunk_id), unnest(t.keys) AS key "
                "WHERE k.deleted_at IS NULL GROUP BY key"
            )
        )
    )
    return kept, there


def test_the_statistics_are_those_of_what_can_be_searched_after_every_kind_of_change(
    acme: Harness, library: Library
) -> None:
    kept, there = counted(acme)
    assert kept == there and kept
    acme.world.append_blocks(library.travel, [blocks.paragraph("Another paragraph about trains.")])
    acme.world.trash(library.leave)
    acme.world.add_page("새 글", blocks=[blocks.paragraph("기차를 타고 갑니다.")])
    acme.settle()
    acme.sync()
    kept, there = counted(acme)
    assert kept == there
    acme.world.restore(library.leave)
    acme.settle()
    acme.sync(Mode.AUDIT)
    kept, there = counted(acme)
    assert kept == there


class TestTerms:
    @given(st.text(max_size=300))
    def test_any_text_has_terms_that_postgresql_can_hold(self, text: str) -> None:
        (weights,) = chunk_weights([("Title", ("Heading",), text)])
        assert all(0 <= term < TERMS for term in weights.terms) and all(weights.weights > 0)
        assert all(np.diff(weights.terms) > 0) and all(0 <= key < 2**31 for key in weights.keys)
        assert all(0 <= number < TERMS for number in query_terms(text))

    @given(st.text(max_size=300) | st.text("aΣß가나-._/1\u0301\u00a0\u00a8\n ", max_size=60))
    @example("_.NET")
    @example("__@name, _#1")
    @example("0Aaaa, e-mail")
    def test_a_chunk_has_the_terms_that_its_text_has_as_a_query(self, text: str) -> None:
        (weights,) = chunk_weights([("", (), text)])
        assert set(weights.terms) == query_terms(text).keys()
        # A typing error may be near to a part of a name, too; in a question no part is taken for one.
        assert set(weights.words) >= words_of(text)

    @given(st.lists(st.text("ab 가나-1", max_size=30), max_size=5))
    def test_chunks_that_are_weighed_together_weigh_what_they_weigh_alone(self, texts: list[str]) -> None:
        chunks = [("Title", (), text) for text in ("", *texts)]
        for together, chunk in zip(chunk_weights(chunks), chunks, strict=True):
            (alone,) = chunk_weights([chunk])
            assert together.words == alone.words
            for field in ("terms", "weights", "keys"):
                assert list(getattr(together, field)) == list(getattr(alone, field))

    def test_a_word_in_the_title_weighs_more_than_one_in_the_text(self) -> None:
        (term,) = query_terms("zebra").keys() - query_terms("zebras").keys() or query_terms("zebra").keys()
        chunks = chunk_weights([("zebra", (), "other words"), ("other words", (), "zebra")])
        in_title, in_text = (float(chunk.weights[chunk.terms == term][0]) for chunk in chunks)
        assert in_title > in_text


class TestFusion:
    def test_where_words_say_everything_meaning_says_nothing(self) -> None:
        assert weight_of_meaning(10.0, 10.0, is_cjk=False, is_weak=True) == 0
        assert weight_of_meaning(1.0, 10.0, is_cjk=False, is_weak=True) > 0.3
        assert weight_of_meaning(1.0, 10.0, is_cjk=True, is_weak=True) < 0.2

    def test_both_scores_are_scaled_to_the_best(self) -> None:
        found = fuse([Scored(1, 4.0, 0.1), Scored(2, 2.0, 0.9)], 0.5)
        assert found == [(2, 0.75), (1, 0.5)]
        assert fuse([], 0.5) == []


@pytest.mark.parametrize(
    ("text", "query", "marked"),
    [
        ("The policies were changed.", "policy change", ["policies", "changed"]),
        ("직원은 휴가를 신청합니다.", "휴가", ["휴가"]),
        ("Nothing here.", "elephant", []),
    ],
)
def test_marks_are_where_the_words_are(text: str, query: str, marked: list[str]) -> None:
    found = [text[begin:end] for begin, end in highlights(text, marks_of(query))]
    assert len(found) == len(marked)
    assert all(want in got for want, got in zip(marked, found, strict=True))


@pytest.mark.parametrize("options", [{}, {"per_document": True}, {"neighbours": 1}])
def test_chunks_are_looked_up_by_their_whole_key(acme: Harness, library: Library, options: dict[str, Any]) -> None:
    look_ups: list[str] = []

    class Asked(psycopg.Cursor[Any]):
        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            text = query.as_string(self) if isinstance(query, sql.Composable) else str(query)
            if "%(chunks)s" in text:
                look_ups.append(psycopg.ClientCursor(self.connection).mogrify(text, params))
            return super().execute(query, params, **options)

    with acme.database.connect() as connection:
        connection.cursor_factory = Asked
        workspace_id = workspaces.find(connection, acme.slug).workspace_id
        searcher = ConnectionSearcher(connection, acme.database.settings, workspace_id)
        assert searcher.search(SearchRequest("kitchen", **options)).hits
        for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin"):  # what is left for small tables, too
            connection.execute(f"SET enable_{way} = off")
        plans = [row[0] for each in look_ups for row in connection.execute(f"EXPLAIN {each}")]
    conditions = [line for line in plans if "Index Cond" in line and "document_chunk_id = " in line]
    assert conditions
    assert all("rag_index_build_id = " in line for line in conditions), "others read the index from end to end"


def test_the_statements_of_searches_stay_prepared_from_one_to_the_next(acme: Harness, library: Library) -> None:
    """Planning those of a hybrid search takes longer than executing them, and psycopg forgets all at a ROLLBACK."""
    with acme.database.connect() as connection:
        workspace_id = workspaces.find(connection, acme.slug).workspace_id
        searcher = ConnectionSearcher(connection, acme.database.settings, workspace_id)
        for _ in range(7):
            searcher.search(SearchRequest("kitchen"))
        rows = connection.execute("SELECT statement FROM pg_prepared_statements").fetchall()
    prepared = "\n".join(statement for (statement,) in rows)
    assert all(f"-- {begin}" in prepared for begin in ("What a reader needs", "The exact scores", "The best chunks"))
    assert "chunk_embedding <=> " in prepared, "the nearest ones"
