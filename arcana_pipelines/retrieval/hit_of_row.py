"""A row of the statement `hits` as a hit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from arcana_pipelines.retrieval.results import Hit
from arcana_pipelines.retrieval.shown import safe_address, shown


def hit_of(score: float, row: dict[str, Any]) -> Hit:
    """A row as a hit that can be shown and followed wherever it goes."""
    row["document_id"] = str(row["document_id"])
    row["title"], row["text"] = shown(row["title"] or ""), shown(row["text"])
    for texts in ("heading_path", "before", "after"):
        row[texts] = [shown(text) for text in row[texts]]
    row["url"] = safe_address(row["url"])
    return Hit(score=round(score, 6), link=_link(row["url"], row["heading_path"]), **row)


def _link(url: str | None, headings: Sequence[str]) -> str | None:
    """An address that browsers scroll to the heading: https://wicg.github.io/scroll-to-text-fragment/."""
    if url is None or not headings:
        return url
    return f"{url}#:~:text={quote(headings[-1], safe='')}"
