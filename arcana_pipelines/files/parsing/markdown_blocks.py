"""Markdown of files as blocks: CommonMark and the tables of GitHub, read line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import dedent
from typing import Literal

from arcana_pipelines.files.parsing.blocks import Block, Title
from arcana_pipelines.files.parsing.parsers import html
from arcana_pipelines.files.parsing.plain import lines, plain
from arcana_pipelines.markdown.front_matter import split_front_matter
from arcana_pipelines.markdown.html_comments import without_comments
from arcana_pipelines.markdown.inline import read_inline, readable
from arcana_pipelines.markdown.lines import count_item
from arcana_pipelines.markdown.tables import is_delimiter, pipe_cells

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_FENCE_OF_ITEM = re.compile(r" *(`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_RULE = re.compile(r" {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$")
_ITEM = re.compile(r"([ \t]*)(?:[-*+]|(\d{1,9})[.)])(?:[ \t]+(.*)|$)")
_QUOTE = re.compile(r" {0,3}(?:>[ \t]?)+")
_DEFINITION = re.compile(r" {0,3}\[[^\]^]{1,300}\]:[ \t]*\S+")
_HTML = re.compile(
    r" {0,3}</?(?:address|article|aside|blockquote|body|center|dd|details|div|dl|dt|figcaption|figure|footer|form"
    r"|h[1-6]|head|header|hr|html|img|li|main|nav|ol|p|picture|pre|script|section|style|summary|table|tbody|td|th|thead"
    r"|tr|ul)(?=[\s/>])",
    re.I,
)
_REFERENCE = re.compile(r"!?\[([^\[\]]{1,1000})\]\[[^\[\]]{0,300}\]")
_TAG = re.compile(
    r"</?(?:a|abbr|b|code|em|font|i|img|kbd|mark|s|small|span|strong|sub|sup|u)(?:\s[^<>]{0,1000})?/?>", re.I
)


def written(text: str) -> Iterator[Block | Title]:
    """The blocks of a text in Markdown, with the title that its front matter gives."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    title, text = split_front_matter(text)
    if title is not None:
        yield Title(plain(title))
    yield from _Reader(without_comments(text).split("\n")).read()


def inline(text: str) -> str:
    """What a person reads of a piece of Markdown: no marks, of links their text."""
    return plain(readable(read_inline(_TAG.sub("", _REFERENCE.sub(r"\1", text)))))


class _Reader:
    """Lines, where we are in them, and the paragraph, item or quote that is open."""

    def __init__(self, source: list[str]) -> None:
        self._lines = source
        self._at = 0
        self._open: list[str] = []
        self._kind: Literal["text", "item", "quote"] = "text"
        self._indents: list[int] = []  # of the items around
        self._numbers: list[tuple[int, int]] = []  # the last one of each of those lists, as written and as counted

    def read(self) -> Iterator[Block]:
        while self._at < len(self._lines):
            line = self._lines[self._at].expandtabs(4)
            self._at += 1
            yield from self._line(line)
        yield from self._flushed()

    def _line(self, line: str) -> Iterator[Block]:
        following = self._lines[self._at] if self._at < len(self._lines) else ""
        if not line.strip():
            yield from self._flushed()
        elif fence := (_FENCE_OF_ITEM if self._indents else _FENCE).match(line):
            yield from self._flushed()
            self._leave(line)
            yield from self._code(fence[1])
        elif heading := _HEADING.match(line):
            yield from self._flushed()
            self._leave(line)
            if text := inline(heading[2] or ""):
                yield Block("heading", text, level=len(heading[1]))
        elif self._open and self._kind == "text" and (underline := _UNDERLINE.match(line)):
            text = inline(" ".join(self._open))
            self._open.clear()
            if text:
                yield Block("heading", text, level=1 if underline[1][0] == "=" else 2)
        elif _RULE.match(line):
            yield from self._flushed()
            self._leave(line)
        elif "|" in line and is_delimiter(following):
            yield from self._flushed()
            self._leave(line)
            yield self._table(line)
        elif not self._open and _HTML.match(line):
            yield from self._html(line)
        elif item := _ITEM.match(line):
            yield from self._flushed()
            self._begin_item(len(item[1]), item[2], item[3] or "")
        elif quote := _QUOTE.match(line):
            if self._kind != "quote":
                yield from self._flushed()
                self._leave(line)
            self._kind = "quote"
            self._open.append(line[quote.end() :])
        elif not self._open and line.startswith("    ") and not self._indents:
            yield self._indented(line)
        elif self._open or not _DEFINITION.match(line):
            if not self._open:
                self._leave(line)
            self._open.append(line.strip())

    def _flushed(self) -> Iterator[Block]:
        text = inline("\n".join(self._open))
        if text:
            level = max(len(self._indents) - 1, 0) if self._kind == "item" else 0
            yield Block(self._kind, text, level=min(level, 8))
        self._open.clear()
        self._kind = "text"

    def _begin_item(self, indent: int, count: str | None, text: str) -> None:
        while self._indents and self._indents[-1] > indent:
            self._indents.pop()
            self._numbers.pop()
        if not self._indents or self._indents[-1] + 1 < indent:
            self._indents.append(indent)
            self._numbers.append((0, 0))
        self._kind = "item"
        if count:
            written = int(count)
            counted = count_item(written, *self._numbers[-1])
            self._numbers[-1] = (written, counted)
            text = f"{counted or written}\\. {text}"
        else:
            self._numbers[-1] = (0, 0)
        self._open.append(text)

    def _leave(self, line: str) -> None:
        """A line that is not indented belongs to no item."""
        if not line.startswith(" "):
            self._indents.clear()
            self._numbers.clear()

    def _code(self, fence: str) -> Iterator[Block]:
        begin = self._at
        end = re.compile(rf"\s*{re.escape(fence)}{re.escape(fence[0])}*[ \t]*$")
        while self._at < len(self._lines) and not end.match(self._lines[self._at]):
            self._at += 1
        text = lines(dedent("\n".join(self._lines[begin : self._at])))
        self._at += 1
        if text:
            yield Block("code", text)

    def _indented(self, line: str) -> Block:
        code = [line]
        while self._at < len(self._lines):
            following = self._lines[self._at].expandtabs(4)
            if following.strip() and not following.startswith("    "):
                break
            code.append(following)
            self._at += 1
        return Block("code", lines("\n".join(piece[4:] for piece in code)))

    def _table(self, line: str) -> Block:
        rows = [pipe_cells(line)]
        self._at += 1
        while self._at < len(self._lines) and "|" in self._lines[self._at]:
            rows.append(pipe_cells(self._lines[self._at]))
            self._at += 1
        width = max(map(len, rows))
        return Block("table", rows=[[inline(cell) for cell in row + [""] * (width - len(row))] for row in rows])

    def _html(self, line: str) -> Iterator[Block]:
        """HTML up to an empty line; what stands between its tags behind that is Markdown again."""
        begin = self._at - 1
        while self._at < len(self._lines) and self._lines[self._at].strip():
            self._at += 1
        yield from html.blocks("\n".join(self._lines[begin : self._at]))
