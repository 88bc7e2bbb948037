"""Questions that go on from others are searched with them; one that stands for itself is not pulled back to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcana_pipelines.embedding.local_small import SmallEmbedder
from arcana_pipelines.errors import CursorRefused, WrongUse
from arcana_pipelines.lexical.analysis import query_terms
from arcana_pipelines.retrieval import Filters, Searcher, SearchRequest
from arcana_pipelines.retrieval.cursor import question_hash
from arcana_pipelines.retrieval.follow_ups import LONGEST_PART, Context, context_of, leaning
from arcana_pipelines.retrieval.ranked_search import EARLIER_ON_THE_PAGE, Question
from arcana_pipelines.settings import Settings
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.retrieval.test_cursor import KEY

VACATION = "How many days of vacation do we have?"
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)


class TestLeaning:
    @pytest.mark.parametrize(
        ("question", "leans"),
        [
            ("and in Berlin?", 1.0),
            ("What about it?", 1.0),
            ("Berlin?", 0.9),
            ("what do they cost?", 1.0),
            ("How long must nobody touch it?", 0.6),
            ("Where do visitors of the Berlin office sign in?", 0.0),
            ("그럼 신입은?", 1.0),
            ("신입은?", 0.9),
            ("그건 누가 승인해요?", 1.0),
            ("거기서 사무실까지 얼마나 걸려요?", 0.9),
            ("노트북은 몇 년마다 바꿔 주나요?", 0.3),
            ("로봇 카메라 영상은 얼마 동안 보관하나요?", 0.0),
            ("재택근무는일주일에며칠까지할수있어요?", 0.3),  # without spaces
            ("ベルリンは？", 0.9),
        ],
    )
    def test_a_question_leans_on_those_before_the_more_the_fewer_words_it_has(
        self, question: str, leans: float
    ) -> None:
        assert leaning(question) == pytest.approx(leans)

    def test_a_question_of_four_words_or_the_first_one_has_no_context(self) -> None:
        assert context_of("and in Berlin?", []) is None
        assert context_of("and in Berlin?", ["", " "]) is None
        assert context_of("Where do visitors of the Berlin office sign in?", [VACATION]) is None

    def test_the_one_before_and_the_one_that_the_subject_began_with_take_part(self) -> None:
        asked = ["What is the payload of the robots in Busan?", VACATION, "and in Berlin?", "And in Busan?", "Seoul?"]
        context = context_of("and for them?", asked)
        assert context is not None
        assert [text for text, _ in context.earlier] == [VACATION, "Seoul?"]
        assert [share for _, share in context.earlier] == sorted(share for _, share in context.earlier)
        assert context.together == f"{VACATION} Seoul? and for them?"

    def test_what_was_asked_before_a_change_of_subject_takes_no_part(self) -> None:
        context = context_of("and in Seoul?", [VACATION, "Where do visitors of the Berlin office sign in?"])
        assert context is not None
        assert [text for text, _ in context.earlier] == ["Where do visitors of the Berlin office sign in?"]

    @given(TEXTS, st.lists(TEXTS, max_size=8))
    def test_whatever_is_asked_two_take_part_at_most_each_with_a_share(self, question: str, asked: list[str]) -> None:
        assert 0 <= leaning(question) <= 1
        context = context_of(question, asked)
        if context is not None:
            assert 1 <= len(context.earlier) <= 2
            assert all(0 < share < 1 and text and len(text) <= LONGEST_PART for text, share in context.earlier)

    def test_the_meaning_is_a_mean_of_unit_length(self) -> None:
        east, north = np.float32([1, 0]), np.float32([0, 1])
        mean = Context("a", 0.5, (("b", 0.3),)).meaning(east, north)
        assert mean == pytest.approx(np.array([0.6, 0.4]) / np.linalg.norm([0.6, 0.4]))
        assert not Context("a", 1.0, (("b", 0.3),)).meaning(0 * east, 0 * east).any()


class TestRequest:
    @pytest.mark.parametrize(
        ("earlier", "words"),
        [
            ("a text", "a list of questions"),
            (7, "a list of questions"),
            ([7], "has to be a text"),
            (["a\0b"], "holds NUL"),
            (["a" * 4001], "4,001 characters"),
            (["a"] * 21, "at most 20"),
        ],
    )
    def test_what_cannot_be_a_list_of_questions_is_refused(self, earlier: Any, words: str) -> None:
        with pytest.raises(WrongUse, match=words):
            SearchRequest("and in Berlin?", earlier=earlier)

    def test_a_request_without_turns_has_the_cursors_that_it_had_before_there_were_any(self) -> None:
        # As the release before made it.
        assert question_hash(SearchRequest("a"), KEY).hex() == "8d2e2c67a5bddcc9"
        assert question_hash(SearchRequest("a", earlier=("b",)), KEY).hex() != "8d2e2c67a5bddcc9"

    def test_where_on_a_page_the_answer_stands_its_own_words_say_first(self) -> None:
        asked, earlier = "And how many of them can I carry over?", "How many vacation days do I get in my first year?"
        own, others = query_terms(asked).keys(), query_terms(earlier).keys()
        question = Question(SearchRequest(asked), asked, query_terms(asked), 10, context=context_of(asked, [earlier]))
        assert others - own and own - others
        counted = question.on_the_page(dict.fromkeys([*own, *others], 1.0))
        assert {term for term, gain in counted.items() if gain == 1.0} == own
        assert {counted[term] for term in others - own} == {EARLIER_ON_THE_PAGE}
        alone = replace(question, context=None)
        assert set(alone.on_the_page(dict.fromkeys(others, 1.0)).values()) == {1.0}


@pytest.fixture
def searcher(acme: Harness, settings: Settings) -> Iterator[Searcher]:
    acme.world.add_page("Vacation", blocks="Everyone has 30 days of vacation a year. In Berlin it is 28 days.")
    acme.world.add_page("Berlin office", blocks="Berlin. The Berlin office is in a tram depot in Berlin.")
    acme.world.add_page("재택근무", blocks="재택근무는 일주일에 사흘까지 할 수 있다. 수습 직원은 첫 달에 출근한다.")
    acme.world.add_page("수습", blocks="수습 직원의 계약은 석 달이다. 수습 평가는 수습 끝에 한다.")
    for number in range(60):
        acme.world.add_page(f"Note {number}", blocks=f"Robots carry totes through aisle {number} all day long.")
    acme.settle()
    acme.sync()
    with Searcher(acme.slug, settings=settings) as searcher:
        yield searcher


def titles(searcher: Searcher, query: str, earlier: Sequence[str] = (), **options: Any) -> list[str]:
    return [hit.title for hit in searcher.search(query, 3, earlier=tuple(earlier), **options).hits]


class TestSearch:
    def test_a_follow_up_finds_the_subject_and_a_change_of_subject_the_new_one(self, searcher: Searcher) -> None:
        assert titles(searcher, "and in Berlin?")[0] == "Berlin office"
        assert titles(searcher, "and in Berlin?", [VACATION])[0] == "Vacation"
        assert titles(searcher, "그럼 수습은?")[0] == "수습"
        assert titles(searcher, "그럼 수습은?", ["재택근무는 일주일에 며칠까지 할 수 있어요?"])[0] == "재택근무"
        alone = titles(searcher, "Which tram depot is the Berlin office in?")
        assert titles(searcher, "Which tram depot is the Berlin office in?", [VACATION]) == alone

    def test_the_answer_says_what_it_was_taken_with(self, searcher: Searcher) -> None:
        assert searcher.search("and in Berlin?", earlier=(VACATION,)).to_dict()["taken_with"] == [VACATION]
        for alone in (
            searcher.search("and in Berlin?"),
            searcher.search("Which tram depot is the Berlin office in?", earlier=("zebra",)),
        ):
            assert "taken_with" not in alone.to_dict()

    def test_a_question_without_a_word_finds_nothing_whatever_was_asked_before(self, searcher: Searcher) -> None:
        found = searcher.search("?!", earlier=(VACATION,))
        assert not found.hits and not found.nearest and not found.taken_with

    def test_without_turns_one_text_is_embedded_as_before(
        self, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[Sequence[str]] = []
        embed, one = SmallEmbedder.embed, SmallEmbedder.embed_question
        monkeypatch.setattr(SmallEmbedder, "embed", lambda self, texts: (asked.append(texts), embed(self, texts))[1])
        monkeypatch.setattr(
            SmallEmbedder, "embed_question", lambda self, text: (asked.append([text]), one(self, text))[1]
        )
        searcher.search("and in Berlin?")
        searcher.search("Which tram depot is the Berlin office in?", earlier=(VACATION,))
        searcher.search("and in Berlin?", earlier=(VACATION,))
        assert list(map(len, asked)) == [1, 1, 2]

    def test_cursors_filters_and_least_scores_hold_with_turns(self, searcher: Searcher) -> None:
        request = SearchRequest("and in Berlin?", 1, earlier=(VACATION,), min_score=0.0)
        first = searcher.search(request)
        second = searcher.search(replace(request, after=first.cursor))
        assert first.hits[0].title == "Vacation" and second.hits[0].title != "Vacation"
        for other in ((), ("vacation?",)):
            with pytest.raises(CursorRefused, match="another question"):
                searcher.search(replace(request, after=first.cursor, earlier=other))
        assert titles(searcher, "and in Berlin?", [VACATION], filters=Filters(kinds=["row"])) == []
        refused = searcher.search("and in Berlin?", earlier=(VACATION,), min_score=1.0)
        assert not refused.hits and refused.nearest[0].title == "Vacation"

    def test_the_words_of_the_question_before_are_marked_too(self, searcher: Searcher) -> None:
        hit = searcher.search("and in Berlin?", 1, earlier=(VACATION,)).hits[0]
        marked = {hit.text[begin:end].lower() for begin, end in hit.highlights}
        assert {"berlin", "vacation", "days"} <= marked

    def test_a_slip_in_the_question_before_is_mended_again(self, searcher: Searcher) -> None:
        found = searcher.search("and in Berlin?", 1, earlier=("How much vacaton do we have in a year?",))
        assert found.corrections == {"vacaton": "vacation"} and found.hits[0].title == "Vacation"

    def test_several_workspaces_say_it_once(self, searcher: Searcher, acme: Harness, settings: Settings) -> None:
        Harness.register(acme.database, acme.world, acme.server, "globex", "Globex").sync()
        with Searcher(workspaces=("acme", "globex"), settings=settings) as both:
            assert both.search("and in Berlin?", earlier=(VACATION,)).taken_with == [VACATION]
