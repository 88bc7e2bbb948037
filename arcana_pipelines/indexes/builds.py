"""Builds: the physical incarnations of an index, each in its own partition of `chunk`.

A build is `building` until every document is in it, `verifying` until it is promoted, `active` while it serves and
`retired` when another serves in its place.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, LiteralString
from uuid import UUID

from psycopg import sql
from psycopg.types.json import Jsonb

from arcana_pipelines.chunking.sizes import CHUNKER_VERSION, ChunkerSettings
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import find, rows, scalar, scalars
from arcana_pipelines.db.reader import grant_to_readers
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.embedding.catalogue import model_named
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.lexical.version import LEXEMES_VERSION

load_sql = statements_beside(__file__)

NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
DEFAULT_INDEX = "default"  # the one that each workspace has from the beginning

Ann = Literal["auto", "none", "hnsw", "ivfflat"]

# Tokens that stand before a chunk when it is embedded, as a rule: title and headings, the model's prefix and marks. Of
# what a model reads that reads little, a quarter.
_BEFORE_A_CHUNK = 128
_SHORTEST = 32


def check_name(name: str, what: str) -> None:
    """Refuse a name that cannot be that of `what`: an index, or a target of one.

    Raises:
        WrongUse: it breaks the rules.
    """
    if not NAME.fullmatch(name):
        raise WrongUse(
            f"'{name}' cannot be {what}'s name: use 1 to 63 lower-case letters, digits, '-' and '_', beginning and "
            "ending with a letter or digit."
        )


def chunker_of(model: str) -> ChunkerSettings:
    """The sizes of chunks where none are asked for: smaller for a model that would not read the longest whole."""
    longest = longest_chunk(model)
    usual = ChunkerSettings()
    return usual if longest is None or usual.max_tokens <= longest else ChunkerSettings.of_target(longest // 2)


def longest_chunk(model: str) -> int | None:
    """The tokens of a chunk that a model reads whole with what stands before it; None: of any."""
    reads = model_named(model).longest
    return None if reads is None else max(_SHORTEST, reads - min(_BEFORE_A_CHUNK, reads // 4))


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """What fixes a build: how text is cut, what embeds it, and how vectors are searched.

    Attributes:
        embedding_model: the name of the model.
        dimensions: numbers a vector.
        chunker: sizes of chunks, in tokens.
        ann: how vectors are searched; `auto`: exactly, until there are too many for that.
    """

    embedding_model: str
    dimensions: int
    chunker: ChunkerSettings
    ann: Ann = "auto"

    @classmethod
    def of_model(cls, model: str, dimensions: int) -> IndexSettings:
        """Those of an index of which nothing else is said."""
        return cls(model, dimensions, chunker_of(model))

    @property
    def fingerprint(self) -> str:
        """Differs when anything that shapes the build's chunks or vectors differs, this release's chunker included."""
        facts = json.dumps(
            [CHUNKER_VERSION, LEXEMES_VERSION, self.embedding_model, self.dimensions, asdict(self.chunker)]
        )
        return hashlib.sha256(facts.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Build:
    """One build, with the index it belongs to.

    Attributes:
        rag_index_build_id: a number, also in the names of its tables.
        rag_index_id: the index it belongs to.
        workspace_id: the workspace of that index.
        index_name: the name of that index, unique in its workspace.
        chunker: the fields of `ChunkerSettings`.
        embedding_model: the name of the model.
        dimensions: numbers a vector.
        fingerprint: of the settings and the chunker's version, when the build was made (see `IndexSettings`).
        ann_setting: what was asked for: `auto`, `none`, `hnsw` or `ivfflat`.
        ann: what there is: `none` (searches are exact), `hnsw` or `ivfflat`.
        ann_effort: `hnsw.ef_search` (candidates) or `ivfflat.probes` (lists) of a search; 0 where searches are exact.
        state: `building`, `verifying`, `active` or `retired`.
        promote_when_verified: it serves by itself as soon as nothing speaks against it.
        verification: `Verification` as JSON; None before the first one.
        promoted_at: aware; None where it never served.
    """

    rag_index_build_id: int
    rag_index_id: UUID
    workspace_id: UUID
    index_name: str
    chunker: dict[str, Any]
    embedding_model: str
    dimensions: int
    fingerprint: str
    ann_setting: Ann
    ann: str
    ann_effort: int
    state: str
    promote_when_verified: bool
    verification: dict[str, Any] | None
    promoted_at: datetime | None

    @property
    def settings(self) -> IndexSettings:
        """What this build is made of."""
        return IndexSettings(self.embedding_model, self.dimensions, ChunkerSettings(**self.chunker), self.ann_setting)

    @property
    def is_outdated(self) -> bool:
        """True when this release would cut by the same settings in another way than the one that made the build."""
        return self.fingerprint != self.settings.fingerprint

    @property
    def table(self) -> str:
        """The name of the table that holds this build's chunks."""
        return chunk_table(self.rag_index_build_id)

    @property
    def params(self) -> dict[str, Any]:
        """Parameters of the statements that work on one build."""
        return {
            "workspace_id": self.workspace_id,
            "rag_index_id": self.rag_index_id,
            "build": self.rag_index_build_id,
            "model": self.embedding_model,
            "dimensions": self.dimensions,
        }


