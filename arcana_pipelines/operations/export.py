"""Writing what an index serves into a file: documents, chunks, or the vectors of the chunks."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import psycopg
from psycopg import sql

from arcana_pipelines.db.engine import Connection, snapshot
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.indexes.builds import DEFAULT_INDEX, Build, builds_of
from arcana_pipelines.operations.export_files import Column, writer_of
from arcana_pipelines.retrieval.hit_files import shown_place
from arcana_pipelines.retrieval.shown import safe_address, shown

load_sql = statements_beside(__file__)

Kind = Literal["documents", "chunks", "embeddings"]

# In the order of the statements; docs/searching.md explains them.
COLUMNS: dict[Kind, tuple[Column, ...]] = {
    "documents": (
        Column("document_id"), Column("external_id"), Column("kind"), Column("title"),
        Column("url", "address"), Column("path"), Column("version", "integer"), Column("last_edited_at"),
        Column("user_id"), Column("edited_by"), Column("published_at", "time"), Column("text"),
        Column("mime_type"), Column("attached_to"), Column("copy_of"),
    ),
    "chunks": (
        Column("chunk_id", "integer"), Column("document_id"), Column("external_id"), Column("title"),
        Column("url", "address"), Column("version", "integer"), Column("position", "integer"),
        Column("heading_path", "texts"), Column("token_count", "integer"), Column("text"), Column("place", "json"),
    ),
    "embeddings": (
        Column("chunk_id", "integer"), Column("document_id"), Column("position", "integer"), Column("embedding_model"),
        Column("embedding", "vector"),
    ),
}  # fmt: skip
# Rows that are in memory at once. A document may have millions of characters, a chunk has a few thousand.
ROWS: dict[Kind, int] = {"documents": 20, "chunks": 500, "embeddings": 500}


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        index: the name of the index.
        build: its build that served then (`rag_index_build_id`).
        rows: documents, chunks or embeddings: what was asked for.
        bytes: the size of the file.
    """

    index: str
    build: int
    rows: int
    bytes: int


def export(
    connection: Connection,
    workspace_id: UUID,
    kind: Kind,
    file: Path,
    index: str = DEFAULT_INDEX,
    overwrite: bool = False,
    tell: Callable[[int, int], None] = lambda rows, of: None,
    internal: bool = False,
) -> Exported:
    """Write what the serving build of an index has, as it is at one moment, into a .parquet, .csv or .jsonl file.

    Rows are read and written in batches. The file is there when it is whole, and not before. After each batch `tell`
    hears how many rows are written, of how many. Private notes of tickets and their files are among them only where
    `internal` says so.

    Raises:
        WrongUse: the file is there already and may not be overwritten, its folder is not, its ending is none of these,
            pyarrow is not installed for parquet, or the workspace has no such index that serves.
    """
    open_writer = writer_of(file)
    rows = 0
    with made_whole(file, overwrite) as beside, snapshot(connection):
        build = serving_build(connection, workspace_id, index)
        there_are = _rows(connection, build, kind, internal)
        with open_writer(beside, COLUMNS[kind]) as writer:
            for batch in _batches(connection, build, kind, internal):
                writer.write([tuple(map(_shown, COLUMNS[kind], row)) for row in batch])
                rows += len(batch)
                tell(rows, there_are)
    return Exported(index, build.rag_index_build_id, rows, file.stat().st_size)


def _shown(column: Column, value: Any) -> Any:
    """A value as it may leave: without characters that hide something, and addresses that run nothing."""
    match column.kind:
        case "text":
            return None if value is None else shown(value)
        case "address":
            return safe_address(value)
        case "texts":
            # They are escaped in JSON, or stand there as they are.
            return json.dumps([shown(text) for text in json.loads(value)], ensure_ascii=False)
        case "json":
            return None if value is None else json.dumps(shown_place(json.loads(value)), ensure_ascii=False)
        case _:
            return value


def serving_build(connection: Connection, workspace_id: UUID, index: str) -> Build:
    """The build that serves an index.

    Raises:
        WrongUse: the workspace has no such index that serves.
    """
    for build in builds_of(connection, workspace_id, index):
        if build.state == "active":
            return build
    raise WrongUse(f"This workspace has no index '{index}' that serves. `arcana index list` shows its indexes.")


def _rows(connection: Connection, build: Build, kind: Kind, internal: bool) -> int:
    """How many there are."""
    parameters = {"build": build.rag_index_build_id, "internal": internal}
    ((documents, chunks),) = connection.execute(load_sql("export_count"), parameters).fetchall()
    return int(documents if kind == "documents" else chunks)


def _batches(connection: Connection, build: Build, kind: Kind, internal: bool) -> Iterator[list[tuple[Any, ...]]]:
    statement = {
        "documents": load_sql("export_documents"),
        "chunks": load_sql("export_chunks"),
        "embeddings": load_sql("export_embeddings"),
    }[kind]
    parameters = {
        "workspace_id": build.workspace_id,
        "build": build.rag_index_build_id,
        "model": build.embedding_model,
        "internal": internal,
    }
    # A cursor of the server: psycopg's own would take all rows at once.
    with connection.cursor("export") as cursor:
        try:
            cursor.execute(sql.SQL(statement).format(chunks=sql.Identifier(build.table)), parameters)
        except psycopg.errors.UndefinedTable as error:
            raise WrongUse(
                f"Build {build.rag_index_build_id} of index '{build.index_name}' was dropped just now: try again."
            ) from error
        while batch := cursor.fetchmany(ROWS[kind]):
            yield batch


@contextmanager
def made_whole(file: Path, overwrite: bool) -> Iterator[Path]:
    """A file beside the wanted one, which takes its name when all went well and is removed when not.

    Raises:
        WrongUse: the folder is not there, or the file is and may not be overwritten.
    """
    if not file.parent.is_dir():
        raise WrongUse(f"There is no folder {file.parent}: make it first.")
    if file.is_dir():
        raise WrongUse(f"{file} is a folder: name a file.")
    is_there = WrongUse(f"{file} is there already: name another file, or give --force to overwrite it.")
    if not overwrite and (file.exists() or file.is_symlink()):
        raise is_there
    handle, name = tempfile.mkstemp(prefix=f".{file.name[:100]}.", suffix=".part", dir=file.parent)
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        with beside.open("rb") as written:
            os.fsync(written.fileno())
        if overwrite:
            beside.replace(file)
        else:
            # Unlike a rename it takes no name that another process took meanwhile.
            try:
                os.link(beside, file)
            except FileExistsError:
                raise is_there from None
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()
