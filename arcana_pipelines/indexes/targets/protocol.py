"""What a store is to this package: collections that are made, changed, counted, listed, searched and dropped.

A collection is the copy of one build of an index. A row of it is one chunk that is published, by the number it has in
PostgreSQL; a row never changes, it comes and goes. A store that is proven equal has, for each published chunk, one row
with its `row_hash`, and no others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias
from uuid import UUID

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Vector: TypeAlias = "NDArray[np.float32]"


@dataclass(frozen=True, slots=True)
class Collection:
    """A copy of one build.

    Attributes:
        name: 3 to 63 lower-case letters, digits and `_`, beginning with a letter: every store takes it.
        dimensions: numbers of a vector.
        size: how many chunks are published when it is made.
        workspace: the slug of the workspace.
        index: the name of the index.
        build: its `rag_index_build_id`.
        made_by: what its chunks and vectors were made by: `model`, `chunker` and `fingerprint` of the build.
    """

    name: str
    dimensions: int
    size: int
    workspace: str = ""
    index: str = ""
    build: int = 0
    made_by: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RowDetails:
    """What a search in the store alone reads of a chunk besides.

    Attributes:
        heading_levels: 1 (outermost) to 6, for each heading of `Row.heading_path`.
        terms: the numbers of its terms (`lexical.analysis.term_id`), ascending, of shape (terms,), int32.
        weights: the BM25 weight of each, without idf; float32.
        keys: what an index finds it by (`lexical.weights.Weights`), ascending; int32.
        passages: the vectors of its passages, in their order, of shape (passages, dimensions), float16; zeros for one
            that has none; None where none has.
    """

    heading_levels: tuple[int, ...]
    terms: NDArray[np.int32]
    weights: NDArray[np.float32]
    keys: NDArray[np.int32]
    passages: NDArray[np.float16] | None


@dataclass(frozen=True, slots=True)
class Row:
    """A chunk to be stored.

    Attributes:
        chunk_id: `chunk.document_chunk_id`, unique in its build.
        document_id: whose chunk it is.
        title: of the page, as it is in the text that was embedded.
        url: of the page when this was delivered.
        text: None where the target keeps no text.
        heading_path: headings above the chunk, from the outermost.
        language: None where it is not known.
        row_hash: of text, title, headings and vector: 32 hexadecimal digits.
        vector: at unit length.
        details: for stores that answer alone (`Store.answers_alone`); None for others.
    """

    chunk_id: int
    document_id: UUID
    title: str
    url: str
    text: str | None
    heading_path: tuple[str, ...]
    language: str | None
    row_hash: str
    vector: Vector
    details: RowDetails | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A published document, with its chunks in their order.

    Attributes:
        chunk_ids: all that are published of it, in the order of its text.
        last_edited_at: when the source says that the page was edited, an ISO 8601 time.
        text: of this version, for stores that answer alone; None for others, and where the target keeps no text.
        properties: of a row: name and `{"type", "text", "value"}`, likewise.
        file: of a file, likewise: `name`, `mime_type`, `places` (of its chunks), `copy_of` (the document that has its
            text), and `page_external_id`, `page_title` and `page_url` of its page.
    """

    document_id: UUID
    external_id: str
    kind: str
    title: str
    url: str
    path: str
    version: int
    published_at: datetime
    chunk_ids: tuple[int, ...]
    last_edited_at: str | None = None
    text: str | None = None
    properties: Mapping[str, Any] | None = None
    file: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to become of a collection. Applied twice it does the same.

    Attributes:
        rows: to be there, as they are here, also where rows of these ids are there already.
        gone: ids of chunks that are not to be there.
        whole: documents of which nobody knows what is there: of them nothing but `rows` is to be there.
        documents: those that are published now, for stores that keep documents as well.
        removed: documents that are published no more.
    """

    rows: Sequence[Row] = ()
    gone: Sequence[int] = ()
    whole: Sequence[UUID] = ()
    documents: Sequence[Document] = ()
    removed: Sequence[UUID] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """A row as the store lists it. What nobody of us wrote may have neither document nor hash."""

    chunk_id: int
    document_id: UUID | None
    row_hash: str


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk near to a question, with the cosine of the two."""

    chunk_id: int
    nearness: float


class Store(ABC):
    """An open store. One thread at a time uses it.

    What each method may raise:

    - `TargetUnreachable`: it is down, slow, full, refuses us, or is used by another process. Trying later can help.
    - `CollectionMissing`: it has no such collection (any more).
    - `RowsRefused`: it refuses what it was given; trying again will not help. `apply` and `make` alone.

    `answers_alone`: it is searched by words and meaning without PostgreSQL, so it is given what that takes.
    """

    answers_alone: ClassVar[bool] = False

    @abstractmethod
    def version(self) -> str:
        """Who answers, for people: `Chroma 1.5.9`. Asks the store, and changes nothing."""

    @abstractmethod
    def make(self, collection: Collection) -> None:
        """Make an empty collection. One that is there under this name is dropped before."""

    @abstractmethod
    def drop(self, collection: str) -> None:
        """Drop a collection with all it holds; where there is none nothing happens."""

    @abstractmethod
    def apply(self, collection: str, changes: Changes) -> None:
        """Change a collection; when it returns, who reads it next sees the change.

        Rows come before others go, so that a document is never missing in between, unless the store has transactions.
        """

    @abstractmethod
    def settle(self, collection: str, vectors: int) -> None:
        """Make a collection good to search, after so many changes that it has so many vectors now."""

    @abstractmethod
    def count(self, collection: str) -> int:
        """How many rows there are, exactly."""

    @abstractmethod
    def scan(self, collection: str) -> Iterator[list[Stored]]:
        """All rows, some at a time, in any order."""

    @abstractmethod
    def vectors(self, collection: str, chunk_ids: Sequence[int]) -> Mapping[int, Vector]:
        """The vectors of those of these chunks that are there."""

    @abstractmethod
    def nearest(self, collection: str, vector: Vector, limit: int) -> list[Found]:
        """The rows whose vectors are nearest to a vector by cosine, the nearest first."""

    @abstractmethod
    def name_serving(self, alias: str, collection: str) -> None:
        """Let other programs find, under a name that stays, the collection that serves now."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it."""
