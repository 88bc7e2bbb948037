"""What a search gives: hits with where they stand."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from pydantic import ConfigDict, TypeAdapter

from arcana_pipelines.retrieval.relevance import Unjudged

DESCRIBED = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True, slots=True)
class Place:
    """Another page with nearly the same text."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    external_id: str
    """The page's id in its source."""

    title: str

    url: str | None
    """Its address, as a hit's."""

    differences: list[tuple[str, str]] = field(default_factory=list)
    """The hit's words that are others there, with those: `[("archive", "archives")]`."""


@dataclass(frozen=True, slots=True)
class RelatedPage:
    """A document that people, or properties of rows, have related to a hit's."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    how: str
    """What it is to the hit's document: `summary`, or `summary of` where the hit is its summary; likewise
    `translation`, `derived`; `duplicate`; `links to`, `linked from`."""

    document_id: str
    """As a hit's."""

    title: str

    url: str | None
    """Its address, as a hit's."""


@dataclass(frozen=True, slots=True)
class HoldingPage:
    """A page that a file hangs on."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    external_id: str
    """The page's id in its source."""

    title: str

    url: str | None
    """Its address, as a hit's."""


@dataclass(frozen=True, slots=True)
class HitFile:
    """The file that a hit is of, and where in it the text stands: what its format has of that, else None."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    name: str
    """As its page shows it."""

    mime_type: str
    """What its bytes are, such as `application/pdf`."""

    page: int | None = None
    """Of a document, from 1, as a reader of PDFs counts: where the text begins."""

    last_page: int | None = None
    """Where it ends; None: on the same page."""

    page_label: str | None = None
    """What is printed on that page in place of its number, such as `iv`."""

    slide: int | None = None
    """Of a presentation, from 1."""

    sheet: str | None = None
    """The name of a sheet."""

    rows: tuple[int, int] | None = None
    """The first and the last row of a sheet, from 1."""

    begin: float | None = None
    """Of a recording, in seconds."""

    end: float | None = None
    """Of a recording, in seconds."""

    attached_to: HoldingPage | None = None
    """None: on no page, or on one that is not in the index."""

    also_in: list[HoldingPage] = field(default_factory=list)
    """Other pages with the same file, at most 20."""


@dataclass(frozen=True, slots=True)
class Passage:
    """The part of a hit that answers best: a paragraph, some sentences of a long one, an item, a row; with what stands
    beside it under the same headings where it is short."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    begin: int
    """Where it begins in the hit's `text`, in characters."""

    end: int
    """The first character behind it."""

    heading_path: list[str]
    """The headings that it stands under, outermost first."""

    text: str
    """As a reader wants to see it: the cells of a row have the names of their columns, and bars between them."""

    best: tuple[int, int]
    """The span (begin, end) of this `text` that answers best; what stands around it explains it."""

    begins_inside: bool = False
    """The list, table, paragraph or code that it begins in begins earlier: whoever shows it says so, by `…`."""

    ends_inside: bool = False
    """The one that it ends in goes on behind it."""

    highlights: list[tuple[int, int]] = field(default_factory=list)
    """Spans (begin, end) of this `text` that hold the query's words."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One found chunk."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    score: float
    """0 to 1. Of the first hit: how likely it is that the index has an answer; of the others less. With models that
    nobody measured, and by ranks, it is comparable within one answer only (docs/searching.md#scores). A reranker's,
    where one had the last word."""

    document_id: str
    """A UUID; it stays through all versions of the document."""

    external_id: str
    """The page's id in its source; of a file that of its page, `#` and 16 hexadecimal digits."""

    kind: str
    """`page`, `row` of a database, `ticket`, its private `notes`, `article`, or `file` that hangs on one of them."""

    title: str
    """Of a file its name."""

    url: str | None
    """The page's address, where it is one of http, https, mailto or notion. Of a file its page's."""

    link: str | None
    """The address that leads to the heading above the passage where the browser can, or to its first words where those
    of the heading stand earlier on the page; of a file to where its page names it."""

    path: str
    """The document's place, an ltree of stable labels."""

    heading_path: list[str]
    """The headings above the beginning of the text, outermost first."""

    position: int
    """The chunk's number in its document, in the order of the text."""

    text: str
    """Markdown. Items of numbered lists have their numbers, and `-` where nothing tells how they are counted: of a page
    of more than 20,000 characters, where the list may have begun in an earlier chunk."""

    version: int
    """The version of the document that the text is of, from 1."""

    last_edited_at: str | None
    """When the source says that the page was edited, an ISO 8601 time."""

    workspace: str = ""
    """The slug of its workspace."""

    passage: Passage | None = None
    """The part of `text` that answers best."""

    also: Passage | None = None
    """Another part of `text` that answers nearly as well, where there is one."""

    highlights: list[tuple[int, int]] = field(default_factory=list)
    """Spans (begin, end) of `text` that hold the query's words, in characters; the end is the first one behind."""

    before: list[str] = field(default_factory=list)
    """The texts of the neighbouring chunks before, in the order of the document, when asked for. Numbered as `text`,
    but for lists that may have begun in an earlier chunk."""

    after: list[str] = field(default_factory=list)
    """Those behind, likewise."""

    other_chunks: int = 0
    """With `per_document`: how many other chunks of the document were found with at least half of this one's score."""

    duplicates: list[Place] = field(default_factory=list)
    """Other pages with nearly the same text and the same numbers. A row is one only if all its
    cells are equal."""

    file: HitFile | None = None
    """Of a file, which it is and where in it the text stands."""

    related: list[RelatedPage] = field(default_factory=list)
    """Documents that were related to this one by hand or by a property, at most five. Programs that may find some pages
    alone are told of none."""

    source_path: str | None = None
    """Of a Markdown file without an address its path below the folder, or in the zip, that its workspace is read from.
    Programs that may find some pages alone are not told it: folders are called as pages are."""


@dataclass(frozen=True, slots=True)
class TopicFacet:
    """A topic, with how many of the documents that may be found are about it or about anything below it.

    A document is about several topics, and counts once in each: the numbers of the topics below one do not add up to
    its own. They are of all documents that filters and the key's limits leave, and not of the hits alone.
    """

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    node_id: str
    """A UUID; it stays through all versions of the taxonomy. For the filter `topic`."""

    path: str
    """Its labels from the uppermost on: `AI/RAG`. For the filter `topic`."""

    label: str
    """The last of them."""

    documents: int
    """A file counts as a document, with its own topics and its page's."""

    has_children: bool
    """Whether there are topics below it."""

    workspace: str = ""
    """The slug of its workspace."""


@dataclass(frozen=True, slots=True)
class Results:
    """Hits, best first; or none, and the nearest."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    hits: list[Hit]

    seconds: float
    """How long they took."""

    corrections: dict[str, str] = field(default_factory=dict)
    """Words that no text has, with what was searched instead."""

    is_reranked: bool = False
    """The order is a reranker's. Not part of the JSON form."""

    tokens: int = 0
    """Of the question, as the embedding model counts them. Not part of the JSON form."""

    target: str | None = None
    """The target that was asked by meaning. None: PostgreSQL was."""

    notes: list[str] = field(default_factory=list)
    """What to know of the filters and the question, in sentences: a value that no row has, with what is near it; a code
    that no text has."""

    cursor: str | None = None
    """For further results: `after` of the same request. None where there are no more, or 200 have been shown."""

    repeated: list[Hit] = field(default_factory=list)
    """With `after`: further pages whose text an earlier answer has shown. They do not count as hits."""

    taken_with: list[str] = field(default_factory=list)
    """The `earlier` questions that the query leans on and was searched with, oldest first."""

    not_searched: dict[str, str] = field(default_factory=dict)
    """Of several workspaces those that could not be searched, with the reason in a sentence."""

    nearest: list[Hit] = field(default_factory=list)
    """When no hit has the score that is asked for: at most three that come nearest. `hits` is empty then."""

    facets: list[TopicFacet] = field(default_factory=list)
    """Where `topics` are asked for: those directly below the topic of the filters, or the uppermost, most documents
    first."""

    unjudged: Unjudged | None = None
    """Why scores do not tell whether there is an answer, so that without a `min_score` whatever is nearest is a hit.
    `not_measured`: what scores of the model, or of the way to search, mean; `outdated_index`: an earlier release filled
    it. None: they tell."""

    least: float = 0.0
    """The score below which nothing is said to be found: `min_score`, or what fits the model; 0 also where scores are a
    reranker's. Not part of the JSON form."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, as `arcana search --json` prints it: what stands behind the seconds only where it says
        something."""
        told = {
            "target": self.target,
            "taken_with": self.taken_with,
            "corrections": self.corrections,
            "notes": self.notes,
            "cursor": self.cursor,
            "not_searched": self.not_searched,
            "unjudged": self.unjudged,
            "repeated": [asdict(hit) for hit in self.repeated],
            "nearest": [asdict(hit) for hit in self.nearest],
            "facets": [asdict(facet) for facet in self.facets],
        }
        return {
            "hits": [asdict(hit) for hit in self.hits],
            "seconds": round(self.seconds, 4),
            **{name: value for name, value in told.items() if value},
        }

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """The JSON schema of what `to_dict` gives, with the meaning of every field."""
        schema = TypeAdapter(cls).json_schema()
        del schema["properties"]["is_reranked"], schema["properties"]["tokens"], schema["properties"]["least"]
        return schema