def chunk_table(build: int) -> str:
    """The name of a build's partition of `chunk`."""
    return f"chunk_b{build}"


def terms_table(build: int) -> str:
    """The name of a build's partition of `chunk_terms`."""
    return f"chunk_terms_b{build}"


def passage_table(build: int) -> str:
    """The name of a build's partition of `passage`."""
    return f"passage_b{build}"


def _partitions(build: int) -> tuple[tuple[LiteralString, str], ...]:
    return (
        ("chunk", chunk_table(build)),
        ("chunk_terms", terms_table(build)),
        ("passage", passage_table(build)),
    )


def builds_of(connection: Connection, workspace_id: UUID, index: str | None = None) -> list[Build]:
    """All builds of a workspace, or of one of its indexes, the oldest first."""
    return rows(connection, Build, load_sql("builds"), {"workspace_id": workspace_id, "index": index})


@dataclass(frozen=True, slots=True)
class Index:
    """An index as its row says.

    Attributes:
        name: unique in its workspace.
        embedding_model: of the build that serves.
        dimensions: numbers a vector.
        object_count: documents that it serves.
        vector_count: chunks that it serves.
        updated: when these counts were last written; aware.
    """

    name: str
    embedding_model: str
    dimensions: int
    object_count: int
    vector_count: int
    updated: datetime


@dataclass(frozen=True, slots=True)
class IndexStatistics(Index):
    """An index with what its build is made of, as its rows say.

    Attributes:
        index_type: what its vectors are kept in.
        created_at: of the index; aware.
        build: the number of the build that serves; it is another one after each rebuild.
        chunker: sizes of chunks in tokens (`target_tokens`, `max_tokens`, `overlap_tokens`).
        ann: how its vectors are searched: `none` (all are compared), `ivfflat` or `hnsw`.
        promoted_at: since when this build serves; aware.
        remembers_since: since when is known what this build showed, or would have; aware.
    """

    index_type: str
    created_at: datetime
    build: int
    chunker: dict[str, int]
    ann: str
    promoted_at: datetime | None
    remembers_since: datetime


def find_statistics(connection: Connection, workspace_id: UUID, name: str) -> IndexStatistics | None:
    """The statistics of an index; None where there is none that serves."""
    return find(connection, IndexStatistics, load_sql("statistics"), {"workspace_id": workspace_id, "name": name})


def indexes_of(connection: Connection, workspace_id: UUID) -> list[Index]:
    """The indexes of a workspace, by name."""
    return rows(
        connection,
        Index,
        "SELECT name, embedding_model, dimensions, object_count, vector_count, updated FROM rag_indexes "
        "WHERE workspace_id = %s ORDER BY name",
        [workspace_id],
    )


def find_index_names(connection: Connection, workspace_id: UUID) -> list[str]:
    """The names of a workspace's indexes, in order."""
    return scalars(connection, "SELECT name FROM rag_indexes WHERE workspace_id = %s ORDER BY name", [workspace_id])


