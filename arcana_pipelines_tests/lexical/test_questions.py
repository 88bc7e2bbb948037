"""What a question asks for, and how it asks: in Korean and English."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcana_pipelines.lexical.analysis import LEVELS, SILENT, numbers, query_terms, term_id, tokens, without_measure
from arcana_pipelines.lexical.korean import verb_stem, without_endings
from arcana_pipelines.lexical.weights import chunk_weights
from arcana_pipelines.retrieval.highlights import highlights, marks_of


@pytest.mark.parametrize(
    "asked",
    [
        "how do I", "what can you", "could somebody please tell me about", "why won't", "when must I", "whose",
        "how many", "how much", "how often",
        "어떻게 하나요",
        "되나요", "있나요", "알려 주세요", "좀 알려줘", "뭔가요", "무엇인가요", "궁금해요", "혹시 가능한가요",
        "해야 돼요",
        "얼마나", "언제 어디서",
        "하고 싶은데", "인가요", "할 수 있을까요", "부탁드립니다",
    ],
)  # fmt: skip
@pytest.mark.parametrize("subject", ["연차", "refund"])
def test_words_that_only_ask_weigh_next_to_nothing_beside_others(asked: str, subject: str) -> None:
    terms = query_terms(f"{asked} {subject}")
    of_subject = query_terms(subject)
    assert all(terms[number].weight == 1 for number in of_subject)
    assert all(term.weight <= SILENT for number, term in terms.items() if number not in of_subject)


@pytest.mark.parametrize("question", ["how long is the trial", "How  far is it", "how old are robots", "how late"])
def test_the_measure_that_is_asked_for_is_not_looked_for(question: str) -> None:
    """Answers say how long it is, and not `long`, which other texts say of something else."""
    measure = question.split()[1]
    assert query_terms(measure).keys().isdisjoint(query_terms(without_measure(question)))
    assert without_measure(f"a {measure} answer to what is {measure}") == f"a {measure} answer to what is {measure}"


@pytest.mark.parametrize("word", ["쓰나요", "받을까요", "보내세요", "늦었습니다", "먹어요", "신청하려면"])
def test_the_ending_of_a_word_asks_and_its_beginning_does_not(word: str) -> None:
    terms = query_terms(f"휴가 {word}")
    assert terms[term_id(word[-2:])].weight <= SILENT
    assert terms[term_id(word[:2])].weight == 1


@pytest.mark.parametrize("question", ["how to", "what is it", "about", "어떻게 하나요", "있나요?", "나", "The Who"])
def test_a_question_of_such_words_alone_looks_for_them(question: str) -> None:
    """And marks none of them: every text has some."""
    assert max(each.weight for each in query_terms(question).values()) == 1
    assert highlights(question, marks_of(question)) == []


@pytest.mark.parametrize("query", ["vacation days Berlin", "xqzvkw plmwk", "연차 이월", "배포 창구", "qwzx 뷁뷁"])
def test_a_search_that_is_no_question_is_taken_as_it_is(query: str) -> None:
    assert {each.weight for each in query_terms(query).values()} == {1.0}


@given(st.text(max_size=40))
def test_some_word_of_every_query_counts_in_full(query: str) -> None:
    weights = [each.weight for each in query_terms(query).values()]
    assert not weights or max(weights) >= 0.3
    assert all(0 < weight <= 1 for weight in weights)


@pytest.mark.parametrize(
    "forms",
    [
        "쏟았는데 쏟으면 쏟은 쏟아서 쏟았다", "잃어버렸을 잃어버리면 잃어버려서 잃어버린", "들었는데 들으면 듣고",
        "부르면 불렀다", "어려운 어렵습니다 어려워서", "만든 만들면 만듭니다", "보낸 보내면 보냈는데",
        "바꾸고 바꿨어요",
        "받은 받으려면 받았어요", "치우면 치워도", "늦으면 늦었는데",
    ],
)  # fmt: skip
def test_a_text_with_one_form_of_a_korean_verb_is_found_by_another(forms: str) -> None:
    for text in forms.split():
        (weights,) = chunk_weights([("", (), text)])
        indexed = {key // LEVELS for key in weights.keys.tolist()}
        for query in forms.split():
            terms = query_terms(query)
            assert indexed & terms.keys(), (text, query)
            assert term_id("=" + (verb_stem(query) or "")) in weights.terms, (text, query)
            assert highlights(text, marks_of(query)), (text, query)


@pytest.mark.parametrize(
    "noun", "창고 휴가 화면 보고 회의 속도 제도 사고 공지 사용자 확인 기간 지갑 연차를 서버에는".split()
)
def test_a_noun_that_ends_as_verbs_do_is_no_verb(noun: str) -> None:
    assert verb_stem(noun) is None


@given(st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=1, max_size=12))
def test_every_word_of_hangul_keeps_a_syllable_and_is_read_in_a_page_as_in_a_question(word: str) -> None:
    assert without_endings(word)
    assert verb_stem(word) != ""
    assert set(numbers(word)) == {term_id(token.term) for token in tokens(word)}
    indexed = {key // LEVELS for key in chunk_weights([("", (), word)])[0].keys.tolist()}
    assert all(set(each.parts) <= indexed for each in query_terms(word).values())
