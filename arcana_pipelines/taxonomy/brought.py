"""What a document's properties say of its topics: texts that spell paths, and pages that stand for a topic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from arcana_pipelines.documents.comparables import comparable
from arcana_pipelines.errors import TaxonomyRefused
from arcana_pipelines.taxonomy.labels import LONGEST_LABEL, Path, read_path


@dataclass(frozen=True, slots=True)
class Said:
    """One topic that a property says: by a path, or by a page.

    Attributes:
        name: of the property.
        path: as it is spelled there; a plain label is that of a root.
        page: the id of a page that the property points to.
    """

    name: str
    path: Path | None = None
    page: str | None = None


def said_by(properties: Mapping[str, Mapping[str, Any]]) -> Iterator[Said]:
    """What properties as a source tells them say, one after the other: each item of a list, each line of a text."""
    for name, value in properties.items():
        if value.get("type") == "relation":
            pages = value.get("value")
            yield from (Said(name, page=page) for page in (pages if isinstance(pages, list) else ()) if page)
            continue
        items = comparable(value).get("items")
        texts = [item["text"] for item in items] if items else str(value.get("text") or "").splitlines()
        yield from (Said(name, path) for text in texts if (path := as_path(text)))


def as_path(text: str) -> Path | None:
    """The path that a text spells. What cannot be one is a label that no node has; None: there is nothing to read."""
    if not text.strip():
        return None
    try:
        return read_path(text)
    except TaxonomyRefused:
        line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
        return (line[:LONGEST_LABEL],) if line else None
