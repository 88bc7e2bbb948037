"""Notion-flavored Markdown (`markdown_version=v2`).

Grammar: https://developers.notion.com/guides/data-apis/notion-flavored-markdown. Blocks are separated by a
blank line; a block with attributes or children takes the form of a tag.
"""

from __future__ import annotations

from itertools import groupby

from arcana_pipelines.testing.notion_server.markdown.inline_v2 import InlineV2, starts_clean
from arcana_pipelines.testing.notion_server.markdown.renderer import (
    Renderer,
    Unknown,
    attributes,
    color_name,
    icon_name,
)
from arcana_pipelines.testing.notion_server.model.ids import block_url, page_url
from arcana_pipelines.testing.notion_server.model.objects import Block, Database, Json, Node, Page
from arcana_pipelines.testing.notion_server.model.rich_text import RichText, plain

_LISTS = ("bulleted_list_item", "numbered_list_item", "to_do")
_MEDIA = ("pdf", "file", "audio", "video")
_OL_TYPES = {"letters": "a", "roman": "i"}


class RendererV2(Renderer):
    """Renders version 2."""

    def blocks(self, nodes: list[Node | Unknown]) -> str:
        """Blocks with a blank line between them; items of one list stay together."""
        made = []
        for kind, run in groupby(nodes, key=_list_kind):
            if kind:
                made.append(self._list(kind, [node for node in run if isinstance(node, Block)]))
            else:
                made += [self._block(node) for node in run]
        return "\n\n".join(made)

    def text(self, segments: RichText, *, line_break: str = "\\\n", discussions: str = "") -> str:
        """Rich text; `discussions` are the addresses of inline comments on it."""
        inline = InlineV2(line_break).text(self.labelled(segments))
        return f"<span{attributes(discussion_urls=discussions)}>{inline}</span>" if discussions else inline

    # --- blocks --------------------------------------------------------------------------------

    def _block(self, node: Node | Unknown) -> str:
        if isinstance(node, Unknown):
            return self.unknown(node)
        if isinstance(node, Page):
            self.depends_on(node)
            return f'<page url="{page_url(node.id)}">{self._title(node.title)}</page>'
        if isinstance(node, Database):
            return self._database(node)
        assert isinstance(node, Block)
        kind, payload = node.type, node.payload
        if kind == "paragraph":
            return self._paragraph(node)
        if kind.startswith("heading_"):
            return self._heading(node)
        if kind == "quote":
            return self._quote(node)
        if kind == "toggle":
            return self._container("toggle", node)
        if kind == "callout":
            return self._container("callout", node, icon=icon_name(payload["icon"]))
        if kind == "code":
            return _fenced(plain(payload["rich_text"]), payload["language"])
        if kind == "equation":
            return f"$$\n{payload['expression']}\n$$"
        if kind == "divider":
            return "---"
        if kind == "table_of_contents":
            return f"<table-of-contents{attributes(color=color_name(payload['color']))} />"
        if kind == "table":
            return self._table(node)
        if kind in ("column_list", "tab"):
            return self._side_by_side(node)
        if kind == "synced_block":
            return self._synced(node)
        if kind == "meeting_notes":
            return self._meeting_notes(node)
        return self._leaf(node)

    def _leaf(self, node: Block) -> str:
        kind, payload = node.type, node.payload
        if kind == "image":
            caption = self.text(payload["caption"], line_break="<br />")
            return f"![{caption}]({self.media_url(node)})"
        if kind in _MEDIA:
            body = self.text(payload["caption"], line_break="<br />") or payload.get("name", "")
            return f'<{kind} source="{self.media_url(node)}">{body}</{kind}>'
        if kind in ("bookmark", "embed"):
            caption = self.text(payload["caption"], line_break="<br />")
            return f'<{kind} source="{payload["url"]}">{caption}</{kind}>'
        if kind == "unsupported":
            return self.unknown(Unknown(node.id, payload["block_type"]))
        return self.unknown(Unknown(node.id, "alias" if kind == "link_to_page" else kind))

    def _paragraph(self, node: Block) -> str:
        color = color_name(node.payload["color"])
        body = self._own_text(node)
        if not body and not color and not node.children:
            return "<p />"
        if not color and not node.children:
            return starts_clean(body)
        return self._container("p", node)

    def _heading(self, node: Block) -> str:
        level = node.type[-1]
        color = color_name(node.payload["color"])
        if node.payload["is_toggleable"]:
            return self._container("toggle", node, heading=f"h{level}")
        if color or node.children:
            return self._container(f"h{level}", node)
        return f"{'#' * int(level)} {self._own_text(node)}"

    def _quote(self, node: Block) -> str:
        if node.children or color_name(node.payload["color"]):
            return self._container("quote", node)
        return "\n".join(f"> {line}" for line in starts_clean(self._own_text(node)).split("\n"))

    def _container(self, tag: str, node: Block, **given: str) -> str:
        opening = f"<{tag}{attributes(**given, color=color_name(node.payload.get('color', 'default')))}"
        title, children = self._own_text(node), self.inside(node)
        if not title and not children:
            return f"{opening} />"
        title = starts_clean(title) if title else "<p />"
        body = f"{title}\n\n{children}" if children else title
        return f"{opening}>\n{body}\n</{tag}>"

    def _side_by_side(self, node: Block) -> str:
        outer, inner = ("columns", "column") if node.type == "column_list" else ("tabs", "tab")
        made = []
        for part in self.children(node):
            if isinstance(part, Unknown):
                made.append(self.unknown(part))
            elif isinstance(part, Block) and inner == "tab":
                made.append(self._container("tab", part, icon=icon_name(part.payload["icon"])))
            elif isinstance(part, Block):
                ratio = part.payload.get("width_ratio")
                shown = f"{round(ratio * 100)}" if ratio else ""
                made.append(f"<column{attributes(ratio=shown)}>\n{self.inside(part)}\n</column>")
        self.leave(node)
        return "\n".join([f"<{outer}>", *made, f"</{outer}>"])

    def _synced(self, node: Block) -> str:
        source = node.payload["synced_from"]
        if not source:
            return f'<synced-block url="{self._url(node)}">\n{self.inside(node)}\n</synced-block>'
        original = self.tree.nodes.get(source["block_id"])
        tag = "synced-block-reference"
        if original is None or self.wire.content_of(node) is node:
            return f'<{tag} url="{block_url(source["block_id"], source["block_id"])}"></{tag}>'
        return f'<{tag} url="{self._url(original)}">\n{self.inside(node)}\n</{tag}>'

    def _meeting_notes(self, node: Block) -> str:
        lines = ["<meeting-notes>", self.text(node.payload["title"])]
        sections = {part.id: part for part in self.children(node) if isinstance(part, Block)}
        for name in ("summary", "notes", "transcript"):
            part = sections.get(node.payload["children"][f"{name}_block_id"])
            if part is None or not part.children:
                continue
            body = self.inside(part)
            if name == "transcript" and not self.transcript:
                body = f"Transcript omitted. Read it with include_transcript=true: {self._url(node)}"
            tag = f"meeting-notes-section-{name}"
            lines.append(f"<{tag}>\n{body}\n</{tag}>")
        self.leave(node)
        return "\n".join([*lines, "</meeting-notes>"])

    def _table(self, node: Block) -> str:
        payload = node.payload
        rows = [part.payload["cells"] for part in self.children(node) if isinstance(part, Block)]
        self.leave(node)
        if payload["has_column_header"] and not payload["has_row_header"] and rows:
            lines = ["| " + " | ".join(self._cell(cell, pipe=True) for cell in row) + " |" for row in rows]
            return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])
        header = attributes(
            header_row="true" if payload["has_column_header"] else "false",
            header_column="true" if payload["has_row_header"] else "false",
        )
        lines = [f"<table{header}>"]
        for at, row in enumerate(rows):
            lines.append("<tr>")
            for column, cell in enumerate(row):
                is_header = (at == 0 and payload["has_column_header"]) or (column == 0 and payload["has_row_header"])
                tag = "th" if is_header else "td"
                lines.append(f"<{tag}>{self._cell(cell, pipe=False)}</{tag}>")
            lines.append("</tr>")
        return "\n".join([*lines, "</table>"])

    def _cell(self, cell: RichText, *, pipe: bool) -> str:
        shown = self.text(cell, line_break="<br />")
        return shown.replace("|", "\\|") if pipe else shown

    def _database(self, node: Database) -> str:
        self.depends_on(node)
        source = f"collection://{node.data_source_ids[0]}" if len(node.data_source_ids) == 1 else ""
        given = attributes(
            url=page_url(node.id),
            data_source_url=source,
            inline="true" if node.is_inline else "false",
            icon=icon_name(node.icon),
        )
        return f"<database{given}>{self._title(node.title)}</database>"

    # --- lists ---------------------------------------------------------------------------------

    def _list(self, kind: str, items: list[Block]) -> str:
        if all(self._is_plain(item) for item in items):
            return self._plain_items(kind, items, "")
        if kind == "to_do":
            return "\n\n".join(self._todo(item) for item in items)
        made = []
        for item in items:
            made.append(self._container("li", item))
        tag, given = "ul", ""
        if kind == "numbered_list_item":
            first: Json = items[0].payload
            tag, given = "ol", attributes(type=_OL_TYPES.get(first.get("list_format", ""), ""))
        return "\n".join([f"<{tag}{given}>", *made, f"</{tag}>"])

    def _plain_items(self, kind: str, items: list[Block], indent: str) -> str:
        lines = []
        first = items[0].payload.get("list_start_index") or 1
        for at, item in enumerate(items):
            mark = "-" if kind == "bulleted_list_item" else f"{first + at}."
            if kind == "to_do":
                mark = "- [x]" if item.payload["checked"] else "- [ ]"
            body = starts_clean(self._own_text(item)).replace("\n", f"\n{indent}\t")
            lines.append(f"{indent}{mark} {body}".rstrip())
            for child_kind, run in groupby(self.children(item), key=_list_kind):
                nested = [node for node in run if isinstance(node, Block)]
                lines.append(self._plain_items(child_kind, nested, indent + "\t"))
            self.leave(item)
        return "\n".join(lines)

    def _is_plain(self, item: Block) -> bool:
        below = self.wire.content_of(item).children
        nodes = [self.tree.nodes.get(child) for child in below]
        if len(below) > self.left or color_name(item.payload["color"]) or item.payload.get("list_format"):
            return False
        return all(isinstance(node, Block) and node.type in _LISTS and self._is_plain(node) for node in nodes)

    def _todo(self, item: Block) -> str:
        checked = "true" if item.payload["checked"] else "false"
        if self.wire.content_of(item).children:
            return self._container("todo", item, checked=checked)
        given = attributes(checked=checked, color=color_name(item.payload["color"]))
        return f"<todo{given}>{self._own_text(item)}</todo>"

    # --- parts ---------------------------------------------------------------------------------

    def _own_text(self, node: Block) -> str:
        threads = [
            f"discussion://{comment.discussion_id}"
            for comment in self.tree.comments.values()
            if comment.inline and not comment.resolved and comment.parent.id == node.id
        ]
        return self.text(node.payload.get("rich_text", []), discussions=",".join(dict.fromkeys(threads)))

    def _title(self, title: RichText) -> str:
        return self.text(title, line_break=" ") or "Untitled"

    def _url(self, node: Node) -> str:
        page = self.tree.page_of(node)
        return block_url(page.id if page else node.id, node.id)


def _list_kind(node: Node | Unknown) -> str:
    return node.type if isinstance(node, Block) and node.type in _LISTS else ""


def _fenced(body: str, language: str) -> str:
    longest = run = 0
    for character in body:
        run = run + 1 if character == "`" else 0
        longest = max(longest, run)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{body}\n{fence}"
