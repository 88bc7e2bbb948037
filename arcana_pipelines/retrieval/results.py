"""What a search gives: hits with where they stand."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Place:
    """Another page with nearly the same text.

    Attributes:
        differences: the hit's words that are others there, with those: `[("archive", "archives")]`.
    """

    external_id: str
    title: str
    url: str | None
    differences: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Hit:
    """One found chunk.

    Attributes:
        score: 0 to 1, comparable within one answer.
        url: the page's address, where it is one of http, https, mailto or notion; `link` leads to the nearest
            heading where the browser can.
        path: the document's place, an ltree of stable labels.
        version: the version of the document that the text is of.
        highlights: spans (begin, end) of `text` that hold the query's words.
        before, after: the texts of neighbouring chunks, when asked for.
        kind: `page`, or `row` of a database.
        duplicates: other pages with nearly the same text and the same numbers. A row is never one, unless all its
            cells are equal.
    """

    score: float
    document_id: str
    external_id: str
    kind: str
    title: str
    url: str | None
    link: str | None
    path: str
    heading_path: list[str]
    position: int
    text: str
    version: int
    last_edited_at: str | None
    highlights: list[tuple[int, int]] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    duplicates: list[Place] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Results:
    """Hits, best first.

    Attributes:
        seconds: how long they took.
        corrections: words that no text has, with what was searched instead.
        is_reranked: the order is a reranker's.
        notes: what to know of the filters, in sentences: a value that no row has, with what is near it.
    """

    hits: list[Hit]
    seconds: float
    corrections: dict[str, str] = field(default_factory=dict)
    is_reranked: bool = False
    notes: list[str] = field(default_factory=list)
