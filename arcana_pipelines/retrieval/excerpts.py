"""What of a hit a person is shown: its passage, of a long one the part that has most of the question's words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from arcana_pipelines.retrieval.results import Hit

_SENTENCE_END = re.compile(r"[.!?…。！？]\s+|\n+")


def excerpt(hit: Hit, most: int) -> tuple[str, list[tuple[int, int]]]:
    """At most so many characters, with the spans in them that hold the question's words."""
    if hit.passage is None:
        return _window(hit.text, hit.highlights, most)
    return _window(hit.passage.text, hit.passage.highlights, most)


def _window(text: str, marked: Sequence[tuple[int, int]], most: int) -> tuple[str, list[tuple[int, int]]]:
    begins = [0, *(_sentence_before(text, begin, most) for begin, _ in marked)] if len(text) > most else [0]

    def spans_from(begin: int) -> list[tuple[int, int]]:
        return [(one, other) for one, other in marked if one >= begin and other <= begin + most]

    begin = max(begins, key=lambda at: len({text[one:other].lower() for one, other in spans_from(at)}))
    before, behind = "… " if begin else "", " …" if begin + most < len(text) else ""
    shown = before + text[begin : begin + most] + behind
    return shown, [(one - begin + len(before), other - begin + len(before)) for one, other in spans_from(begin)]


def _sentence_before(text: str, at: int, most: int) -> int:
    """Where the line or sentence of a place begins; of a very long one where a word shortly before it does."""
    begin = max((end.end() for end in _SENTENCE_END.finditer(text, 0, at)), default=0)
    return begin if at - begin < most // 2 else text.rfind(" ", 0, at - most // 4) + 1
