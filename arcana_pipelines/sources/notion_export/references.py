"""Paths in the text of an export: which page they lead to, and what a person sees in their place.

A relation is written `Title (path.md), Title (path.md)`, in older exports as paths alone or with addresses of
Notion in brackets; a file as its path. Paths are URL-encoded but for `#`, `?` and some more, and relative to the
page, to the CSV, or to the folder of the whole export.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote

from arcana_pipelines.markdown.urls import file_name, page_id_of, without_signature
from arcana_pipelines.sources.notion_export.names import dashed, one_line, split_name

_PAGE_END = re.compile(r"\.(?:md|csv)(?=$|[#?])", re.IGNORECASE)
# Not any `word:`, for a page may be called `Q: …`.
_OTHER_SCHEME = re.compile(r"(?:mailto|tel|sms|data|javascript|attachment|ftp|file|notion|about):|//", re.IGNORECASE)
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,8}$")
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
_CLOSING = re.compile(r"\)(?=,?(?:\s|$))")
SEPARATOR = re.compile(r",\s+")
_ID = re.compile(r"[0-9a-fA-F]{32}(?:/|$)")
# A reference is short. A longer cell is a person's text, and is not searched for any.
LONGEST_CELL = 64 * 1024


class Targets(Protocol):
    """What paths lead to."""

    def page_at(self, path: str) -> str | None:
        """The id of the page or database whose file has exactly this path."""
        ...

    def holds(self, external_id: str) -> bool:
        """Whether the export has a page or database of this id."""
        ...

    def has_folder(self, path: str) -> bool:
        """Whether a folder of the export has exactly this path."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text stands.

    Attributes:
        targets: the pages and folders that its paths may lead to.
        folder: where its relative paths begin, from the top of the export; empty there.
    """

    targets: Targets
    folder: str

    def page(self, address: str) -> str | None:
        """The id of the page or database that an address leads to, if it leads to one at all."""
        if "://" in address:
            return page_id_of(address)
        if len(address) > 4096 or _OTHER_SCHEME.match(address):
            return None
        # `#` and `?` may belong to a title as well as begin a fragment: the longest path that is a file wins.
        paths = [address[: end.end()] for end in _PAGE_END.finditer(address)][::-1]
        for path in paths:
            for spelled in dict.fromkeys((one_line(unquote(path)), one_line(path))):
                for candidate in resolved(spelled, self.folder):
                    if (page_id := self.targets.page_at(candidate)) is not None:
                        return page_id
        return next((page_id for path in paths if (page_id := _named_page(path))), None)

    def folder_of(self, path: str) -> bool:
        """Whether a path to a file begins in a folder of the export."""
        above = one_line(unquote(path)).rpartition("/")[0]
        return any(self.targets.has_folder(candidate) for candidate in resolved(above, self.folder) if candidate)


def resolved(path: str, folder: str) -> Iterator[str]:
    """The paths that a relative one may mean: from this folder, or from one above it."""
    base = folder.split("/") if folder else []
    parts = [part for part in path.split("/") if part not in ("", ".")]
    climbs = 0
    while climbs < len(parts) and parts[climbs] == "..":
        climbs += 1
    if climbs > len(base) or ".." in parts[climbs:]:
        return
    if climbs:
        yield "/".join([*base[: len(base) - climbs], *parts[climbs:]])
        return
    for depth in range(len(base), -1, -1):
        yield "/".join([*base[:depth], *parts])


def _named_page(path: str) -> str | None:
    """The id that the last part of a path to a `.md` or `.csv` ends with."""
    name = split_name(unquote(path).rpartition("/")[2].rpartition(".")[0].removesuffix("_all"))
    return dashed(name.notion_id) if name.notion_id else None


def _page_by_name(address: str) -> str | None:
    """The page that an address names by itself, wherever it stands."""
    if "://" in address:
        return page_id_of(address)
    end = None if _OTHER_SCHEME.match(address) else _PAGE_END.search(address)
    return _named_page(address[: end.end()]) if end is not None else None


def read_cell(text: str, place: Place) -> dict[str, Any] | None:
    """A relation or files as a property `{"type", "text", "value"}`, or None for a cell of another kind.

    A relation's value is the ids of the pages; its text is their titles as the cell has them, or empty where it has
    only paths to pages of the export (then titles are known elsewhere). A file's value is a list of `{"name", "url"}`,
    the url None for a file of the export.
    """
    if not _may_refer(text):
        return None
    if (bare := _bare_pages(text, place.page)) is not None:
        # Titles in file names are cut short. Where every page is known they are shown by their own titles.
        known = all(place.targets.holds(page) for _, page in bare)
        titles = "" if known else ", ".join(title for title, _ in bare)
        return {"type": "relation", "text": titles, "value": list(dict.fromkeys(page for _, page in bare))}
    if (relation := _relation(text, place.page)) is not None:
        return {"type": "relation", "text": ", ".join(relation[0]), "value": list(dict.fromkeys(relation[1]))}
    if (files := _files(text, place.folder_of)) is not None:
        return {"type": "files", "text": _names(files), "value": files}
    return None


def mentioned_pages(text: str, page: Callable[[str], str | None] = _page_by_name) -> list[str]:
    """The ids of the pages whose addresses stand in brackets in a text."""
    return [page_id for _, _, page_id in _bracketed(text, page)] if _may_refer(text) else []


def shown(text: str, page: Callable[[str], str | None] = _page_by_name) -> str:
    """A cell or line as a person sees it: titles and file names in the place of paths."""
    if not _may_refer(text):
        return text
    if (bare := _bare_pages(text, page)) is not None:
        return ", ".join(title for title, _ in bare)
    out, at = [], 0
    for start, end, _ in _bracketed(text, page):
        out.append(text[at:start])
        at = end
    if at:
        return ("".join(out) + text[at:]).strip()
    files = _files(text, lambda path: False)
    return _names(files) if files is not None else text


def _names(files: list[dict[str, str | None]]) -> str:
    return ", ".join(file["name"] or "" for file in files)


def _may_refer(text: str) -> bool:
    return len(text) <= LONGEST_CELL and ("." in text) and ("(" in text or "/" in text or "%" in text or ".md" in text)


def _bracketed(text: str, page: Callable[[str], str | None]) -> Iterator[tuple[int, int, str]]:
    """Where a ` (address)` of a page stands in a text, and the page."""
    floor = 0
    for closing in _CLOSING.finditer(text):
        start = text.rfind(" (", floor, closing.start())
        if start < 0 and text.startswith("(", floor):
            start = floor - 1
        if start >= floor - 1 and start + 2 < closing.start():
            page_id = page(text[start + 2 : closing.start()])
            if page_id is not None:
                yield max(start, 0), closing.end(), page_id
        floor = closing.end()


def _relation(text: str, page: Callable[[str], str | None]) -> tuple[list[str], list[str]] | None:
    """Titles and ids, if the text is references from its beginning to its end."""
    titles: list[str] = []
    pages: list[str] = []
    at = 0
    for start, end, page_id in _bracketed(text, page):
        title = text[at:start]
        if pages:
            if not title.startswith(","):
                return None  # a sentence that mentions pages
            title = title[1:]
        titles.append(title.strip())
        pages.append(page_id)
        at = end
    if not pages or text[at:].strip(" ,\n"):
        return None
    return titles, pages


def _bare_pages(text: str, page: Callable[[str], str | None]) -> list[tuple[str, str]] | None:
    """Titles by file name, and ids, of a list of paths alone."""
    pages = []
    for token in SEPARATOR.split(text.strip(" ,\n")):
        if "://" in token or _PAGE_END.search(token) is None or any(map(str.isspace, token)):
            return None
        target = page(token)
        if target is None:
            return None
        name = unquote(token).rpartition("/")[2]
        pages.append((split_name(one_line(name.rpartition(".")[0])).title, target))
    return pages


def _files(text: str, in_export: Callable[[str], bool]) -> list[dict[str, str | None]] | None:
    """Names and addresses of a list of files, at least one of which is a path into the export."""
    files: list[dict[str, str | None]] = []
    proven = False
    for token in SEPARATOR.split(text.strip(" ,\n")):
        above = unquote(token).rpartition("/")[0]
        if any(map(str.isspace, token)) and _ID.search(above) is None:
            return None
        if "://" in token:
            url = without_signature(token)
            files.append({"name": one_line(file_name(url)) or url, "url": url})
            continue
        if _OTHER_SCHEME.match(token) or not _EXTENSION.search(token) or _PAGE_END.search(token):
            return None
        proven = (
            proven
            or _ENCODED.search(token) is not None
            or token.startswith("../")
            or _ID.search(above) is not None
            or ("/" in token and in_export(token))
        )
        files.append({"name": one_line(unquote(token).rpartition("/")[2]), "url": None})
    return files if proven else None
