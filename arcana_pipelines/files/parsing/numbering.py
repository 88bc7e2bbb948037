"""The labels of numbered paragraphs (`제3조`, `2.1`, `가.`): Word keeps how they count, not what they say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from arcana_pipelines.files.parsing.packages import Element, child, local, number, value

_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"),
          (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip
_SERIES = {
    "ganada": "가나다라마바사아자차카타파하",
    "chosung": "ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊㅋㅌㅍㅎ",
    "decimalenclosedcircle": "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳",
    "ideographtraditional": "甲乙丙丁戊己庚辛壬癸",
    "koreandigital": "일이삼사오육칠팔구",
    "koreandigital2": "一二三四五六七八九",
}
_PLACE = re.compile(r"%([1-9])")


@dataclass(slots=True)
class _Level:
    start: int = 1
    form: str = "decimal"
    label: str = ""
    style: str | None = None


@dataclass(slots=True)
class _List:
    levels: dict[int, _Level] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)


class Numbering:
    """Counts the numbered paragraphs of a document, which are to come in their order."""

    def __init__(self, root: Element | None) -> None:
        """Read the lists of `numbering.xml`; None: the document has none."""
        self._lists: dict[str, _List] = {}
        abstract: dict[str, _List] = {}
        for element in root if root is not None else ():
            if local(element) == "abstractNum":
                levels = {number(value(lvl, "ilvl"), 0): _level(lvl) for lvl in element if local(lvl) == "lvl"}
                abstract[value(element, "abstractNumId") or ""] = _List(levels)
            elif local(element) == "num":
                self._lists[value(element, "numId") or ""] = _used(element, abstract)

    def level_of_style(self, list_id: str, style: str) -> int | None:
        """The level of a list that a style of paragraphs has."""
        known = self._lists.get(list_id)
        return next((n for n, level in known.levels.items() if level.style == style), None) if known else None

    def next_label(self, list_id: str, depth: int) -> str | None:
        """Count one more paragraph; its label, "" with a bullet; None where there is no such list."""
        known = self._lists.get(list_id)
        if known is None or depth not in known.levels:
            return None
        counts = known.counts
        counts[depth] = counts[depth] + 1 if depth in counts else known.levels[depth].start
        for deeper in [n for n in counts if n > depth]:
            del counts[deeper]
        level = known.levels[depth]
        if level.form in {"bullet", "none"}:
            return ""
        return _PLACE.sub(lambda place: self._written(known, int(place[1]) - 1), level.label).strip()

    def _written(self, known: _List, depth: int) -> str:
        level = known.levels.get(depth)
        return _numeral(known.counts.get(depth, level.start), level.form) if level else ""


def _level(element: Element) -> _Level:
    parts = {local(part): value(part) for part in element}
    return _Level(
        number(parts.get("start"), 1), (parts.get("numFmt") or "decimal").lower(), parts.get("lvlText") or "",
        parts.get("pStyle"),
    )  # fmt: skip


def _used(element: Element, abstract: dict[str, _List]) -> _List:
    """One use of a list. Uses of the same one count on, but for those that say where they begin."""
    base = child(element, "abstractNumId")
    known = abstract.get(value(base) or "" if base is not None else "", _List())
    overrides = [part for part in element if local(part) == "lvlOverride"]
    if not overrides:
        return known
    levels = dict(known.levels)
    for override in overrides:
        depth = number(value(override, "ilvl"), 0)
        inner, start = child(override, "lvl"), child(override, "startOverride")
        level = _level(inner) if inner is not None else levels.get(depth, _Level())
        first = number(value(start), level.start) if start is not None else level.start
        levels[depth] = _Level(first, level.form, level.label, level.style)
    return _List(levels)


def _numeral(count: int, form: str) -> str:
    if form in _SERIES and 1 <= count <= len(_SERIES[form]):
        return _SERIES[form][count - 1]
    if form in {"upperroman", "lowerroman"} and 1 <= count < 4000:
        roman = _roman(count)
        return roman.upper() if form == "upperroman" else roman
    if form in {"upperletter", "lowerletter"} and 1 <= count <= 780:
        letters = chr(ord("a") + (count - 1) % 26) * ((count - 1) // 26 + 1)
        return letters.upper() if form == "upperletter" else letters
    return f"{count:02}" if form == "decimalzero" else str(count)


def _roman(count: int) -> str:
    written = ""
    for size, letters in _ROMAN:
        times, count = divmod(count, size)
        written += letters * times
    return written
