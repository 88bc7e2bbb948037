"""The scores by words and by meaning, combined into one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

# With a model that knows all languages meaning is the better half of most questions.
STRONG_MODEL_WEIGHT = 0.7
# With a model that compares passages: how much of a chunk's nearness is its nearest passage's (decision 033), and what
# share of it counts of a text in another language than the question's (decision 072).
OF_PASSAGE = 0.8
OTHER_LANGUAGE = 0.95
# What it counts to have all the words of a question: at least, and where all that is near is in its language.
OF_WORDS, OF_WORDS_ALONE = 0.15, 0.8
# What it counts to say all that a question asks for, in whatever language (decision 063).
OF_COVERED = 0.3
# How much of that counts only as far as one section of the text says it; so many of the first are looked into
# (decision 068).
OF_ONE_SECTION, LOOKED_INTO = 0.5, 10
# The same of all that the question's words can score, where texts are ordered by words alone, or by words above all.
OF_COVERED_BY_WORDS = 0.15
# Among so many of the first there is a text of another language than the others', if one is at least so much as near to
# the question as the nearest (decision 070).
OF_BOTH_LANGUAGES, AS_NEAR = 5, 0.5
NEAREST = 20  # texts whose languages are looked at for that
# The constant of reciprocal rank fusion; the authors found 60 on other collections and kept it.
RRF_CONSTANT = 60

# By words and meaning, or by one of them alone.
Ranking = Literal["fused", "dense", "lexical"]
# How words and meaning are combined: by their scores, or by their ranks.
Fusion = Literal["weighted", "rrf"]


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate with both of its exact scores.

    Attributes:
        chunk: its `document_chunk_id`.
        lexical: BM25, 0 or more; 0: the chunk has none of the query's words.
        dense: the cosine of its vector with the query's, -1 to 1.
        is_same_language: it is in the language of the question, as far as that is known.
        covered: how much of what the question asks for it says, in whatever words and language, 0 to 1.
    """

    chunk: int
    lexical: float
    dense: float
    is_same_language: bool = True
    covered: float = 0.0


def nearness(of_chunk: float, of_passage: float | None, is_same_language: bool) -> float:
    """How near a chunk is to a question, -1 to 1, by its own cosine similarity and that of its nearest passage.

    Of two texts that say as much whoever asks wants the one in the question's language.
    """
    if of_passage is None:
        return of_chunk
    near = OF_PASSAGE * of_passage + (1 - OF_PASSAGE) * of_chunk
    return near if is_same_language else OTHER_LANGUAGE * near


def fuse(candidates: Sequence[Scored], meaning: float) -> list[tuple[int, float]]:
    """Weighted sum of both scores, each scaled to 0..1 among the candidates; best first."""
    if not candidates:
        return []
    most = max(each.lexical for each in candidates) or 1.0
    low, high = min(each.dense for each in candidates), max(each.dense for each in candidates)
    spread = (high - low) or 1.0
    return _best_first(
        {each.chunk: meaning * (each.dense - low) / spread + (1 - meaning) * each.lexical / most for each in candidates}
    )


def with_covered(candidates: Sequence[Scored], attainable: float) -> list[Scored]:
    """The candidates, whose scores by words count how much of the question each text says, too."""
    more = OF_COVERED_BY_WORDS * attainable
    return [
        Scored(each.chunk, each.lexical + more * each.covered, each.dense, each.is_same_language, each.covered)
        for each in candidates
    ]


def fuse_as_they_are(candidates: Sequence[Scored], attainable: float) -> list[tuple[int, float]]:
    """The nearness of each, how much of what the question asks for it says, and how much of what its words can score it
    has; best first.

    Scores by words prefer texts of the question's language: others cannot have all of them, and many a text of its own
    has one by chance. So words count much where all that is near is in the question's language, and little elsewhere.
    """
    nearest = sorted(candidates, key=lambda each: -each.dense)[:NEAREST]
    share = fmean(each.is_same_language for each in nearest) if nearest else 0.0
    of_words = OF_WORDS + (OF_WORDS_ALONE - OF_WORDS) * share**5
    return _best_first(
        {
            each.chunk: each.dense + OF_COVERED * each.covered + of_words * each.lexical / (attainable or 1.0)
            for each in candidates
        }
    )


