"""What a question means to a model that knows both languages: what it says, and what its words are in the other one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from uuid import uuid4

import numpy as np
import pytest

from arcana_pipelines.embedding.catalogue import MULTILINGUAL_MODEL, SMALL_MODEL
from arcana_pipelines.embedding.language_means import between, means_of
from arcana_pipelines.embedding.protocol import Embedded
from arcana_pipelines.lexical.analysis import query_terms
from arcana_pipelines.retrieval.answering import IN_OTHER_LANGUAGE, Answering
from arcana_pipelines.retrieval.follow_ups import context_of
from arcana_pipelines.retrieval.query_embedders import QueryEmbedders
from arcana_pipelines.retrieval.ranked_search import Found, Meaning, Question
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.retrieval.serving import Serving

VACATION = "연차는 며칠까지 이월되나요?"
IN_ENGLISH = "vacation leave carry over"
_SIZE = 384


class _Model:
    """Each text has a direction of its own."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def of(self, model: str, dimensions: int, tenant: object) -> _Model:
        return self

    def embed(self, texts: Sequence[str]) -> Embedded:
        self.asked += texts
        return Embedded(np.stack([_direction(text) for text in texts]), len(texts))


class _Asking(Answering):
    def _find(self, question: Question) -> Found:
        raise NotImplementedError


def _direction(text: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(sum(text.encode())).normal(size=_SIZE).astype(np.float32)


def _meant(query: str, model: str = MULTILINGUAL_MODEL, earlier: Sequence[str] = ()) -> tuple[Meaning, list[str]]:
    embedder = _Model()
    question = Question(SearchRequest(query), query, query_terms(query), 10, context=context_of(query, earlier))
    serving = Serving(1, model, _SIZE, {}, "", "none", 0, 100, None)
    meaning = _Asking(uuid4(), cast(QueryEmbedders, embedder))._embedded(question, serving)
    assert meaning is not None
    return meaning, [text.removeprefix("query: ") for text in embedder.asked]


def test_a_part_of_what_is_meant_is_what_the_words_mean_in_the_other_language() -> None:
    meaning, asked = _meant(VACATION)
    assert asked == [VACATION, IN_ENGLISH]
    means = means_of(MULTILINGUAL_MODEL)
    assert means is not None
    own, other = (means.of_question(_direction(f"query: {text}"))[0] for text in asked)
    assert meaning.numbers == pytest.approx(between(own, other, IN_OTHER_LANGUAGE))
    assert np.dot(meaning.numbers, own) > np.dot(meaning.numbers, other) > np.dot(own, other)


def test_the_language_is_that_of_the_question_as_it_was_asked() -> None:
    means = means_of(MULTILINGUAL_MODEL)
    assert means is not None
    assert _meant(VACATION)[0].language == means.of_question(_direction(f"query: {VACATION}"))[1]


@pytest.mark.parametrize(("query", "model"), [("xqzvkw plmwk", MULTILINGUAL_MODEL), (VACATION, SMALL_MODEL)])
def test_one_text_is_embedded_where_no_word_is_known_or_no_language_is(query: str, model: str) -> None:
    assert _meant(query, model)[1] == [query]


def test_earlier_questions_still_take_part() -> None:
    alone, _ = _meant("휴가는?")
    together, asked = _meant("휴가는?", earlier=[VACATION])
    assert asked[-1] == f"{VACATION} 휴가는?" and len(asked) == 3
    assert not np.allclose(alone.numbers, together.numbers)


def test_the_mean_of_two_meanings_has_unit_length() -> None:
    one, other = np.array([1.0, 0.0], np.float32), np.array([0.0, 1.0], np.float32)
    assert np.linalg.norm(between(one, other, 0.2)) == pytest.approx(1.0)
    assert between(one, other, 0.0) == pytest.approx(one)
    assert not between(one, -one, 0.5).any()
