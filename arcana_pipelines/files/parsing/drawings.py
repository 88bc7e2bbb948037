"""Charts and diagrams of office files: what is written in them, as tables and lists."""

from __future__ import annotations

from collections.abc import Iterator

from arcana_pipelines.files.parsing.blocks import Block, Place
from arcana_pipelines.files.parsing.packages import Element, Package, Relation, child, local, value
from arcana_pipelines.files.parsing.plain import plain

_MOST_POINTS = 5_000


def drawing(element: Element, package: Package, relations: dict[str, Relation], place: Place) -> Iterator[Block]:
    """The blocks of the chart or diagram that an element (`c:chart`, `dgm:relIds`) of a drawing refers to.

    Raises:
        Unreadable: its part is broken.
    """
    name = local(element)
    relation = relations.get(value(element, {"chart": "id", "relIds": "dm"}[name]) or "")
    if relation is None or relation.target not in package:
        return
    root = package.tree(relation.target)
    yield from _chart(root, place) if name == "chart" else _diagram(root, place)


def _chart(root: Element, place: Place) -> Iterator[Block]:
    titles = [title for title in root.iter() if local(title) == "title"]
    for title in titles:
        if text := plain("".join(part.text or "" for part in title.iter() if local(part) in {"t", "v"})):
            yield Block("text", text, place=place)
    series = [element for element in root.iter() if local(element) in {"ser", "series"}]
    names = [plain(" ".join(_points(child(one, "tx")).values())) for one in series]
    categories: dict[int, str] = {}
    values = []
    for one in series:
        for words in ("cat", "xVal"):
            categories = categories or _points(child(one, words))
        numbers: dict[int, str] = {}
        for words in ("val", "yVal"):
            numbers = numbers or _points(child(one, words))
        values.append(numbers)
    order = sorted(set(categories).union(*values))[:_MOST_POINTS]
    rows = [["", *names], *([categories.get(n, ""), *(column.get(n, "") for column in values)] for n in order)]
    if any(any(row) for row in rows):
        yield Block("table", rows=rows, place=place)


def _points(element: Element | None) -> dict[int, str]:
    """Values that the program that wrote the chart has kept of its sheet, by their place."""
    if element is None:
        return {}
    found: dict[int, str] = {}
    for part in element.iter():
        if local(part) == "v" and part.text:
            index = value(part.getparent(), "idx")
            found[int(index) if index and index.isdecimal() else len(found)] = plain(part.text)
    return found


def _diagram(root: Element, place: Place) -> Iterator[Block]:
    for point in root.iter():
        if local(point) == "pt":
            for paragraph in point.iter():
                text = plain("".join(part.text or "" for part in paragraph.iter() if local(part) == "t"))
                if local(paragraph) == "p" and text:
                    yield Block("item", text, place=place)
