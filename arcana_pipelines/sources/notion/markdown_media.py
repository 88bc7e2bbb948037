"""The pictures, files, recordings and films in an answer of the Markdown endpoint.

`<pdf source="…">caption</pdf>` and so on (v1: `src`), and `![caption](…)`. A file without a caption has its name in
that place. (docs: guides/data-apis/notion-flavored-markdown, guides/data-apis/enhanced-markdown)
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from arcana_pipelines.markdown.inline import read_inline, readable
from arcana_pipelines.markdown.media import FILES
from arcana_pipelines.markdown.reader import without_literals
from arcana_pipelines.markdown.tags import tag_pattern
from arcana_pipelines.sources.notion.files import Medium

_TAG = tag_pattern("|".join(sorted(FILES)))
_SOURCE = re.compile(r"(?<![\w:.@-])(?:source|src|url)\s*+=\s*+(?:\"([^\"\n]*)\"|'([^'\n]*)'|([^\s\"'<>=]++))")
_BRACKET = re.compile(r"!?\[|\]")
_DESTINATION = re.compile(r"\([ \t]*+(?:<([^<>\n]*+)>|((?:\\[!-~]|[^\s()\\]|\((?:\\[!-~]|[^\s()\\])*+\))*+))")
# With its semicolon: without one, `&copy=` in a query is no ©.
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_LONGEST_CAPTION = 4000  # characters; none is looked for further on


def media_in(markdown: str) -> list[Medium]:
    """All of them in their order, none of them in code."""
    has_tags = any(f"<{kind}" in markdown for kind in FILES)
    if "![" not in markdown and not has_tags:
        return []
    # Of the same length: what is found there stands at the same place in the Markdown.
    shown = without_literals(markdown)
    found = [*_tagged(markdown, shown), *_pictures(markdown, shown)]
    return [medium for _, medium in sorted(found, key=lambda place: place[0])]


def _tagged(markdown: str, shown: str) -> Iterator[tuple[int, Medium]]:
    for tag in _TAG.finditer(shown):
        source = None if tag["closing"] else _SOURCE.search(shown, *tag.span("attributes"))
        if source is None:
            continue
        assert source.lastindex is not None
        address = _entities(markdown[slice(*source.span(source.lastindex))])
        end = tag.end() if tag["self"] else shown.find(f"</{tag['name']}>", tag.end(), tag.end() + _LONGEST_CAPTION)
        caption = markdown[tag.end() : end] if end > 0 else ""
        yield tag.start(), Medium(tag["name"], address.removeprefix("{{").removesuffix("}}"), caption=_plain(caption))


def _pictures(markdown: str, shown: str) -> Iterator[tuple[int, Medium]]:
    at = 0
    for line in shown.split("\n"):
        if "![" in line:
            yield from _pictures_of_line(markdown, line, at)
        at += len(line) + 1


def _pictures_of_line(markdown: str, line: str, start: int) -> Iterator[tuple[int, Medium]]:
    open_brackets: list[re.Match[str]] = []
    for bracket in _BRACKET.finditer(line):
        if bracket.group() != "]":
            open_brackets.append(bracket)
            continue
        if not open_brackets:
            continue
        opening = open_brackets.pop()
        # An address is read as it stands: what looks like code or an escape in it is part of it.
        address = _DESTINATION.match(markdown, start + bracket.end()) if opening.group() == "![" else None
        if address is None or address.lastindex is None:
            continue
        url = _entities(_ESCAPE.sub(r"\1", address[address.lastindex]))
        caption = markdown[start + opening.end() : start + bracket.start()]
        yield start + opening.start(), Medium("image", url, caption=_plain(caption[:_LONGEST_CAPTION]))


def _plain(caption: str) -> str:
    return readable(read_inline(caption.strip())) if caption else ""


def _entities(text: str) -> str:
    return _ENTITY.sub(lambda match: html.unescape(match.group()), text) if "&" in text else text
