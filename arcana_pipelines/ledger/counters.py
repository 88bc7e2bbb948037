"""What a generation counts. The stages note their part; reports, checks and statements read the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from arcana_pipelines.sources.protocol import Traffic

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

How = Literal["interrupted"]


@dataclass(frozen=True, slots=True)
class PageCounts:
    """What became of every page of one generation, in pages. All but `enumerated` add up to it.

    Attributes:
        enumerated: pages that the ledger has from this generation's listing.
        added: new ones that are indexed, or will be once they are embedded.
        updated: those with a new version.
        unchanged: those whose version stays.
        read: those whose body is held and not processed yet.
        skipped: those that are not to be indexed.
        quarantined: those that could not be read, processed, cut or embedded.
        pending: those that are still to be read.
    """

    enumerated: int
    added: int
    updated: int
    unchanged: int
    read: int
    skipped: int
    quarantined: int
    pending: int

    @property
    def is_balanced(self) -> bool:
        """True when no page was lost."""
        accounted = self.added + self.updated + self.unchanged + self.read
        return self.enumerated == accounted + self.skipped + self.quarantined + self.pending

    def as_dict(self) -> dict[str, int]:
        """JSON-ready: what is read but not processed is pending, too."""
        counts = asdict(self)
        counts["pending"] += counts.pop("read")
        return counts


@dataclass(frozen=True, slots=True)
class ChunkCounts:
    """What a publish did in all builds together, in chunks.

    Attributes:
        retired: those that a search finds no more: of older versions, and of removed documents.
        published: those that became searchable.
    """

    retired: int = 0
    published: int = 0

    def __add__(self, more: ChunkCounts) -> ChunkCounts:
        """What both did."""
        return ChunkCounts(self.retired + more.retired, self.published + more.published)


@dataclass(frozen=True, slots=True)
class EmbeddingCounts:
    """What a run did about embeddings.

    Attributes:
        cost: what the computed ones cost, in US dollars; None when the price is not known.
        reused: staged chunks that found their embedding in the store.
        tokens: what the provider counted for the computed ones.
        waiting: texts that wait in batches at the provider.
        computed: texts whose embedding came from the provider.
        problems: batches that ended without all answers, in words.
        passages: parts of chunks whose vector was computed.
    """

    cost: float | None = 0.0
    reused: int = 0
    tokens: int = 0
    waiting: int = 0
    computed: int = 0
    problems: tuple[str, ...] = ()
    passages: int = 0

    def __add__(self, more: EmbeddingCounts) -> EmbeddingCounts:
        """What both did; what waits, as the later one saw it."""
        return EmbeddingCounts(
            None if self.cost is None or more.cost is None else round(self.cost + more.cost, 8),
            self.reused + more.reused,
            self.tokens + more.tokens,
            more.waiting,
            self.computed + more.computed,
            (*self.problems, *more.problems),
            self.passages + more.passages,
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; `waiting`, `problems` and `passages` only when there are any."""
        known = asdict(self) | {"problems": list(self.problems)}
        return {
            name: value for name, value in known.items() if value or name not in ("waiting", "problems", "passages")
        }


@dataclass(frozen=True, slots=True)
class FileWork:
    """What a run did about files.

    Attributes:
        fetched: files whose bytes were fetched.
        bytes: that these have.
        read: files (bytes, that many may have) that a parser read.
    """

    fetched: int = 0
    bytes: int = 0
    read: int = 0


@dataclass(frozen=True, slots=True)
class LookupCounts:
    """What a run looked up in the taxonomy.

    Attributes:
        asked: paths of topics that came with documents, each as often as it did.
        hits: of these, they that were known without asking the database.
    """

    asked: int = 0
    hits: int = 0

    @property
    def hit_rate(self) -> float | None:
        """The share of hits, from 0 to 1; None: nothing was asked."""
        return round(self.hits / self.asked, 4) if self.asked else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What was noted of one generation; None: no stage has noted it (yet).

    Attributes:
        run: the id of the run that began it.
        is_estimate: it was to read and cut only, and is not a sync unless a later run has published what it cut.
        listed: pages that the source listed, counted while it did.
        removed: pages that are proven gone.
        waiting_removals: pages whose removal waits for a person.
        versions: versions that were made.
        files: what was fetched and read of files.
        files_seen: the state of their ledger when the stage of files had ended (see `FilesState`).
        files_made: the same, when their versions had been made.
        files_reading: what decided which files were fetched and how they were read, as a hash.
        notion: what was asked of the source, of Notion or another.
        embeddings: what was embedded, reused and spent.
        chunks: what was published and taken out.
        lookups: paths of topics that were looked up.
        pages: what had become of its pages when the sync ended. Later syncs list most of them again.
        quarantined: all pages of the workspace in quarantine when the sync ended.
        is_whole: it listed everything there is, so that pages that are gone were missed. None: it did not.
        ended: `interrupted`: a person had it end before it was done. None: no one did.
    """

    run: str | None = None
    is_estimate: bool | None = None
    listed: int | None = None
    removed: int | None = None
    waiting_removals: int | None = None
    versions: int | None = None
    files: FileWork | None = None
    files_seen: str | None = None
    files_made: str | None = None
    files_reading: str | None = None
    notion: Traffic | None = None
    embeddings: EmbeddingCounts | None = None
    chunks: ChunkCounts | None = None
    lookups: LookupCounts | None = None
    pages: PageCounts | None = None
    quarantined: int | None = None
    is_whole: bool | None = None
    ended: How | None = None

    @classmethod
    def of(cls, noted: Mapping[str, Any]) -> Counters:
        """From the column `sync_generation.counters`. What another release noted there besides is left out."""
        numbers = {name: noted[name] for name in _PLAIN if name in noted}
        parts = {name: _part(kind, noted[name]) for name, kind in _PARTS.items() if noted.get(name)}
        return cls(**numbers, **parts)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: what is noted, and nothing else."""
        noted = {name: value for field in fields(self) if (value := getattr(self, name := field.name)) is not None}
        for name in _PARTS.keys() & noted.keys():
            part = noted[name]
            noted[name] = part.as_dict() if isinstance(part, EmbeddingCounts) else asdict(part)
        return noted


_PARTS: dict[str, type[DataclassInstance]] = {
    "notion": Traffic,
    "embeddings": EmbeddingCounts,
    "chunks": ChunkCounts,
    "files": FileWork,
    "lookups": LookupCounts,
    "pages": PageCounts,
}
_PLAIN = [field.name for field in fields(Counters) if field.name not in _PARTS]


def _part(kind: type[DataclassInstance], noted: Mapping[str, Any]) -> Any:
    known = {field.name: noted[field.name] for field in fields(kind) if field.name in noted}
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in known.items()})
