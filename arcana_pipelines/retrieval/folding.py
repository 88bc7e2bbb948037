"""Each text once: pages repeat each other, and a reader wants to read a thing once.

Not each form of words once. `Code of the door: 4711` and `Code of the door: 4712` are nearly the same text and two
answers, and so are two rows of a database. So texts that differ in a number or in a word of the question are never one
hit, rows only when nothing tells them apart, and where other pages word it differently, the hit says how.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from arcana_pipelines.markdown.characters import nfc
from arcana_pipelines.retrieval.highlights import terms_in
from arcana_pipelines.retrieval.results import Hit, Place

if TYPE_CHECKING:
    from arcana_pipelines.retrieval.character_pairs import CharacterPairs

# Texts as alike as this are one hit (percent of characters, `rapidfuzz.fuzz.ratio`).
ALIKE = 95.0
# A text is compared with so many in full sooner than numpy is imported.
_FEW = 24
# A word with a digit in it, with what belongs to it: a sign, a unit, a currency, the rest of a date or a time.
# It is tried from its beginning alone.
_NUMBER = re.compile(r"(?<!\S)[^\s\d]*+\d\S*+")
_AROUND_NUMBERS = ".,;:!?()[]{}<>\"'`*_~|"


@dataclass(frozen=True, slots=True)
class Folded:
    """Hits, each text once.

    Attributes:
        hits: the different texts, best first.
        alike: for each of them, the hits that repeat it.
        repeated: hits that repeat a text that was shown before, each page once.
        repeating: all of those.
        is_more: there is a further text.
    """

    hits: list[Hit] = field(default_factory=list)
    alike: list[list[Hit]] = field(default_factory=list)
    repeated: list[Hit] = field(default_factory=list)
    repeating: list[Hit] = field(default_factory=list)
    is_more: bool = False


def fold(hits: Iterable[Hit], most: int, asked: Set[int], before: Sequence[Hit] = ()) -> Folded:
    """The first `most` different texts: what is nearly the same on other pages is named with the best of them.

    No more hits are taken than are needed to know what the next different text is. `asked` are the numbers of the
    question's terms, `before` hits of an earlier answer.
    """
    kept = list(before)
    alike: list[list[Hit]] = [[] for _ in kept]
    repeated: list[Hit] = []
    first, most = len(kept), len(kept) + most
    among = _Texts(kept, most)
    is_more = False
    for hit in hits:
        near = among.near(hit)
        at = next((at for at in near if are_alike(hit, kept[at], asked)), None)
        if at is not None:
            twin = kept[at]
            alike[at].append(hit)
            if hit.external_id not in (twin.external_id, *(place.external_id for place in twin.duplicates)):
                twin.duplicates.append(Place(hit.external_id, hit.title, hit.url, _differences(twin, hit)))
                if at < first:
                    repeated.append(hit)
        elif len(kept) == most:
            is_more = True
            break
        else:
            kept.append(hit)
            alike.append([])
    repeating = [hit for hits in alike[:first] for hit in hits]
    return Folded(kept[first:], alike[first:], repeated, repeating, is_more)


class _Texts:
    """Finds those of the kept hits whose texts may be nearly the same as another's."""

    def __init__(self, kept: list[Hit], most: int) -> None:
        """`kept` grows to at most `most`."""
        self._kept, self._most = kept, most
        self._pairs: CharacterPairs | None = None
        self._counted = 0

    def near(self, hit: Hit) -> Iterable[int]:
        """Where in the kept ones they are."""
        if len(self._kept) <= _FEW:
            return range(len(self._kept))
        if self._pairs is None:
            from arcana_pipelines.retrieval.character_pairs import CharacterPairs

            self._pairs = CharacterPairs(self._most)
        self._pairs.add(_said(each.text) for each in self._kept[self._counted :])
        self._counted = len(self._kept)
        return self._pairs.may_be_alike(_said(hit.text), ALIKE)


def are_alike(one: Hit, other: Hit, asked: Set[int]) -> bool:
    """Do they say the same: nearly the same text and no other facts, or rows that nothing tells apart?"""
    if "row" in (one.kind, other.kind):
        return one.text == other.text and one.title == other.title
    if one.text == other.text:
        return True
    return _are_near(_said(one.text), _said(other.text)) and _facts(one, asked) == _facts(other, asked)


def _are_near(one: str, other: str) -> bool:
    # Most pairs of texts differ too much in length, and a search without two that do not needs no library.
    if abs(len(one) - len(other)) > (1 - ALIKE / 100) * (len(one) + len(other)):
        return False
    from rapidfuzz import fuzz

    return fuzz.ratio(one, other, score_cutoff=ALIKE) > 0


@lru_cache(256)  # a text is compared with several
def _said(text: str) -> str:
    """What a text says, however it is set: without regard to case, blanks, lines, emphasis and composition."""
    return " ".join(nfc(text).replace("*", "").replace("`", "").casefold().split())


def _facts(hit: Hit, asked: Set[int]) -> tuple[list[str], Set[int]]:
    """What may not differ: the different numbers in their order, and which words of the question there are."""
    text = _below_title(hit)
    in_order = dict.fromkeys(word.strip(_AROUND_NUMBERS) for word in _NUMBER.findall(text))
    return list(in_order), terms_in(text, asked)


def _below_title(hit: Hit) -> str:
    """The text without the page's title, which is shown with it anyway: `Copy 2` repeats `Copy 1`."""
    return hit.text.removeprefix(f"# {hit.title}\n")


def _differences(hit: Hit, other: Hit) -> list[tuple[str, str]]:
    """The words of `hit` that are others in `other`, with those."""
    from rapidfuzz.distance import Levenshtein

    words, others = _below_title(hit).split(), _below_title(other).split()
    said, said_there = list(map(_said, words)), list(map(_said, others))
    return [
        (" ".join(words[part.src_start : part.src_end]), " ".join(others[part.dest_start : part.dest_end]))
        for part in Levenshtein.opcodes(said, said_there)
        if part.tag != "equal"
    ]
