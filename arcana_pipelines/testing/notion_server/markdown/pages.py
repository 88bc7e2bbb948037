"""Answers of the Markdown endpoint, and the cache of what was rendered."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from arcana_pipelines.testing.notion_server.markdown.renderer import FILE, MarkdownLimits
from arcana_pipelines.testing.notion_server.markdown.v1 import RendererV1
from arcana_pipelines.testing.notion_server.markdown.v2 import RendererV2
from arcana_pipelines.testing.notion_server.model.objects import Block, Page
from arcana_pipelines.testing.notion_server.wire.wire import Wire

MarkdownVersion: TypeAlias = Literal["v1", "v2"]

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class _Cached:
    access: int
    read: dict[str, int]
    limit: int
    # JSON; every second piece is the key of a file whose address goes there.
    pieces: list[bytes]


class MarkdownPages:
    """Answers of the Markdown endpoint, rendered once a revision."""

    def __init__(self, wire: Wire, limits: MarkdownLimits) -> None:
        self._wire = wire
        self._tree = wire.tree
        self._limits = limits
        self._cache: dict[tuple[str, str, bool, str], _Cached] = {}

    def body(self, node: Page | Block, version: MarkdownVersion, *, transcript: bool) -> bytes:
        """The JSON body up to its `request_id`, which the caller adds."""
        shown = f"{self._limits.unshared_child_in_markdown} {self._limits.files_in_markdown}"
        key = (node.id, version, transcript, shown)
        cached = self._cache.get(key)
        if cached is None or not self._fresh(cached):
            cached = self._cache[key] = self._render(node, version, transcript)
        if len(cached.pieces) == 1:
            return cached.pieces[0]
        now = self._tree.clock.now()
        return b"".join(
            self._wire.signer.url(piece.decode(), now).encode() if at % 2 else piece
            for at, piece in enumerate(cached.pieces)
        )

    def _fresh(self, cached: _Cached) -> bool:
        if cached.access != self._tree.access_revision or cached.limit != self._limits.markdown_block_limit:
            return False
        return all(self._tree.nodes[node_id].revision == seen for node_id, seen in cached.read.items())

    def _render(self, node: Page | Block, version: MarkdownVersion, transcript: bool) -> _Cached:
        chosen = RendererV1 if version == "v1" else RendererV2
        renderer = chosen(self._wire, self._limits, transcript=transcript)
        body = {
            "object": "page_markdown",
            "id": node.id,
            "markdown": renderer.render(node),
            "truncated": renderer.truncated,
            "unknown_block_ids": renderer.unknown_ids,
        }
        # A lone surrogate cannot travel as UTF-8: it does as its escape.
        text = _LONE_SURROGATE.sub(
            lambda match: f"\\u{ord(match.group()):04x}", json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        )[:-1]
        pieces = [piece.encode() for piece in text.split(FILE)]
        return _Cached(self._tree.access_revision, renderer.read, self._limits.markdown_block_limit, pieces)
