"""Builds: the physical incarnations of an index, each in its own partition of `document_chunk`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from arcana_pipelines.chunking.chunker import CHUNKER_VERSION, ChunkerSettings
from arcana_pipelines.db.engine import Connection


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """What fixes a build: how text is cut, and what embeds it."""

    embedding_model: str
    dimensions: int
    chunker: ChunkerSettings

    @property
    def fingerprint(self) -> str:
        """Differs when anything that shapes the build's chunks or vectors differs."""
        facts = json.dumps([CHUNKER_VERSION, asdict(self)], sort_keys=True)
        return hashlib.sha256(facts.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Build:
    """One build that is being kept up to date, with the index it belongs to."""

    rag_index_build_id: int
    rag_index_id: UUID
    index_name: str
    chunker: dict[str, Any]
    embedding_model: str
    dimensions: int
    state: str

    @property
    def chunker_settings(self) -> ChunkerSettings:
        """How this build cuts text."""
        return ChunkerSettings(**self.chunker)

    @property
    def partition(self) -> sql.Identifier:
        """The table that holds this build's chunks."""
        return sql.Identifier(f"document_chunk_b{self.rag_index_build_id}")


def live_builds(connection: Connection, workspace_id: UUID) -> list[Build]:
    """The builds of a workspace that follow its documents: the serving ones and those being built."""
    with connection.cursor(row_factory=class_row(Build)) as cursor:
        cursor.execute(
            "SELECT b.rag_index_build_id, b.rag_index_id, i.name AS index_name, b.chunker, b.embedding_model, "
            "b.dimensions, b.state "
            "FROM rag_index_build b JOIN rag_indexes i USING (rag_index_id) "
            "WHERE i.workspace_id = %s AND b.state <> 'retired' ORDER BY b.rag_index_build_id",
            [workspace_id],
        )
        return cursor.fetchall()


def create_build(connection: Connection, rag_index_id: UUID, settings: IndexSettings, state: str) -> int:
    """Make a build and its empty partition, and return its id."""
    row = connection.execute(
        "INSERT INTO rag_index_build (rag_index_id, chunker, embedding_model, dimensions, fingerprint, state) "
        "VALUES (%s, %s, %s, %s, %s, %s) RETURNING rag_index_build_id",
        [
            rag_index_id,
            Jsonb(asdict(settings.chunker)),
            settings.embedding_model,
            settings.dimensions,
            settings.fingerprint,
            state,
        ],
    ).fetchone()
    assert row is not None
    build = int(row[0])
    name = f"document_chunk_b{build}"
    connection.execute(
        sql.SQL(
            "CREATE TABLE {table} PARTITION OF document_chunk "
            "(CONSTRAINT {check} CHECK (vector_dims(chunk_embedding) = {dimensions})) FOR VALUES IN ({build})"
        ).format(
            table=sql.Identifier(name),
            check=sql.Identifier(f"{name}_dimensions_check"),
            dimensions=sql.Literal(settings.dimensions),
            build=sql.Literal(build),
        )
    )
    connection.execute(
        sql.SQL("CREATE INDEX {index} ON {table} USING gin (lexemes) WHERE deleted_at IS NULL").format(
            index=sql.Identifier(f"{name}_lexemes_idx"), table=sql.Identifier(name)
        )
    )
    return build


def drop_builds(connection: Connection, workspace_id: UUID) -> None:
    """Drop every build of a workspace, its chunks with it."""
    rows = connection.execute(
        "SELECT b.rag_index_build_id FROM rag_index_build b JOIN rag_indexes i USING (rag_index_id) "
        "WHERE i.workspace_id = %s",
        [workspace_id],
    ).fetchall()
    for (build,) in rows:
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(f"document_chunk_b{build}")))
