"""Words that mean about the same, in English and Korean: a question finds texts that say it in others.

Words of one language never stand in texts of another, so without a dictionary words say nothing across languages.
`concepts.txt` has a concept a line: the Korean words, `|`, the English ones, the commonest first. Korean verbs and
adjectives stand in their dictionary form. A word may stand in several lines.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path

from arcana_pipelines.lexical.analysis import (
    LEAST,
    QueryTerm,
    is_asking,
    query_terms,
    runs_of,
    stem_of_english,
    tokens,
)
from arcana_pipelines.lexical.english_marks import apart
from arcana_pipelines.lexical.korean import only_asks, verb_stem, with_fewer_endings

# What a word of the same meaning counts, of what the word itself does: in the other language, and in the same.
IN_OTHER_LANGUAGE = 0.5
IN_SAME_LANGUAGE = 0.2
_MOST = 5  # words of each language that are looked for in place of one
_SURE = 2  # of more words each may mean something else
_SHORTEST_PIECE = 2  # syllables of a word inside of a compound
# Syllables that stand before whole words. Another one that is left over before a piece is mostly a part of a longer
# word: in 원두통 (a bin for beans) there is no 두통 (a headache).
_BEFORE_WORDS = frozenset("재미비신구총전각본타대소초고저최첫주부반무불물맨새뒷끝윗")
# `hr` in HR-1200 is no word.
_WORD = re.compile(r"[가-힣]+|(?<![a-z0-9])(?<![a-z0-9][-_./&])[a-z]++(?![0-9]|[-_./&][a-z0-9])")


@dataclass(frozen=True, slots=True)
class _Concepts:
    """The file as it is read.

    Attributes:
        lines: its lines, as (Korean words, English words).
        named: the numbers of those that have a word, by its key.
        longest: characters that a key has at most.
    """

    lines: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    named: Mapping[str, tuple[int, ...]]
    longest: int


@dataclass(frozen=True, slots=True)
class Meaning:
    """A word of a text, with those that mean about the same.

    Attributes:
        word: as it is written, in lower case.
        part: what of it means this: all of it, or one of the words that a Korean compound is made of.
        same: other words of its language, the commonest first.
        other: words of the other language, likewise.
    """

    word: str
    part: str
    same: Sequence[str]
    other: Sequence[str]


def meanings(text: str) -> list[Meaning]:
    """Those of the words of a text that are known, in their order."""
    return [meaning for word in dict.fromkeys(_WORD.findall(text.lower())) for meaning in _meanings_of(word)]


def in_other_words(text: str) -> dict[int, QueryTerm]:
    """The terms, by their number, of words of the same language that mean about the same, with what they count."""
    return _together(IN_SAME_LANGUAGE, (meaning.same for meaning in meanings(text)))


def in_other_language(text: str) -> dict[int, QueryTerm]:
    """The terms of a query, by their number, as they stand in texts of the other language, with what they count.

    Names, numbers and whatever English has no meaning here are written in Korean texts as they are. Empty: no word has
    a meaning here.
    """
    known = meanings(text)
    terms = _together(IN_OTHER_LANGUAGE, (meaning.other for meaning in known))
    if terms:
        words = {meaning.word for meaning in known}
        rest = _WORD.sub(lambda match: " " if match[0] >= "가" or match[0] in words else match[0], text.lower())
        # What joins and asks counts here as little as in the question: it is not all that is asked for.
        asked = query_terms(text.lower())
        terms = {number: asked[number] for number in query_terms(rest) if number in asked} | terms
    return terms


def as_in_other_language(text: str) -> str:
    """The words of a question that say what is asked for, as texts of the other language have them, in their order.

    Names, numbers and whatever English has no meaning here stay as they are; of Korean it is left out. Empty: no word
    has a meaning here.
    """
    known: defaultdict[str, list[str]] = defaultdict(list)
    for meaning in meanings(text):
        known[meaning.word] += meaning.other[:_SURE]
    is_korean = any(word >= "가" for word in known)
    said = [
        " ".join(known[run]) if run in known else run
        for run in runs_of(text)
        if run in known or not (is_asking(run) or (is_korean and run >= "가"))
    ]
    return " ".join(said) if known else ""


def translations(text: str) -> list[str]:
    """Words of the other language that those of a text mean without much doubt: such as are worth marking.

    None of a word that is known by the stem of another one (see `apart`).
    """
    sure = (meaning for meaning in meanings(text) if len(meaning.other) <= _SURE and apart(meaning.word) is None)
    return [word for meaning in sure for word in meaning.other]


def as_written(word: str) -> str:
    """A word of the file as texts have it: of a Korean verb its stem."""
    return word.removesuffix("다") if len(word) > 1 else word


def _together(share: float, meanings_of_words: Iterable[Sequence[str]]) -> dict[int, QueryTerm]:
    terms: dict[int, QueryTerm] = {}
    for words in meanings_of_words:
        for word in words:
            for number, term in _terms_of(word).items():
                weight = term.weight * share / len(words) ** 0.5
                if number not in terms or terms[number].weight < weight:
                    terms[number] = replace(term, weight=weight)
    return terms


@lru_cache(2_000)
def _meanings_of(word: str) -> tuple[Meaning, ...]:
    concepts = _concepts()
    is_korean = word >= "가"
    found = []
    for part, key in _parts_of_korean(word, concepts) if is_korean else _parts_of_english(word, concepts):
        lines = [concepts.lines[number] for number in concepts.named[key]]
        korean, english = (_merged([line[of] for line in lines], key) for of in (0, 1))
        found.append(Meaning(word, part, *((korean, english) if is_korean else (english, korean))))
    return tuple(found)


def _merged(words: list[tuple[str, ...]], without: str) -> list[str]:
    """The words of several lines, each once, the first of each line before the second ones."""
    longest = max(map(len, words), default=0)
    taken = dict.fromkeys(line[at] for at in range(longest) for line in words if at < len(line))
    return [word for word in taken if _key(word) != without][:_MOST]


def _parts_of_english(word: str, concepts: _Concepts) -> Iterator[tuple[str, str]]:
    """The word with its key, where it is known."""
    key = _key(word)
    if key in concepts.named and max(token.weight for token in tokens(word)) > LEAST:
        yield word, key


def _parts_of_korean(word: str, concepts: _Concepts) -> Iterator[tuple[str, str]]:
    """The word with its key, or each of the words that it is made of."""
    (_, noun, stem), verb = with_fewer_endings(word), verb_stem(word)
    if only_asks(word, stem, verb):
        return
    for key in (word, f"{verb}다", noun, stem):
        if key in concepts.named:
            yield word, key
            return
    begin = behind = 0
    while begin + _SHORTEST_PIECE <= len(noun):
        ends = range(min(len(noun), begin + concepts.longest), begin + _SHORTEST_PIECE - 1, -1)
        end = next((end for end in ends if noun[begin:end] in concepts.named), None)
        if end is None or (begin == behind + 1 and noun[behind] not in _BEFORE_WORDS):
            begin += 1
        else:
            yield noun[begin:end], noun[begin:end]
            begin = behind = end


def _key(word: str) -> str:
    """What a word of the file, or of a query in English, is known by. A Korean verb: its stem, with 다."""
    if word < "가":
        return stem_of_english(word)
    if len(word) == 1 or not word.endswith("다"):
        return word
    return f"{verb_stem(word[:-1] + '려면') or verb_stem(word[:-1] + '으면') or word[:-1]}다"


@cache
def _concepts() -> _Concepts:
    lines: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    named: dict[str, list[int]] = {}
    for line in Path(__file__).with_name("concepts.txt").read_text(encoding="utf-8").splitlines():
        korean, _, english = line.partition("|")
        for word in (*korean.split(), *english.split()):
            named.setdefault(_key(word), []).append(len(lines))
        lines.append((tuple(korean.split()), tuple(english.split())))
    numbered = {key: tuple(dict.fromkeys(numbers)) for key, numbers in named.items()}
    return _Concepts(tuple(lines), numbered, max(map(len, numbered)))


@lru_cache(2_000)
def _terms_of(word: str) -> dict[int, QueryTerm]:
    return query_terms(as_written(word))