def live_builds(connection: Connection, workspace_id: UUID, filling: bool = False) -> list[Build]:
    """The builds that follow a workspace's documents, those that serve first.

    A sync does not fill a new build: that may take long, and readers wait for what changed. `filling` runs do.
    """
    states = ["active", "verifying", "building"] if filling else ["active", "verifying"]
    live = [build for build in builds_of(connection, workspace_id) if build.state in states]
    return sorted(live, key=lambda build: (states.index(build.state), build.rag_index_build_id))


def create_build(
    connection: Connection, rag_index_id: UUID, settings: IndexSettings, state: str, promote: bool = False
) -> int:
    """Make a build and its empty partition, and return its id. `promote`: it may serve as soon as it is verified."""
    build: int = scalar(
        connection,
        "INSERT INTO rag_index_build (rag_index_id, chunker, embedding_model, dimensions, fingerprint, ann_setting, "
        "state, promote_when_verified) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING rag_index_build_id",
        [
            rag_index_id,
            Jsonb(asdict(settings.chunker)),
            settings.embedding_model,
            settings.dimensions,
            settings.fingerprint,
            settings.ann,
            state,
            promote,
        ],
    )
    # Made apart and attached: CREATE TABLE … PARTITION OF would make every reader of every workspace wait.
    for parent, name in _partitions(build):
        _execute(
            connection,
            build,
            parent,
            name,
            "CREATE TABLE {table} (LIKE {parent} INCLUDING ALL, CONSTRAINT {own} CHECK (rag_index_build_id = {build}))",
            "ALTER TABLE {parent} ATTACH PARTITION {table} FOR VALUES IN ({build})",
            "ALTER TABLE {table} DROP CONSTRAINT {own}",
            # Vectors and terms stay in the row as long as it fits a page.
            "ALTER TABLE {table} SET (toast_tuple_target = 8160)",
        )
    _execute(
        connection,
        build,
        "chunk",
        chunk_table(build),
        "ALTER TABLE {table} ADD CONSTRAINT {dimensions} CHECK (vector_dims(chunk_embedding) = "
        f"{int(settings.dimensions)})",
    )
    grant_to_readers(connection)
    return build


def _execute(connection: Connection, build: int, parent: str, name: str, *statements: LiteralString) -> None:
    for statement in statements:
        connection.execute(
            sql.SQL(statement).format(
                parent=sql.Identifier(parent),
                table=sql.Identifier(name),
                own=sql.Identifier(f"{name}_own_check"),
                dimensions=sql.Identifier(f"{name}_dimensions_check"),
                build=sql.Literal(build),
            )
        )


def drop_build(connection: Connection, build: int) -> None:
    """Drop a build with its chunks. `connection` must be in no transaction: readers of other builds do not wait.

    May be repeated after an interruption.
    """
    for parent, name in _partitions(build):
        _drop_partition(connection, parent, name)
    for table in ("term_count", "index_word"):
        connection.execute(f"DELETE FROM {table} WHERE rag_index_build_id = %s", [build])
    with connection.transaction():
        # With it goes what targets were to be told of it: who delivers takes the index's lock first, too.
        index = scalar(connection, "SELECT rag_index_id FROM rag_index_build WHERE rag_index_build_id = %s", [build])
        lock_index(connection, index)
        connection.execute("DELETE FROM rag_index_build WHERE rag_index_build_id = %s", [build])


def _drop_partition(connection: Connection, parent: LiteralString, name: str) -> None:
    is_half_detached = scalar(
        connection, "SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = to_regclass(%s)", [name]
    )
    if is_half_detached is not None:
        how: LiteralString = "FINALIZE" if is_half_detached else "CONCURRENTLY"
        statement: LiteralString = f"ALTER TABLE {parent} DETACH PARTITION {{}} {how}"
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(name)))


def lock_index(connection: Connection, rag_index_id: UUID | None) -> None:
    """Keep others from publishing to an index, and from promoting its builds, until this transaction ends."""
    connection.execute("SELECT 1 FROM rag_indexes WHERE rag_index_id = %s FOR NO KEY UPDATE", [rag_index_id])
