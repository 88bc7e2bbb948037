"""Enhanced Markdown (`markdown_version=v1`, the default of today, deprecated).

Grammar: https://developers.notion.com/guides/data-apis/enhanced-markdown. One line break separates blocks,
tabs indent children, attributes stand in braces at the end of a block's first line.
"""

from __future__ import annotations

import re

from arcana_pipelines.testing.notion_server.markdown.renderer import (
    Renderer,
    Unknown,
    attributes,
    color_name,
    icon_name,
)
from arcana_pipelines.testing.notion_server.model.ids import block_url, page_url
from arcana_pipelines.testing.notion_server.model.objects import Block, Database, Json, Node, Page
from arcana_pipelines.testing.notion_server.model.rich_text import RichText, Segment, plain

_SPECIAL = re.compile(r"([\\*~`$\[\]<>{}|^])")
_NOT_RENDERED = ("bookmark", "embed", "link_preview", "breadcrumb", "template", "tab")


class RendererV1(Renderer):
    """Renders version 1."""

    def blocks(self, nodes: list[Node | Unknown]) -> str:
        """Blocks, one line break between them."""
        return "\n".join(self._block(node) for node in nodes)

    def text(self, segments: RichText) -> str:
        """Rich text."""
        return "".join(_segment(segment) for segment in self.labelled(segments))

    def _block(self, node: Node | Unknown) -> str:
        if isinstance(node, Unknown):
            return self.unknown(node)
        if isinstance(node, Page):
            self.depends_on(node)
            return f'<page url="{page_url(node.id)}">{self.text(node.title) or "Untitled"}</page>'
        if isinstance(node, Database):
            self.depends_on(node)
            inline = "true" if node.is_inline else "false"
            given = attributes(url=page_url(node.id), inline=inline, icon=icon_name(node.icon))
            return f"<database{given}>{self.text(node.title) or 'Untitled'}</database>"
        assert isinstance(node, Block)
        kind, payload = node.type, node.payload
        if kind == "code":
            return f"```{payload['language']}\n{plain(payload['rich_text'])}\n```"
        if kind == "equation":
            return f"$$\n{payload['expression']}\n$$"
        if kind == "divider":
            return "---"
        if kind == "table_of_contents":
            return f"<table_of_contents{attributes(color=color_name(payload['color']))}/>"
        if kind == "table":
            return self._table(node)
        if kind == "toggle":
            color = attributes(color=color_name(payload["color"]))
            summary = f"<summary>{self.text(payload['rich_text'])}</summary>"
            return _lines(f"<details{color}>", summary, self._indented(node), "</details>")
        if kind == "callout":
            given = attributes(icon=icon_name(payload["icon"]), color=color_name(payload["color"]))
            body = self.text(payload["rich_text"])
            return _lines(f"<callout{given}>", body and f"\t{body}", self._indented(node), "</callout>")
        if kind == "column_list":
            return self._columns(node)
        if kind == "synced_block":
            return self._synced(node)
        if kind == "meeting_notes":
            return self._meeting_notes(node)
        if "caption" in payload and kind not in _NOT_RENDERED:
            return self._media(node)
        return self._textual(node)

    def _textual(self, node: Block) -> str:
        kind, payload = node.type, node.payload
        given = {"color": color_name(payload.get("color", "default"))}
        if kind == "paragraph":
            mark = ""
            if not payload["rich_text"] and not node.children:
                return "<empty-block/>"
        elif kind.startswith("heading_"):
            mark = "#" * int(kind[-1]) + " "
            given = {"toggle": "true" if payload["is_toggleable"] else "", **given}
        elif kind == "to_do":
            mark = "- [x] " if payload["checked"] else "- [ ] "
        elif kind in ("bulleted_list_item", "numbered_list_item", "quote"):
            mark = {"b": "- ", "n": "1. ", "q": "> "}[kind[0]]
        else:
            alt = payload["block_type"] if kind == "unsupported" else kind
            return self.unknown(Unknown(node.id, "alias" if kind == "link_to_page" else alt))
        listed = attributes(**given).strip()
        first = f"{mark}{self.text(payload['rich_text'])}" + (f" {{{listed}}}" if listed else "")
        return _lines(first, self._indented(node), keep_first=True)

    def _media(self, node: Block) -> str:
        kind, payload = node.type, node.payload
        caption, url = self.text(payload["caption"]), self.media_url(node)
        if kind == "image":
            return f"![{caption}]({url})"
        return f'<{kind} src="{url}">{caption or payload.get("name", "")}</{kind}>'

    def _columns(self, node: Block) -> str:
        made = []
        for part in self.children(node):
            if isinstance(part, Block):
                ratio = part.payload.get("width_ratio")
                opening = f"<column{attributes(ratio=str(ratio) if ratio else '')}>"
                made.append(_indent(_lines(opening, self._indented(part), "</column>")))
            elif isinstance(part, Unknown):
                made.append(_indent(self.unknown(part)))
        self.leave(node)
        return _lines("<columns>", *made, "</columns>")

    def _synced(self, node: Block) -> str:
        source = node.payload["synced_from"]
        tag = "synced_block_reference" if source else "synced_block"
        original: Node | None = self.tree.nodes.get(source["block_id"]) if source else node
        page = self.tree.page_of(original) if original else None
        target = source["block_id"] if source else node.id
        url = block_url(page.id if page else target, target)
        return _lines(f'<{tag} url="{url}">', self._indented(node), f"</{tag}>")

    def _meeting_notes(self, node: Block) -> str:
        lines = ["<meeting-notes>", _indent(self.text(node.payload["title"]))]
        sections = {part.id: part for part in self.children(node) if isinstance(part, Block)}
        for name in ("summary", "notes", "transcript"):
            part = sections.get(node.payload["children"][f"{name}_block_id"])
            if part is None or not part.children:
                continue
            body = self._indented(part)
            if name == "transcript" and not self.transcript:
                page = self.tree.page_of(node)
                body = f"\tTranscript omitted: {block_url(page.id if page else node.id, node.id)}"
            lines.append(_indent(_lines(f"<{name}>", body, f"</{name}>")))
        self.leave(node)
        return "\n".join([*lines, "</meeting-notes>"])

    def _table(self, node: Block) -> str:
        payload = node.payload
        given = attributes(
            header_row="true" if payload["has_column_header"] else "",
            header_column="true" if payload["has_row_header"] else "",
        )
        lines = [f"<table{given}>"]
        for row in self.children(node):
            if isinstance(row, Block):
                cells = [f"\t\t<td>{self.text(cell)}</td>" for cell in row.payload["cells"]]
                lines += ["\t<tr>", *cells, "\t</tr>"]
        self.leave(node)
        return "\n".join([*lines, "</table>"])

    def _indented(self, node: Node) -> str:
        return _indent(self.inside(node))


