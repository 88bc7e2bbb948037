"""Notion's rich text: what a person reads in it, and which pages it names.

A segment is `{"type": "text" | "mention" | "equation", …, "annotations": {…}, "plain_text", "href"}`; its
`plain_text` is what the editor shows (docs: reference/rich-text). A segment holds at most 2,000 characters,
so a word or an address may run over several: segments are always joined without a separator.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from arcana_pipelines.markdown.characters import clean
from arcana_pipelines.markdown.inline import Piece, compose
from arcana_pipelines.markdown.urls import canonical_id, page_id_of, without_signatures

Segments = Iterable[Mapping[str, Any]] | None
_PAGE_LIKE = ("page", "database", "data_source")


def plain(segments: Segments) -> str:
    """The text as a person reads it, without any markup or signed address."""
    return without_signatures(clean("".join(_text(segment) for segment in _each(segments))))


def code_text(segments: Segments) -> str:
    """The text of a code block, in which nothing is markup and nothing is changed."""
    return clean("".join(_text(segment) for segment in _each(segments)))


def inline(segments: Segments) -> str:
    """The text in the normal form of `documents.inline`: code in backticks, equations as `$…$`."""
    return compose(pieces(segments))


def page_links(segments: Segments) -> list[str]:
    """The pages, databases and data sources mentioned or linked, each once, in order."""
    pages: dict[str, None] = {}
    for segment in _each(segments):
        mention = segment.get("mention")
        if isinstance(mention, Mapping):
            for kind in _PAGE_LIKE:
                target = mention.get(kind)
                if isinstance(target, Mapping) and (page := canonical_id(_string(target.get("id")))):
                    pages[page] = None
                    break
            else:
                if page := page_id_of(_string(segment.get("href"))):
                    pages[page] = None
            continue
        text = segment.get("text")
        link = text.get("link") if isinstance(text, Mapping) else None
        url = _string(segment.get("href")) or (_string(link.get("url")) if isinstance(link, Mapping) else "")
        if page := page_id_of(url):
            pages[page] = None
    return list(pages)


def pieces(segments: Segments) -> Iterator[Piece]:
    """Literal text, code and equations in a row; a run of text is one piece."""
    pending: list[str] = []
    for segment in _each(segments):
        text = _text(segment)
        annotations = segment.get("annotations")
        math = segment.get("type") == "equation"
        if not math and not (isinstance(annotations, Mapping) and annotations.get("code") is True):
            pending.append(text)
            continue
        if pending:
            yield "text", "".join(pending)
            pending = []
        yield ("math", text) if math else ("code", text)
    if pending:
        yield "text", "".join(pending)


def _each(segments: Segments) -> Iterator[Mapping[str, Any]]:
    if isinstance(segments, Iterable) and not isinstance(segments, str | bytes | Mapping):
        yield from (segment for segment in segments if isinstance(segment, Mapping))


def _text(segment: Mapping[str, Any]) -> str:
    """A segment's text; when the API left `plain_text` out, the best of what it did send."""
    if isinstance(text := segment.get("plain_text"), str) and text:
        return text
    inner = segment.get(_string(segment.get("type")))
    if not isinstance(inner, Mapping):
        return ""
    for key in ("content", "expression"):
        if isinstance(value := inner.get(key), str):
            return value
    target = inner.get(_string(inner.get("type")))
    if not isinstance(target, Mapping):
        return ""
    for key in ("name", "title", "start", "url"):
        if isinstance(value := target.get(key), str):
            return value
    return ""


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
