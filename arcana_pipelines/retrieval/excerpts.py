"""What of a hit a person is shown: its passage; of a long one what answers best, with most of the question's words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from arcana_pipelines.chunking.blocks import is_item
from arcana_pipelines.retrieval.results import Hit, Passage

_SENTENCE_END = re.compile(r"[.!?…。！？]\s+|\n+")
# So much more is shown where the sentence, or the text, ends with it.
_REST = 40


def excerpt(hit: Hit, most: int) -> tuple[str, list[tuple[int, int]]]:
    """About so many characters, up to the end of a sentence, with the spans in them that hold the question's words.

    `…` stands where something is left out: of the passage, or of the list, table or paragraph that it is a part of.
    """
    if hit.passage is None:
        return _window(hit.text, hit.highlights, most)
    text, spans = _of_passage(hit, hit.passage, most)
    return (text.removesuffix(_BEHIND[True]) if hit.also else text), spans


def excerpt_too(hit: Hit, most: int) -> tuple[str, list[tuple[int, int]]]:
    """The same of the other passage that answers nearly as well; an empty text where there is none. Whoever shows it
    puts `…` between both, so it has none of its own there, unless its headings stand between.
    """
    if hit.also is None:
        return "", []
    text, spans = _of_passage(hit, hit.also, most)
    line = _BEFORE[True]
    if hit.passage is None or hit.passage.heading_path != hit.also.heading_path or not text.startswith(line):
        return text, spans
    return text.removeprefix(line), [(begin - len(line), end - len(line)) for begin, end in spans]


def marked_as_part(hit: Hit, passage: Passage) -> tuple[str, str]:
    """What stands before and behind a whole passage where the list, table or paragraph around it is left out.

    Between items and rows it is a line of its own.
    """
    before = hit.text[: passage.begin].endswith("\n") or _is_line(hit.text[passage.begin :])
    last = hit.text[: passage.end].rpartition("\n")[2]
    behind = hit.text[passage.end :].startswith("\n") or (passage.end == len(hit.text) and _is_line(last))
    return _BEFORE[before] if passage.begins_inside else "", _BEHIND[behind] if passage.ends_inside else ""


# Within a line, and on a line of its own.
_BEFORE, _BEHIND = ("… ", "…\n"), (" …", "\n…")


def _is_line(text: str) -> bool:
    """Whether a text begins with an item of a list or a row of a table."""
    return is_item(text) or text.startswith("|")


def _of_passage(hit: Hit, passage: Passage, most: int) -> tuple[str, list[tuple[int, int]]]:
    return _window(passage.text, passage.highlights, most, passage.best, marked_as_part(hit, passage))


def _window(
    text: str,
    marked: Sequence[tuple[int, int]],
    most: int,
    best: tuple[int, int] | None = None,
    around: tuple[str, str] = ("", ""),
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
    shown = text[begin:end].rstrip()
    before, behind = around
    if begin:
        before = _BEFORE[text[begin - 1] == "\n"]
    if end < len(text):
        behind = _BEHIND["\n" in text[begin + len(shown) : end + 1]]
    return before + shown + behind, [
        (one - begin + len(before), other - begin + len(before)) for one, other in spans_from(begin)
    ]


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