def _indent(body: str) -> str:
    return "\n".join(f"\t{line}" for line in body.split("\n")) if body else ""


def _lines(*parts: str, keep_first: bool = False) -> str:
    return "\n".join(part for at, part in enumerate(parts) if part or (keep_first and at == 0))


def _segment(segment: Segment) -> str:
    style = segment["annotations"]
    if segment["type"] == "equation":
        body = f"${segment['equation']['expression']}$"
    elif segment["type"] == "mention":
        body = _mention(segment)
    elif style["code"]:
        body = f"`{segment['plain_text']}`"
    else:
        body = _SPECIAL.sub(r"\\\1", segment["plain_text"]).replace("\n", "<br>")
    for name, mark in (("bold", "**"), ("italic", "*"), ("strikethrough", "~~")):
        if style[name]:
            body = f"{mark}{body}{mark}"
    if style["underline"]:
        body = f'<span underline="true">{body}</span>'
    link = segment["text"]["link"] if segment["type"] == "text" else None
    if link:
        body = f"[{body}]({link['url']})"
    color = color_name(style["color"])
    return f'<span color="{color}">{body}</span>' if color else body


def _mention(segment: Segment) -> str:
    mention: Json = segment["mention"]
    kind, label = mention["type"], _SPECIAL.sub(r"\\\1", segment["plain_text"])
    if kind == "user":
        url = f"{{{{user://{mention['user']['id']}}}}}"
        return f'<mention-user url="{url}">{label.removeprefix("@")}</mention-user>'
    if kind in ("page", "database"):
        return f'<mention-{kind} url="{segment["href"]}">{label}</mention-{kind}>'
    if kind == "date":
        return _date(mention["date"])
    if kind == "link_mention":
        return f"[{label}]({mention['link_mention']['href']})"
    return str(segment["plain_text"])


def _date(date: Json) -> str:
    shown = ""
    for name in ("start", "end"):
        moment = date[name]
        if moment:
            shown += f' {name}="{moment[:10]}"' + (f' {name}Time="{moment[11:16]}"' if "T" in moment else "")
    zone = f' timeZone="{date["time_zone"]}"' if date["time_zone"] else ""
    return f"<mention-date{shown}{zone}/>"
