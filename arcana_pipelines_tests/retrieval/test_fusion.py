"""Reciprocal rank fusion: what the orders say together, whatever the scores are."""

from __future__ import annotations

import pytest

from arcana_pipelines.retrieval.fusion import (
    AS_NEAR,
    LOOKED_INTO,
    OF_BOTH_LANGUAGES,
    OF_COVERED,
    OF_ONE_SECTION,
    RRF_CONSTANT,
    Scored,
    fuse,
    fuse_by_rank,
    in_one_section,
    of_both_languages,
    with_covered,
)


def test_the_score_is_the_sum_of_reciprocal_ranks_over_that_of_the_first_of_both() -> None:
    found = dict(fuse_by_rank([Scored(1, 9.0, 0.9), Scored(2, 5.0, 0.8), Scored(3, 7.0, 0.1)], constant=60))
    best = 2 / 61
    assert found[1] == pytest.approx(1.0)
    assert found[2] == pytest.approx((1 / 63 + 1 / 62) / best)
    assert found[3] == pytest.approx((1 / 62 + 1 / 63) / best)


def test_only_the_order_of_the_scores_matters() -> None:
    near = [Scored(1, 1.01, 0.50), Scored(2, 1.00, 0.51)]
    far = [Scored(1, 99.0, 0.01), Scored(2, 0.10, 0.99)]
    assert fuse_by_rank(near) == fuse_by_rank(far)


def test_what_has_none_of_the_words_has_no_rank_by_words() -> None:
    found = dict(fuse_by_rank([Scored(1, 4.0, 0.5), Scored(2, 0.0, 0.6), Scored(3, 0.0, 0.4)]))
    assert found[2] == pytest.approx(0.5)
    assert found[3] == pytest.approx(0.5 * (RRF_CONSTANT + 1) / (RRF_CONSTANT + 3))


def test_equals_share_a_rank_and_stand_in_a_fixed_order() -> None:
    candidates = [Scored(7, 2.0, 0.5), Scored(5, 2.0, 0.5), Scored(6, 1.0, 0.1)]
    found = fuse_by_rank(candidates)
    assert found == fuse_by_rank(candidates[::-1])
    assert [chunk for chunk, _ in found] == [5, 7, 6]
    assert found[0][1] == found[1][1] == 1.0


def test_no_candidates_have_no_order() -> None:
    assert fuse_by_rank([]) == []


def test_by_words_a_text_that_says_more_of_the_question_comes_before_one_that_scores_a_little_more() -> None:
    repeats, says = Scored(1, 2.1, 0.0, covered=0.3), Scored(2, 2.0, 0.0, covered=0.9)
    assert fuse([repeats, says], 0.0)[0][0] == 1
    assert fuse(with_covered([repeats, says], 8.0), 0.0)[0][0] == 2


def test_what_a_text_says_in_sections_apart_counts_less_and_the_first_ones_stay_the_first() -> None:
    best = [(chunk, 1.0 - chunk / 1000) for chunk in range(LOOKED_INTO + 2)]
    found = in_one_section(best, {0: 0.5, 1: 0.1})
    assert [chunk for chunk, _ in found] == [*range(2, LOOKED_INTO), 1, 0, LOOKED_INTO, LOOKED_INTO + 1]
    assert dict(found)[0] == pytest.approx(1.0 - OF_COVERED * OF_ONE_SECTION * 0.5)
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    assert in_one_section([], {}) == []


def test_the_best_text_of_another_language_is_the_last_of_the_first_few() -> None:
    own = [Scored(number, 2.0, 0.6) for number in range(OF_BOTH_LANGUAGES + 3)]
    others = [Scored(100 + number, 0.0, 0.5, is_same_language=False) for number in range(2)]
    best = [(each.chunk, 1.0 - place / 100) for place, each in enumerate([*own, *others])]
    found = of_both_languages(best, [*own, *others])
    last = OF_BOTH_LANGUAGES - 1
    assert [chunk for chunk, _ in found] == [*range(last), 100, *range(last, len(own)), 101]
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    assert dict(found) == {**dict(best), 100: best[last][1]}
    # The same where all of the first are of the other one.
    turned = [Scored(each.chunk, 0.0, each.dense, not each.is_same_language) for each in [*own, *others]]
    assert of_both_languages(best, turned) == found


def test_no_text_of_another_language_comes_up_that_is_far_or_where_one_is_there() -> None:
    own = [Scored(number, 2.0, 0.6) for number in range(OF_BOTH_LANGUAGES + 3)]
    far = Scored(100, 0.0, 0.6 * AS_NEAR - 0.01, is_same_language=False)
    best = [(each.chunk, 1.0 - place / 100) for place, each in enumerate([*own, far])]
    assert of_both_languages(best, [*own, far]) == best
    first = Scored(101, 0.0, 0.7, is_same_language=False)
    near = Scored(102, 0.0, 0.6, is_same_language=False)
    assert of_both_languages(both := [(101, 2.0), *best, (102, 0.1)], [*own, far, first, near]) == both
    assert of_both_languages(best[:2], own) == best[:2]
    assert of_both_languages([], []) == []
