"""What of a hit a person is shown: its passage; of a long one what answers best, with most of the question's words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from arcana_pipelines.retrieval.results import Hit

_SENTENCE_END = re.compile(r"[.!?…。！？]\s+|\n+")
# So much more is shown where the sentence, or the text, ends with it.
_REST = 40


def excerpt(hit: Hit, most: int) -> tuple[str, list[tuple[int, int]]]:
    """About so many characters, up to the end of a sentence, with the spans in them that hold the question's words."""
    if hit.passage is None:
        return _window(hit.text, hit.highlights, most)
    return _window(hit.passage.text, hit.passage.highlights, most, hit.passage.best)


def excerpt_too(hit: Hit, most: int) -> tuple[str, list[tuple[int, int]]]:
    """The same of the other passage that answers nearly as well; an empty text where there is none."""
    if hit.also is None:
        return "", []
    return _window(hit.also.text, hit.also.highlights, most, hit.also.best)


def _window(
    text: str, marked: Sequence[tuple[int, int]], most: int, best: tuple[int, int] | None = None
) -> tuple[str, list[tuple[int, int]]]:
    begins = [0, *(_sentence_before(text, begin, most) for begin, _ in marked)] if len(text) > most else [0]
    if best is not None and best[1] - best[0] < most:
        # What answers best is shown whole, whichever of the question's words stand around it.
        begins = [at for at in begins if at <= best[0] and _end(text, at, most) >= best[1]] or [best[0]]

    def spans_from(begin: int) -> list[tuple[int, int]]:
        end = _end(text, begin, most)
        return [(one, other) for one, other in marked if one >= begin and other <= end]

    begin = max(begins, key=lambda at: len({text[one:other].lower() for one, other in spans_from(at)}))
    end = _end(text, begin, most)
    before, behind = "… " if begin else "", " …" if end < len(text) else ""
    shown = before + text[begin:end].rstrip() + behind
    return shown, [(one - begin + len(before), other - begin + len(before)) for one, other in spans_from(begin)]


def _sentence_before(text: str, at: int, most: int) -> int:
    """Where the line or sentence of a place begins; of a very long one where a word shortly before it does."""
    begin = max((end.end() for end in _SENTENCE_END.finditer(text, 0, at)), default=0)
    return begin if at - begin < most // 2 else text.rfind(" ", 0, at - most // 4) + 1


def _end(text: str, begin: int, most: int) -> int:
    """Where to cut: behind a sentence, or behind a word where there is no end of one near."""
    wanted = begin + most
    if len(text) - wanted <= _REST:
        return len(text)
    ends = [end.end() for end in _SENTENCE_END.finditer(text, begin + most // 2, wanted + _REST)]
    behind = next((end for end in ends if end >= wanted), None)
    return behind or max(ends, default=0) or max(text.rfind(" ", begin + most // 2, wanted), 0) or wanted
