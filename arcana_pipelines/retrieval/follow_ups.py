"""How the questions before take part in one that goes on from them: "and in Berlin?", "그럼 신입은?".

No model writes the question anew. The fewer words a question has of its own, the more it leans on those before: their
words are looked for beside its own, with less weight, and what it means is a mean of itself and of all of them read
together. A question of four words stands for itself and is searched as if nothing had been asked before, so that a
change of subject is none of this module's business. Words are counted, and not looked up: nothing here knows an index.

Two at most take part: the one right before, and the one that the subject began with, which is the last that stood for
itself. What lies between are "and in Berlin?" and the like. docs/searching.md has what it was measured by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from arcana_pipelines.embedding.language_means import between
from arcana_pipelines.embedding.protocol import Vectors
from arcana_pipelines.lexical.analysis import count_cjk, tokens
from arcana_pipelines.markdown.characters import clean

# So far back a subject may begin, and so much of each question is read: what comes behind adds nothing to a subject.
FURTHEST = 4
LONGEST_PART = 500
# What the words of the question before count, where a question leans on it with all its weight. Of the one before that
# it is this much of this.
_WORDS = 0.6
_LEAST = 0.05
# How much of the meaning is that of all questions read together, likewise.
_MEANING = 0.8
# Syllables or ideographs of a run that count as one word, in Korean without spaces or a script that has none.
_SYLLABLES = 6

# What stands for something said before, and what begins a sentence that goes on.
_POINTING = frozenset(
    "it its they them their theirs that those these this there then one ones he she his her him same else another "
    "그건 그걸 그게 그거 그것 그것도 그거는 그때 그때는 그분 그분은 그곳 그곳은 그런 그중 그중에 그중에서 "
    "이건 이걸 이게 이거 이것 이것도 거기 거기는 거긴 거기서 거기에 거기도 거기까지 여기 여기서 여긴 저기".split()
)
_GOING_ON = frozenset(
    "and but so also then or ok okay 그럼 그러면 그리고 그런데 근데 그래서 그렇다면 그래도 또".split()
)
_ASKING_ON = ("what about", "how about", "what if", "what else")
_AROUND = ".,;:!?()[]{}\"'“”‘’…·"


@dataclass(frozen=True, slots=True)
class Context:
    """The earlier questions that take part in one.

    Attributes:
        question: the one that is asked.
        leaning: how much it leans on them, above 0 to 1.
        earlier: they, oldest first, each with what its words count beside those of the question, above 0 and below 1.
    """

    question: str
    leaning: float
    earlier: tuple[tuple[str, float], ...]

    @property
    def together(self) -> str:
        """All of them in a row, as one text."""
        return " ".join((*(text for text, _ in self.earlier), self.question))

    def meaning(self, alone: Vectors, together: Vectors) -> Vectors:
        """What the question means, of the unit vectors of itself and of all together; at unit length, or 0."""
        return between(alone, together, _MEANING * self.leaning)


def context_of(question: str, earlier: Sequence[str]) -> Context | None:
    """What of earlier questions (oldest first) takes part in one; None: it stands for itself, or nothing was asked."""
    taken = list(_leant_on(question, [text for each in earlier if (text := clean(each).strip()[:LONGEST_PART])]))
    if not taken:
        return None
    nearest, subject = taken[0], taken[-1]
    return Context(question, leaning(question), (subject, nearest) if len(taken) > 1 else (nearest,))


def leaning(question: str) -> float:
    """How much a question leans on those before: 1 without a word of its own, 0 with four."""
    return max(0.0, min(1.0, 1.2 - 0.3 * _own_words(question)))


def _leant_on(question: str, earlier: Sequence[str]) -> Iterator[tuple[str, float]]:
    """The questions that one leans on, and that those lean on, the newest first, with what their words count."""
    share = 1.0
    for text in reversed(earlier[-FURTHEST:]):
        share *= _WORDS * leaning(question)
        if share < _LEAST:
            return
        yield text, share
        question = text


def _own_words(question: str) -> int:
    """The words that say what is asked for; one less where others say that something was asked before."""
    said = [bare for word in question.casefold().split() if (bare := word.strip(_AROUND))]
    if not said:
        return 0
    goes_on = said[0] in _GOING_ON or " ".join(said[:2]) in _ASKING_ON
    own = sum(_words_in(word) for word in said if word not in _POINTING and word not in _GOING_ON)
    return max(0, own - (goes_on or not _POINTING.isdisjoint(said)))


def _words_in(word: str) -> int:
    """0 for one that only joins others or asks."""
    says = any(token.weight >= 1 for token in tokens(word))
    return (1 + max(0, count_cjk(word) - 1) // _SYLLABLES) if says else 0
