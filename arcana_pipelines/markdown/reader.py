"""The line reader behind `normalise`: from any of our Markdown dialects to blocks of the normal form.

It walks over lines with an index, never recurses, and looks at a line's characters only through compiled
patterns and look-ups: its time is linear in the text.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_left
from dataclasses import dataclass
from typing import NamedTuple

from arcana_pipelines.markdown.inline import Mentions, escape_all, literal_spans, read_inline
from arcana_pipelines.markdown.layout import Layout
from arcana_pipelines.markdown.lines import FENCE, count_item, in_code, is_literal
from arcana_pipelines.markdown.media import MEDIA, media_label
from arcana_pipelines.markdown.share import Share
from arcana_pipelines.markdown.tables import html_cells, is_delimiter, pipe_cells, read_cell, write_table
from arcana_pipelines.markdown.tags import BLOCK_TAG, attributes
from arcana_pipelines.markdown.urls import block_id_of

_HEADING = re.compile(r"(#{1,6})(?:[ \t]+|$)")
_RULE = re.compile(r"([-*_])[ \t]*+(?:\1[ \t]*+){2,}$")
_BULLET = re.compile(r"[-*+](?:[ \t]+(?:\[([ xX])\](?:[ \t]+|$))?|$)")
_NUMBER = re.compile(r"(\d{1,9})[.)](?:[ \t]+|$)")
_QUOTE = re.compile(r"[ \t]*(?:(?:>[ \t]*){16,}|>[ \t]?)")
_V1_HINTS = ('{color="', '{toggle="', "<details", "<empty-block", "<synced_block", "<chunk_table", "<mention-")
_V1_LINE = re.compile(r"[ \t]*+</?(?:details|empty-block|synced_block|table_of_contents|mention-)")
_TABBED_TEXT = re.compile(r"\t+(?![-*+](?:[ \t]|$)|\d+[.)](?:[ \t]|$)|\s)")
_UNDERLINE = re.compile(r" {0,3}=+[ \t]*$")
_LONG = 1000  # characters of a block before which the time is looked at
# A line that begins with none of these and has no "<" is text.
_MARKED = frozenset(" \t#>-*+_0123456789|`~$")
_OPENS_MANY = frozenset(">|$`~")

_TITLED = {"p": "p", "quote": "quote", "summary": "p", "tab": "p", "callout": "p"}
_CHILD = frozenset({"page", "folder", "database"})
_LISTS = frozenset({"ul", "ol", "todo"})  # what holds items, or is one that holds others
_MAIL = (("subject", "Subject"), ("from", "From"), ("to", "To"), ("cc", "Cc"), ("bcc", "Bcc"))


class _Item(NamedTuple):
    """A Markdown item. What is indented further belongs to it, and the next item counts on."""

    indent: int
    written: int = 0  # its number in the source; of a bullet 0
    counted: int = 0  # its number, where its list counts from 1; else 0


@dataclass(slots=True)
class _TagList:
    """An open `<ul>`, `<ol>` or `<todo>`."""

    level: int  # of its items
    number: int | None  # of its next item; None for a bullet
    items: list[_Item]  # the Markdown items around it


class Reader:
    """Walks over the lines once and hands finished blocks to a `Layout`."""

    __slots__ = (
        "balanced", "indent", "items", "kind", "layout", "level", "lines", "marker", "media", "mentions", "outer",
        "pending", "quote_until", "raw", "rules", "seen", "share", "tag_lists", "tagged", "unclosed", "v1",
    )  # fmt: skip

    def __init__(self, lines: list[str], v1: bool, share: Share) -> None:
        self.lines = lines
        self.mentions = Mentions()
        self.layout = Layout()
        self.raw: list[str] = []  # the lines of the block being read
        self.kind = "p"  # p, quote, item, or "#"… for a heading
        self.marker = ""  # of the list item being read
        self.level = 0
        self.indent = 0
        self.tagged = False  # the block was opened by a tag, so further lines belong to it
        self.pending: tuple[str, str] | None = None  # what the next text will be, said by a tag
        self.media: tuple[str, str] | None = None  # tag name and address of an open <image>, <file> …
        self.items: list[_Item] = []  # the list items around the present line
        self.outer: list[_Item] = []  # those around the present quote
        self.tag_lists: list[_TagList] = []
        self.quote_until = -1
        self.seen: set[str] = set()  # synced blocks already shown
        self.balanced = True
        self.unclosed: set[str] = set()  # tags that are never closed from here on
        self.rules: list[int] | None = None  # lines that are just $$
        self.v1 = v1
        self.share = share

    # --- the walk ------------------------------------------------------------------------------

    def read(self) -> str:
        lines = self.lines
        i = column = 0
        count = len(lines)
        while i < count:
            if not i & 63:
                self.share.check()
            line = lines[i]
            if 0 <= self.quote_until <= i:
                self.leave_quote()
            if column:
                i, column = self.tags(i, column)
            elif not line or line.isspace():
                self.close()
                if self.pending and self.pending[0] != "item":  # an item is one wherever its text begins
                    self.pending = None
                i += 1
            elif "|" in line and self.begins_bare_table(i, line):
                i = self.table(i)
                self.leave_items(_width(line, line.lstrip(" \t")))
            elif line[0] not in _MARKED and "<" not in line:
                self.text(line, 0)
                i += 1
            else:
                stripped = line.lstrip(" \t")
                if stripped[0] in _OPENS_MANY and (after := self.many(i, line, stripped)) is not None:
                    i = after
                elif "<" in line and BLOCK_TAG.search(line):
                    i, column = self.tags(i, 0)
                else:
                    self.piece(stripped, _width(line, stripped))
                    i += 1
        self.leave_quote()
        return self.layout.text()

    def leave_quote(self) -> None:
        self.close()
        if self.quote_until >= 0:
            self.quote_until = -1
            self.items, self.outer = self.outer, []

    def many(self, i: int, line: str, stripped: str) -> int | None:
        """Read a block that takes whole lines, from line `i`; gives the line after it, or None."""
        first = stripped[0]
        after = None
        if first == ">":
            return self.quote(i, _width(line, stripped))
        if first == "|":
            end = self.quote_until if self.quote_until >= 0 else len(self.lines)
            if i + 1 < end and is_delimiter(self.lines[i + 1]):
                after = self.table(i)
        elif first == "$":
            after = self.equation(i, stripped) if stripped.startswith("$$") else None
        elif fence := FENCE.match(stripped):
            after = self.fence(i, line[: len(line) - len(stripped)], fence)
        if after is not None:
            self.leave_items(_width(line, stripped))
        return after

    def piece(self, text: str, indent: int) -> None:
        """Read a line, or what stands between two tags of one."""
        first = text[0]
        if first in "-*+_" and _RULE.match(text):
            self.block("---")
            self.leave_items(indent)
        elif first == "#" and (heading := _HEADING.match(text)):
            self.close()
            self.leave_items(indent)
            self.pending = None
            self.heading(len(heading.group(1)), text[heading.end() :])
        elif first in "-*+" and (bullet := _BULLET.match(text)):
            task = bullet.group(1)
            self.item("- " if task is None else "- [ ] " if task == " " else "- [x] ", indent, text[bullet.end() :])
        elif first.isdigit() and (number := _NUMBER.match(text)):
            self.item(f"{int(number.group(1))}. ", indent, text[number.end() :])
        else:
            self.text(text, indent)

    def text(self, line: str, indent: int) -> None:
        """A line of text: a new paragraph, or one more line of the block being read."""
        if self.raw or self.tagged:
            if self.kind == "p" and not (self.v1 or self.tagged) and line[0] in " =" and _UNDERLINE.match(line):
                self.kind = "#"
                self.close()
                return
            if not self.v1 and (
                self.tagged
                or self.kind == "p"
                or (self.kind == "quote" and self.quote_until >= 0)
                or (self.kind == "item" and indent > self.indent)
            ):
                self.raw.append(line)
                return
            if self.tagged and not self.raw:
                self.raw.append(line)
                return
            is_lazy = self.kind == "item" and not self.v1  # such a line belongs to its item (CommonMark, section 5.2)
            self.close()
            if not is_lazy:
                self.leave_items(indent)
        else:
            self.leave_items(indent)
        if self.pending:
            self.kind, prefix = self.pending
            self.pending = None
            self.tagged = True
            self.raw = [prefix + line]
            return
        self.kind = "quote" if self.quote_until >= 0 else "p"
        self.raw = [line]

    def close(self) -> None:
        """Finish the block being read."""
        raw = self.raw
        media = self.media
        if raw or media:
            self.raw = []
            source = "\n".join(raw)
            if media:
                self.media = None
                source = _with_label(source, *media)
            text = self.inline(source)
            kind = self.kind
            if not text:
                pass
            elif kind == "p":
                self.layout.paragraph(text)
            elif kind == "item":
                self.layout.item(self.marker, self.level, text)
            elif kind == "quote":
                self.layout.quote(text)
            else:
                self.layout.heading(len(kind), text)
        self.kind = "p"
        self.tagged = False

    def block(self, text: str) -> None:
        """Finish the block being read and add one that is complete."""
        self.close()
        self.pending = None
        if text:
            self.layout.block(text)

    def heading(self, level: int, source: str) -> None:
        if text := self.inline(source):
            self.layout.heading(level, text)

    def inline(self, source: str) -> str:
        """A block's text in the normal form; a long one takes as long as many blocks."""
        if len(source) > _LONG:
            self.share.check()
        return read_inline(source, self.mentions)

    def item(self, marker: str, indent: int, source: str) -> None:
        self.close()
        self.pending = None
        before = self.leave_items(indent)
        self.level = self.level_here()
        written = counted = 0
        if marker[0].isdigit():
            written = int(marker[:-2])
            counted = count_item(written, before.written, before.counted) if before else count_item(written)
            marker = f"{counted or written}. "
        self.items.append(_Item(indent, written, counted))
        self.kind = "item"
        self.marker = marker
        self.indent = indent
        self.raw = [source]

    def leave_items(self, indent: int) -> _Item | None:
        """What is indented so far belongs to no item that is indented as far; gives the outermost of those."""
        left = None
        while self.items and self.items[-1].indent >= indent:
            left = self.items.pop()
        return left

    def level_here(self) -> int:
        """The level of an item that begins here, among the lists of both kinds around it."""
        return len(self.items) + (self.tag_lists[-1].level + 1 if self.tag_lists else 0)

    # --- blocks of several lines ---------------------------------------------------------------

    def fence(self, i: int, indent: str, match: re.Match[str]) -> int:
        """A code block from line `i` to its closing fence, or to the end."""
        fence = match.group(1) or match.group(3)
        info = match.group(2) if match.group(1) else match.group(4)
        closing = re.compile(rf"[ \t]*{re.escape(fence[0])}{{{len(fence)},}}[ \t]*$")
        end = self.quote_until if self.quote_until >= 0 else len(self.lines)
        code = []
        i += 1
        while i < end:
            line = self.lines[i]
            i += 1
            if closing.match(line):
                break
            code.append(line.removeprefix(indent) if indent else line)
        self.close()
        self.pending = None
        self.layout.code(info.strip(), "\n".join(code))
        return i

    def equation(self, i: int, stripped: str) -> int | None:
        """An equation between `$$` lines, or on one line; None when line `i` does not begin one."""
        line = stripped.rstrip()
        if line != "$$":
            if len(line) < 5 or not line.endswith("$$") or "$$" in line[2:-2]:
                return None
            self.equation_block(line[2:-2])
            return i + 1
        if self.rules is None:
            self.rules = [n for n, text in enumerate(self.lines) if text.strip(" \t>") == "$$"]
        at = bisect_left(self.rules, i + 1)
        end = self.rules[at] if at < len(self.rules) else -1
        if end < 0 or (self.quote_until >= 0 and end >= self.quote_until):
            return None
        self.equation_block("\n".join(self.lines[i + 1 : end]))
        return end + 1

    def equation_block(self, source: str) -> None:
        self.close()
        self.pending = None
        self.layout.equation(source)

    def quote(self, i: int, indent: int) -> int:
        """Strip one level of `>` from a run of quoted lines; they are then read where they stand."""
        lines = self.lines
        if self.quote_until < 0:
            self.close()
            self.leave_items(indent)
            self.items, self.outer = [], self.items
            end = i
            while end < len(lines) and lines[end].lstrip(" \t").startswith(">"):
                end += 1
            self.quote_until = end
        end = i
        while end < self.quote_until and (match := _QUOTE.match(lines[end])):
            lines[end] = lines[end][match.end() :]
            end += 1
        return i

    def begins_bare_table(self, i: int, line: str) -> bool:
        """Whether a table begins whose lines have no bars at their ends (GFM, section 4.10)."""
        end = self.quote_until if self.quote_until >= 0 else len(self.lines)
        if i + 1 >= end or not is_delimiter(self.lines[i + 1]):
            return False
        header = line.lstrip(" \t")
        if header[0] in "|>#" or _BULLET.match(header) or _NUMBER.match(header) or FENCE.match(header):
            return False
        return len(pipe_cells(header)) == len(pipe_cells(self.lines[i + 1]))

    def table(self, i: int) -> int:
        has_ends = self.lines[i].lstrip(" \t").startswith("|")
        rows = [pipe_cells(self.lines[i])]
        i += 2
        end = self.quote_until if self.quote_until >= 0 else len(self.lines)
        while i < end and ((line := self.lines[i].lstrip(" \t")).startswith("|") or ("|" in line and not has_ends)):
            rows.append(pipe_cells(line))
            i += 1
        self.write_rows(rows)
        return i

    def write_rows(self, rows: list[list[str]]) -> None:
        written = []
        for row in rows:
            self.share.check()
            written.append([read_cell(cell, self.mentions) for cell in row])
        self.block(write_table(written))

    # --- tags ----------------------------------------------------------------------------------

    def tags(self, i: int, column: int) -> tuple[int, int]:
        """Read line `i` from `column` on, tag by tag; gives the line and column to go on from."""
        line = self.lines[i]
        indent = _width(line, line.lstrip(" \t"))
        spans = literal_spans(line)
        while (match := self.next_tag(line, column, spans)) is not None:
            self.share.check()
            start, end = match.span()
            self.between(line[column:start], indent)
            name = match.group("name")
            if match.group("closing"):
                self.closing(name, indent)
            elif name in ("table", "equation") and not match.group("self"):
                if (after := self.verbatim(name, i, end)) is not None:
                    if after[0] != i:
                        return after
                    end = after[1]
            elif name.startswith("synced"):
                self.leave_items(indent)
                if (after := self.synced(match, i, end)) is not None:
                    if after[0] != i:
                        return after
                    end = after[1]
            else:
                self.opening(name, attributes(match.group("attributes")), bool(match.group("self")), indent)
            column = end
        self.between(line[column:], indent)
        return i + 1, 0

    def next_tag(self, line: str, column: int, spans: list[tuple[int, int]]) -> re.Match[str] | None:
        """The first tag from `column` on; what is in code or escaped stays in the text before it."""
        for match in BLOCK_TAG.finditer(line, column):
            if not is_literal(match.start(), spans):
                return match
        return None

    def between(self, text: str, indent: int) -> None:
        if text and not text.isspace():
            self.piece(text.strip(" \t"), indent)

    def opening(self, name: str, values: dict[str, str], empty: bool, indent: int) -> None:
        is_item = self.pending is not None and self.pending[0] == "item"
        self.close()
        self.pending = None
        if name in _LISTS and not empty:
            number = _number(values.get("start")) if name == "ol" else None
            self.leave_items(indent)
            self.tag_lists.append(_TagList(self.level_here(), number, self.items))
            self.items = []
        else:
            self.leave_items(indent)
        if name in MEDIA:
            self.media = (name, values.get("source") or values.get("src") or values.get("url") or "")
            self.tagged = True
            if empty:
                self.close()
        elif name in _CHILD:
            self.mentions.link(values.get("url"))
            self.pending = ("p", "")
        elif name == "unknown":
            self.mentions.unknown(values.get("url") or values.get("id"))
        elif name == "mail":
            for key, label in _MAIL:
                if value := values.get(key):
                    self.layout.paragraph(self.inline(f"{label}: {escape_all(value)}"))
            self.pending = ("p", "")
        elif name == "p" and is_item:
            self.pending = ("item", "")  # its text is a paragraph of its own
        elif name not in ("ul", "ol") and not empty:
            self.pending = self.title(name, values)

    def title(self, name: str, values: dict[str, str]) -> tuple[str, str] | None:
        """What the text right after an opening tag is: its kind and what goes before it."""
        if name[0] == "h" and name[1:].isdigit():
            return "#" * int(name[1:]), ""
        if name == "toggle":
            heading = values.get("heading", "")
            return ("#" * int(heading[1]) if re.fullmatch("h[1-4]", heading) else "p"), ""
        if name in ("li", "todo"):
            self.level = self.tag_lists[-1].level if self.tag_lists else 0
            if name == "todo":
                self.marker = "- [x] " if values.get("checked") == "true" else "- [ ] "
            else:
                self.marker = self.next_marker(values.get("value"))
            return "item", ""
        if name == "callout" and (icon := values.get("icon", "")) and not icon.isascii() and len(icon) < 12:
            return "p", escape_all(icon) + " "
        return (_TITLED.get(name, "p"), "")

    def next_marker(self, value: str | None) -> str:
        """The marker of the next `<li>`; every kind of number (`type="a"`, `"i"`) is written in digits."""
        number = self.tag_lists[-1].number if self.tag_lists else None
        if number is None:
            return "- "
        if value is not None:
            number = _number(value)
        self.tag_lists[-1].number = number + 1
        return f"{number}. "

    def closing(self, name: str, indent: int) -> None:
        self.close()
        self.pending = None
        if name in _LISTS and self.tag_lists:
            self.items = self.tag_lists.pop().items
        else:
            self.leave_items(indent)

    def verbatim(self, name: str, i: int, column: int) -> tuple[int, int] | None:
        """A `<table>` or `<equation>` up to its closing tag; None when it has none."""
        if name in self.unclosed:
            self.close()
            return None
        closing = f"</{name}>"
        at = _find(self.lines[i], closing, column)
        end = i
        if at < 0:
            end += 1
            while end < len(self.lines) and (at := _find(self.lines[end], closing, 0)) < 0:
                end += 1
            if end == len(self.lines):
                self.unclosed.add(name)  # there is none further down either
                self.close()
                return None
            inside = "\n".join([self.lines[i][column:], *self.lines[i + 1 : end], self.lines[end][:at]])
        else:
            inside = self.lines[i][column:at]
        if name == "table":
            self.write_rows(html_cells(inside))
        else:
            self.equation_block(html.unescape(inside))
        return end, at + len(closing)

    def synced(self, match: re.Match[str], i: int, column: int) -> tuple[int, int] | None:
        """Show a synced block once a page: a second copy is skipped up to its closing tag."""
        self.close()
        self.pending = None
        key = block_id_of(attributes(match.group("attributes")).get("url"))
        if key is None or match.group("self"):
            return None
        if key not in self.seen:
            self.seen.add(key)
            return None
        if not self.balanced:
            return None
        depth = 1
        while i < len(self.lines):
            line = self.lines[i]
            if "synced" in line:
                for tag in BLOCK_TAG.finditer(line, column):
                    if tag.group("name").startswith("synced") and not tag.group("self"):
                        depth += -1 if tag.group("closing") else 1
                        if not depth:
                            return i, tag.end()
            i += 1
            column = 0
        self.balanced = False
        return None


