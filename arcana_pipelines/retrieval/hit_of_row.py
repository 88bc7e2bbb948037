"""A row of the statement `hits` as a hit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from arcana_pipelines.chunking.headings import Heading
from arcana_pipelines.retrieval.best_passage import FoundText
from arcana_pipelines.retrieval.hit_files import hit_file
from arcana_pipelines.retrieval.results import Hit, HitFile, RelatedPage
from arcana_pipelines.retrieval.scroll_links import scroll_to
from arcana_pipelines.retrieval.shown import safe_address, shown


def text_of(row: dict[str, Any], near: Mapping[int, float]) -> FoundText:
    """The text of a row as it is stored; `near` are the similarities of its passages."""
    headings = list(map(Heading, row["heading_levels"], row["heading_path"]))
    return FoundText(
        row["title"] or "", row["text"], headings, row["position"] == 0, near,
        kind=row["kind"], page=row.get("page_text"),
    )  # fmt: skip


def hit_of(score: float, row: dict[str, Any]) -> Hit:
    """A row as a hit that can be shown and followed wherever it goes."""
    del row["heading_levels"]
    row.pop("page_text", None)
    row["document_id"] = str(row["document_id"])
    row["title"], row["text"] = shown(row["title"] or ""), shown(row["text"])
    for texts in ("heading_path", "before", "after"):
        row[texts] = [shown(text) for text in row[texts]]
    row["url"] = safe_address(row["url"])
    if row.get("source_path") is not None:
        row["source_path"] = shown(row["source_path"])
    about, place = row.pop("file", None), row.pop("place", None)
    attached_to, also_in = row.pop("attached_to", None), row.pop("also_in", ())
    related = [
        RelatedPage(each["how"], each["document_id"], shown(each["title"] or ""), safe_address(each["url"]))
        for each in row.pop("related", None) or ()
    ]
    file = hit_file(about, place, row["title"], attached_to, also_in) if row["kind"] == "file" else None
    return Hit(
        score=round(score, 6),
        link=link_of(row["kind"], row["url"], row["heading_path"], file),
        file=file,
        related=related,
        **row,
    )


def link_of(kind: str, url: str | None, headings: Sequence[str], file: HitFile | None, below: str = "") -> str | None:
    """Where a hit leads: to the heading above its text, or to where a page names the file that the text is in."""
    return link_to(kind, url, headings, below) if file is None else link_to(kind, url, [file.name])


def link_to(kind: str, url: str | None, headings: Sequence[str], below: str = "") -> str | None:
    """An address that browsers scroll to the last of the headings, or to the first words of the text below it.

    Headings between the messages of a ticket are ours: no page of a help desk has them to scroll to.
    """
    if url is None or not headings or kind in ("ticket", "notes"):
        return url
    return scroll_to(url, headings[-1], below)
