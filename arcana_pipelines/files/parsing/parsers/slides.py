"""Presentations (.pptx): slide after slide, as they are shown, each with its notes.

Not read: what stands on every slide (masters, dates, numbers), names and descriptions of pictures, embedded objects.
"""

from __future__ import annotations

from collections.abc import Iterator

from arcana_pipelines.files.parsing.blocks import Block, Note, Place, Said
from arcana_pipelines.files.parsing.drawings import drawing
from arcana_pipelines.files.parsing.grid import Grid
from arcana_pipelines.files.parsing.packages import Element, Package, Relation, child, chosen, local, number, value
from arcana_pipelines.files.parsing.plain import plain
from arcana_pipelines.files.parsing.protocol import Job

_TITLES = frozenset({"title", "ctrTitle"})
_OF_EVERY_SLIDE = frozenset({"dt", "ftr", "hdr", "sldNum", "sldImg"})
_OUTLINES = frozenset({"body", "obj"})  # what masters draw with a bullet before each paragraph


def parse(job: Job) -> Iterator[Said]:
    """Say what stands on the slides.

    Raises:
        Unreadable: damaged, or larger than it may be.
    """
    with Package.opened(job.path) as package:
        roots = package.relations().values()
        main = next((r.target for r in roots if r.kind == "officeDocument"), "ppt/presentation.xml")
        relations = package.relations(main)
        listed = child(package.tree(main), "sldIdLst")
        names = [relations.get(_id_of_relation(slide)) for slide in listed] if listed is not None else []
        hidden = []
        for n, relation in enumerate(names, start=1):
            if relation is None or relation.target not in package:
                yield Note(f"slide {n} is missing in the file")
                continue
            slide = package.tree(relation.target)
            if value(slide, "show") in {"0", "false"}:
                hidden.append(str(n))
            yield from _slide(slide, package, relation.target, Place(slide=n))
        if hidden:
            yield Note(f"hidden slides, read as the others: {', '.join(hidden)}")


def _id_of_relation(slide: Element) -> str:
    """A slide has two ids: one without a namespace is its own."""
    return next((text for key, text in slide.attrib.items() if key.endswith("}id")), "")


def _slide(root: Element, package: Package, name: str, place: Place) -> Iterator[Block]:
    relations = package.relations(name)
    tree = child(root, "cSld", "spTree")
    shapes = list(_shapes(tree)) if tree is not None else []
    # The title first, whatever lies below it.
    for shape in sorted(shapes, key=lambda shape: _placeholder(shape) not in _TITLES):
        yield from _shape(shape, package, relations, place)
    for relation in relations.values():
        if relation.target not in package:
            continue
        if relation.kind == "notesSlide":
            yield from _notes(package.tree(relation.target), place)
        elif relation.kind == "comments":
            yield from _comments(package.tree(relation.target), place)


def _shapes(element: Element) -> Iterator[Element]:
    """Shapes and frames in their order, those of groups in place of the group."""
    for inner in element:
        name = local(inner)
        if name in {"sp", "graphicFrame"}:
            yield inner
        elif name == "grpSp":
            yield from _shapes(inner)
        elif name == "AlternateContent":
            yield from _shapes(chosen(inner))


def _placeholder(shape: Element) -> str | None:
    """What a shape is by the layout of its slide: "obj" for a place of any kind, None for a shape of its own."""
    found = child(shape, "nvSpPr", "nvPr", "ph")
    return None if found is None else value(found, "type") or "obj"


def _shape(shape: Element, package: Package, relations: dict[str, Relation], place: Place) -> Iterator[Block]:
    if local(shape) == "graphicFrame":
        for inner in shape.iter():
            if local(inner) == "tbl":
                yield from _table(inner, place)
            elif local(inner) in {"chart", "relIds"} and inner.attrib:
                yield from drawing(inner, package, relations, place)
        return
    kind = _placeholder(shape)
    body = child(shape, "txBody")
    if body is None or kind in _OF_EVERY_SLIDE:
        return
    if kind in _TITLES:
        if text := " ".join(filter(None, map(_text, _paragraphs(body)))):
            yield Block("heading", text, level=1, place=place)
        return
    for paragraph in _paragraphs(body):
        if text := _text(paragraph):
            depth = _depth_as_item(paragraph, kind in _OUTLINES)
            yield Block("text", text, place=place) if depth is None else Block("item", text, level=depth, place=place)


def _paragraphs(body: Element) -> Iterator[Element]:
    return (inner for inner in body if local(inner) == "p")


def _text(paragraph: Element) -> str:
    pieces = []
    for part in paragraph.iter():
        if local(part) == "t":
            pieces.append(part.text or "")
        elif local(part) in {"br", "tab"}:
            pieces.append(" ")
    return plain("".join(pieces))


def _depth_as_item(paragraph: Element, is_outline: bool) -> int | None:
    """How deep a paragraph lies in a list; None: it has no bullet, of its own or of the master."""
    properties = child(paragraph, "pPr")
    names = {local(inner) for inner in properties} if properties is not None else set()
    if "buNone" in names or not (is_outline or names & {"buChar", "buAutoNum", "buBlip"}):
        return None
    return max(0, min(number(value(properties, "lvl"), 0), 8)) if properties is not None else 0


def _table(element: Element, place: Place) -> Iterator[Block]:
    grid = Grid()
    for row in (inner for inner in element if local(inner) == "tr"):
        grid.row()
        left = ""
        for cell in (inner for inner in row if local(inner) == "tc"):
            # Each covered place has an element of its own.
            if value(cell, "vMerge") in {"1", "true"}:
                grid.again()
            elif value(cell, "hMerge") in {"1", "true"}:
                grid.repeat(left)
            else:
                body = child(cell, "txBody")
                left = " ".join(filter(None, map(_text, _paragraphs(body)))) if body is not None else ""
                grid.cell(left)
    if table := grid.table():
        yield Block("table", rows=table, place=place)


def _notes(root: Element, place: Place) -> Iterator[Block]:
    """What the speaker wrote down for a slide."""
    tree = child(root, "cSld", "spTree")
    for shape in _shapes(tree) if tree is not None else ():
        body = child(shape, "txBody")
        if body is not None and _placeholder(shape) not in _OF_EVERY_SLIDE:
            for paragraph in _paragraphs(body):
                if text := _text(paragraph):
                    yield Block("quote", text, place=place)


def _comments(root: Element, place: Place) -> Iterator[Block]:
    """Comments of either age: one text each, or a body of paragraphs."""
    for element in root.iter():
        if local(element) == "text" and (text := plain(element.text or "")):
            yield Block("quote", text, place=place)
        elif local(element) == "txBody":
            for paragraph in _paragraphs(element):
                if text := _text(paragraph):
                    yield Block("quote", text, place=place)
