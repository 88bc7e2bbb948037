"""Plain Markdown to block descriptions, so that tests can write a page as text.

Understood: headings, paragraphs, lists and check boxes with indented children, quotes, fenced code, pipe
tables, rules, `$$` formulas, images on their own line, and bold, italic, code and links within a line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.testing.notion_server.model.blocks import BlockSpec
from arcana_pipelines.testing.notion_server.model.rich_text import RichText, rich, text

_INLINE = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<bold>[^*]+)\*\*|\*(?P<italic>[^*]+)\*|\[(?P<label>[^\]]+)\]\((?P<url>[^)]+)\)"
)
_ITEM = re.compile(r"(?P<indent>\s*)(?P<mark>[-*]|\d+\.)\s+(?:\[(?P<box>[ xX])\]\s+)?(?P<body>\S.*)")
_IMAGE = re.compile(r"!\[(?P<caption>[^\]]*)\]\((?P<url>[^)]+)\)")
_HEADING = re.compile(r"(?P<marks>#{1,4})\s+(?P<body>\S.*)")
_TABLE_RULE = re.compile(r"\|[\s:|-]+\|?")


@dataclass
class _Reader:
    lines: list[str]
    made: list[BlockSpec] = field(default_factory=list)
    at: int = 0

    def take_while(self, pattern: str) -> list[str]:
        taken = []
        while self.at < len(self.lines) and re.match(pattern, self.lines[self.at]):
            taken.append(self.lines[self.at])
            self.at += 1
        return taken

    def take_until(self, closing: str) -> list[str]:
        taken = []
        self.at += 1
        while self.at < len(self.lines) and self.lines[self.at].strip() != closing:
            taken.append(self.lines[self.at])
            self.at += 1
        self.at += 1
        return taken


def blocks_from_markdown(source: str) -> list[BlockSpec]:
    """The blocks that `source` describes."""
    reader = _Reader(source.split("\n"))
    while reader.at < len(reader.lines):
        _read_block(reader)
    return reader.made


def inline(source: str) -> RichText:
    """The segments of one line."""
    segments: RichText = []
    end = 0
    for match in _INLINE.finditer(source):
        segments += rich(source[end : match.start()])
        style: dict[str, Any] = {name: True for name in ("code", "bold", "italic") if match[name]}
        content = match["code"] or match["bold"] or match["italic"] or match["label"]
        segments.append(text(content, link=match["url"], **style))
        end = match.end()
    return segments + rich(source[end:])


def _read_block(reader: _Reader) -> None:
    line = reader.lines[reader.at]
    stripped = line.strip()
    if not stripped:
        reader.at += 1
    elif stripped.startswith("```"):
        fence = stripped[: len(stripped) - len(stripped.lstrip("`"))]
        language = stripped[len(fence) :].strip() or "plain text"
        reader.made.append(blocks.code("\n".join(reader.take_until(fence)), language))
    elif stripped == "$$":
        reader.made.append(blocks.equation("\n".join(reader.take_until("$$"))))
    elif heading := _HEADING.fullmatch(stripped):
        reader.made.append(blocks.heading(inline(heading["body"]), len(heading["marks"])))
        reader.at += 1
    elif stripped == "---":
        reader.made.append(blocks.divider())
        reader.at += 1
    elif image := _IMAGE.fullmatch(stripped):
        reader.made.append(blocks.image(image["url"], image["caption"]))
        reader.at += 1
    elif stripped.startswith(">"):
        quoted = [part.strip().removeprefix(">").strip() for part in reader.take_while(r"\s*>")]
        reader.made.append(blocks.quote(inline("\n".join(quoted))))
    elif stripped.startswith("|"):
        reader.made.append(_table(reader.take_while(r"\s*\|")))
    elif _ITEM.fullmatch(line):
        _add_items(reader.made, reader.take_while(r"\s*([-*]|\d+\.)\s+\S"))
    else:
        # A line that looks special but is not still has to be consumed, or this would never end.
        body = [stripped]
        reader.at += 1
        body += [part.strip() for part in reader.take_while(r"\s*(?![-*]\s|\d+\.\s|[#>|`]|---|\$\$|!\[)\S")]
        reader.made.append(blocks.paragraph(inline("\n".join(body))))


def _add_items(made: list[BlockSpec], lines: list[str]) -> None:
    open_lists: list[tuple[int, list[BlockSpec]]] = []
    for line in lines:
        match = _ITEM.fullmatch(line)
        if match is None:
            continue
        indent = len(match["indent"].expandtabs(4))
        while open_lists and open_lists[-1][0] >= indent:
            open_lists.pop()
        item = _item(match)
        (open_lists[-1][1] if open_lists else made).append(item)
        open_lists.append((indent, item["children"]))


def _item(match: re.Match[str]) -> BlockSpec:
    body = inline(match["body"])
    if match["box"]:
        return blocks.todo(body, checked=match["box"] != " ")
    if match["mark"] in "-*":
        return blocks.bulleted(body)
    return blocks.numbered(body)


def _table(lines: list[str]) -> BlockSpec:
    rows = [
        [inline(cell.strip()) for cell in line.strip().strip("|").split("|")]
        for line in lines
        if not _TABLE_RULE.fullmatch(line.strip())
    ]
    return blocks.table(rows, column_header=len(rows) < len(lines))