def _find(line: str, tag: str, at: int) -> int:
    """Where a tag stands that is not escaped, or -1. One in code is shielded."""
    while (at := line.find(tag, at)) > 0 and line[at - 1] == "\\":
        at += 1
    return at


def _width(line: str, stripped: str) -> int:
    """How far a line is indented; a tab counts as four spaces."""
    lead = len(line) - len(stripped)
    return lead if not lead or "\t" not in line[:lead] else lead + 3 * line.count("\t", 0, lead)


def _number(value: str | None) -> int:
    """The number a list or item begins with; 1 where none is said, or none that a list may have."""
    return int(value) if value and value.isascii() and value.isdigit() and len(value) <= 9 else 1


def _with_label(caption: str, name: str, url: str) -> str:
    label = media_label(name, url, caption)
    return f"{caption} {escape_all(label)}" if label else caption


def is_v1(markdown: str, lines: list[str]) -> bool:
    """Whether this is enhanced Markdown v1, where every line is a block of its own.

    It says so by its tags, by `{color="…"}`, or by tab-indented children that are not list items. None of
    these can stand in the normal form, so reading that again takes the same path.
    """
    if not ("\n\t" in markdown or markdown.startswith("\t") or any(hint in markdown for hint in _V1_HINTS)):
        return False
    broken = False
    for line, is_code in zip(lines, in_code(lines), strict=True):
        if not is_code and (_V1_LINE.match(line) or _has_attributes(line) or (not broken and _TABBED_TEXT.match(line))):
            return True
        broken = line.endswith("\\")
    return False


def _has_attributes(line: str) -> bool:
    """Whether a line ends with a block's `{color="…"}`."""
    line = line.rstrip(" \t")
    if not line.endswith('"}'):
        return False
    return line.startswith(('{color="', '{toggle="'), line.rfind("{")) and "`" not in line and "\\" not in line


def without_literals(markdown: str) -> str:
    """The Markdown with blanks in place of its code and whatever else a tag is none in (see `literal_spans`)."""
    lines = markdown.split("\n")
    kept: list[str] = []
    for line, is_code in zip(lines, in_code(lines), strict=True):
        at = 0
        for start, end in [(0, len(line))] if is_code else literal_spans(line):
            kept += [line[at:start], " " * (end - start)]
            at = end
        kept += [line[at:], "\n"]
    return "".join(kept[:-1])
