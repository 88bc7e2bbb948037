"""The links and pictures of an exported page's body."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from arcana_pipelines.markdown.lines import in_code
from arcana_pipelines.markdown.urls import file_name
from arcana_pipelines.sources.notion_export.references import Place

_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_DESTINATION = re.compile(r"\]\([ \t]*(?:<([^<>\n]*)>|((?:[^()\s<]|\([^()\s]*+\))*+))")
_ID = re.compile(r"[0-9a-fA-F]{32}/")
_SPECIAL = re.compile(r"[\\\[\]*_`<>]")


def read_links(markdown: str, place: Place) -> tuple[str, tuple[str, ...]]:
    """A body in which no file is called by its path, and the ids of the pages that it links to.

    Older exports name a picture or file without a caption by its path: `![Page%20id/map.png](Page%20id/map.png)`.
    """
    if "](" not in markdown:
        return markdown, ()
    links: dict[str, None] = {}
    lines = markdown.split("\n")
    fence = ""
    for number, line in enumerate(lines):
        if (mark := _FENCE.match(line)) is not None:
            opening = mark.group(1)
            if not fence:
                fence = opening
            elif opening.startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif not fence and "](" in line:
            lines[number] = _read_line(line, place, links)
    return "\n".join(lines), tuple(links)


@dataclass(frozen=True, slots=True)
class Link:
    """A link or picture as it stands in a body; its label is Markdown."""

    address: str
    label: str
    is_picture: bool


def links_of(markdown: str) -> Iterator[Link]:
    """The links and pictures of a body, none of them in a code block."""
    lines = markdown.split("\n") if "](" in markdown else []
    for line, is_code in zip(lines, in_code(lines), strict=True):
        at = 0
        for match in _DESTINATION.finditer(line) if "](" in line and not is_code else ():
            address = match.group(1) or match.group(2) or ""
            opening = _opening(line, at, match.start(), address)
            if opening is not None:
                is_picture = opening > at and line[opening - 1] == "!"
                yield Link(address, line[opening + 1 : match.start()], is_picture)
            at = match.end()


def _read_line(line: str, place: Place, links: dict[str, None]) -> str:
    out: list[str] = []
    at = 0
    for match in _DESTINATION.finditer(line):
        address = match.group(1) or match.group(2) or ""
        if "://" not in address and (page := place.page(address)) is not None:
            links[page] = None
        opening = _opening(line, at, match.start(), address)
        if opening is not None:
            label = line[opening + 1 : match.start()]
            picture = opening > at and line[opening - 1] == "!"
            name = file_name(address) if "://" in address else unquote(address).rpartition("/")[2]
            if name and (_is_path_of(label, address) or (picture and label == address)):
                out += (line[at : opening + 1], _SPECIAL.sub(r"\\\g<0>", " ".join(name.split())))
                at = match.start()
        out.append(line[at : match.end()])
        at = match.end()
    out.append(line[at:])
    return "".join(out)


def _opening(line: str, start: int, end: int, address: str) -> int | None:
    """Where the label that ends at `end` begins: a path may hold brackets, so the address itself is tried first."""
    for label in dict.fromkeys((address, unquote(address))):
        if label and line.startswith(f"[{label}", end - len(label) - 1) and end - len(label) - 1 >= start:
            return end - len(label) - 1
    bracket = line.rfind("[", start, end)
    return bracket if bracket >= 0 else None


def _is_path_of(label: str, address: str) -> bool:
    """Whether a label is the path of the file that it links to, and no words of a person."""
    if "://" in label or "://" in address:
        return False
    label = label.replace("\\", "")
    path, meant = unquote(address), unquote(label)
    if "/" not in label:
        return meant != label and meant == path.rpartition("/")[2]
    return (meant == path and (path != address or _ID.search(path) is not None)) or (
        meant.rpartition("/")[2] == path.rpartition("/")[2] and (meant != label or _ID.search(meant) is not None)
    )
