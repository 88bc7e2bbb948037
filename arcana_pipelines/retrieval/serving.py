"""The build that answers a search: the one that serves its index, now or at a time in the past."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import find
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.indexes.targets.targets import POSTGRESQL
from arcana_pipelines.retrieval import past

load_sql = statements_beside(__file__)


@dataclass(frozen=True, slots=True)
class Serving:
    """The build that serves an index.

    Attributes:
        build: its `rag_index_build_id`.
        model: the name of the embedding model.
        dimensions: numbers a vector.
        chunker: the fields of `ChunkerSettings`.
        fingerprint: of what the build was made by (see `IndexSettings`).
        ann: how its vectors are searched: `none` (all are compared), `ivfflat` or `hnsw`.
        search_effort: lists that are probed (`ivfflat`) or candidates that are followed (`hnsw`); 0 for `none`.
        vectors: how many a search can reach.
        published: when the index last changed what it serves; None of the past, which does not change.
        target: the name of the target that is asked by meaning; None: PostgreSQL itself.
        store_kind: which kind of store that is.
        store_location: where it is.
        collection: what it has of this build; None as long as that is not proven equal.
    """

    build: int
    model: str
    dimensions: int
    chunker: dict[str, Any]
    fingerprint: str
    ann: str
    search_effort: int
    vectors: int
    published: datetime | None
    target: str | None = None
    store_kind: str = ""
    store_location: str = ""
    collection: str | None = None

    @property
    def is_outdated(self) -> bool:
        """True when an earlier release cut its texts or chose its words: what it scores, nobody measured."""
        settings = IndexSettings(self.model, self.dimensions, ChunkerSettings(**self.chunker))
        return self.fingerprint != settings.fingerprint


def find_serving(
    connection: Connection,
    workspace_id: UUID,
    index: str,
    build: int | None,
    as_of: datetime | None,
    target: str | None = None,
) -> Serving:
    """The build that serves an index or served it at a time; with `build`, that one. With what `target` has of it.

    Raises:
        WrongUse: the workspace has no such index, it is still being built, it has no such target, or the time is still
            to come.
        NotRemembered: what the index showed at that time is not known.
    """
    key = {"workspace_id": workspace_id, "index": index, "build": build, "target": target}
    serving = find(connection, Serving, load_sql("serving"), key)
    if serving is None:
        raise WrongUse(f"This workspace has no index '{index}' that serves. `arcana index list` shows its indexes.")
    if target not in (None, POSTGRESQL, serving.target):
        raise WrongUse(f"The index '{index}' has no target '{target}'. `arcana target list` shows those there are.")
    if as_of is None:
        return serving
    then = {**key, "as_of": as_of}
    serving = find(connection, Serving, load_sql("past_serving"), then)
    if serving is None:
        raise past.refusal(connection, index, then)
    return serving