def in_one_section(best: Sequence[tuple[int, float]], apart: Mapping[int, float]) -> list[tuple[int, float]]:
    """The same, where the first ones lose by what they say of a question in sections `apart`: a share of it, by chunk.

    They stay the first.
    """
    lost = {chunk: OF_COVERED * OF_ONE_SECTION * share for chunk, share in apart.items()}
    first = _best_first({chunk: score - lost.get(chunk, 0.0) for chunk, score in best[:LOOKED_INTO]})
    least = first[-1][1] if first else 0.0
    return [*first, *((chunk, min(score, least)) for chunk, score in best[LOOKED_INTO:])]


def of_both_languages(best: Sequence[tuple[int, float]], candidates: Sequence[Scored]) -> list[tuple[int, float]]:
    """The same, where not all of the first few are in the question's language, or all in others.

    Texts of its language have its words, so what a page of another one says as well may stand behind many of them. The
    best such text takes the last place of the first few, with the score of the one that had it.
    """
    of = {each.chunk: each for each in candidates}
    first, rest = best[:OF_BOTH_LANGUAGES], best[OF_BOTH_LANGUAGES:]
    languages = {of[chunk].is_same_language for chunk, _ in first}
    least = AS_NEAR * max((each.dense for each in candidates), default=0.0)
    others = (chunk for chunk, _ in rest if of[chunk].is_same_language not in languages and of[chunk].dense >= least)
    if (found := next(others, None)) is None:
        return list(best)
    return [*first[:-1], (found, first[-1][1]), first[-1], *(each for each in rest if each[0] != found)]


def fuse_by_rank(candidates: Sequence[Scored], constant: int = RRF_CONSTANT) -> list[tuple[int, float]]:
    """Reciprocal rank fusion: the sum of 1 / (constant + rank) over both orders; best first.

    What has none of the query's words has no rank by words. Equal scores have equal ranks. The sum is divided by what
    the first of both orders gets, so that it is 0..1 as the other scores are.

    Cormack, Clarke, Büttcher: Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods.
    SIGIR 2009, https://doi.org/10.1145/1571941.1572114.
    """
    with_words = [each for each in candidates if each.lexical > 0]
    orders = (_ranks(with_words, lambda each: each.lexical), _ranks(candidates, lambda each: each.dense))
    scores: defaultdict[int, float] = defaultdict(float)
    for order in orders:
        for chunk, rank in order.items():
            scores[chunk] += (constant + 1) / (constant + rank) / len(orders)
    return _best_first(scores)


def weight_of_meaning(best_lexical: float, attainable: float, is_cjk: bool, is_weak: bool) -> float:
    """How much of the fused score is meaning.

    A chunk that has nearly all of the query's words, often and in its headings, needs no help; the fewer words are
    found, the more meaning says. The local model knows little but English (docs/evaluation.md has the measurements).
    """
    if not is_weak:
        return STRONG_MODEL_WEIGHT
    uncovered = 1 - min(1.0, best_lexical / attainable) if attainable else 1.0
    return 0.4 * uncovered**2 * (0.5 if is_cjk else 1.0)


def _ranks(candidates: Sequence[Scored], score: Callable[[Scored], float]) -> dict[int, int]:
    """The rank of each chunk, from 1; equals share the better one."""
    ranks: dict[int, int] = {}
    before: float | None = None
    rank = 0
    for place, each in enumerate(sorted(candidates, key=score, reverse=True), start=1):
        if score(each) != before:
            before, rank = score(each), place
        ranks[each.chunk] = rank
    return ranks


def _best_first(scores: Mapping[int, float]) -> list[tuple[int, float]]:
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
