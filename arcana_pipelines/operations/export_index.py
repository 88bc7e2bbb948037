"""Writing what an index serves into a SQLite file that is searched by itself, and renewing such a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import apsw

from arcana_pipelines.db.engine import Connection, snapshot
from arcana_pipelines.db.query import scalars
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import IndexFileRefused, WrongUse
from arcana_pipelines.indexes.builds import DEFAULT_INDEX, Build
from arcana_pipelines.indexes.index_file import collections
from arcana_pipelines.indexes.index_file.check import check, content_hash
from arcana_pipelines.indexes.index_file.file import changing, create_or_open, said
from arcana_pipelines.indexes.targets.names import alias_name, collection_name
from arcana_pipelines.indexes.targets.protocol import Changes, Collection
from arcana_pipelines.indexes.targets.rows import documents_of, published_rows, rows_of
from arcana_pipelines.operations.export import made_whole, serving_build

load_sql = statements_beside(__file__)

# What is in memory at once.
CHUNKS = 2_000
DOCUMENTS = 200

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class ExportedIndex:
    """What was written.

    Attributes:
        index: the name of the index.
        build: its build that served then (`rag_index_build_id`).
        documents: that the file holds.
        chunks: of them.
        put: chunks that were written now.
        taken: chunks that were taken out.
        is_new: the file was written from the beginning.
        bytes: the size of the file.
    """

    index: str
    build: int
    documents: int
    chunks: int
    put: int
    taken: int
    is_new: bool
    bytes: int


def export_index(
    connection: Connection,
    workspace_id: UUID,
    slug: str,
    file: Path,
    index: str = DEFAULT_INDEX,
    overwrite: bool = False,
    tell: Callable[[int, int], None] = lambda rows, of: None,
    internal: bool = False,
) -> ExportedIndex:
    """Write what the serving build of an index has, as it is at one moment, into a SQLite file.

    A new file is there when it is whole, and not before. In one that holds the same build of the same index, what
    differs is changed, in one transaction; who reads it sees what was before, or all of it. Where another build serves
    by now, a new file takes the place of the old one at once. `tell` hears how many chunks are written, of how many.

    A file is given away: private notes of tickets and their files are in it only where `internal` says so. One that had
    them and is to have them no more is written anew, so that nothing of them is left in it.

    Raises:
        WrongUse: the file is there already and holds something else, its folder is not there, or the workspace has no
            such index that serves.
        IndexFileRefused: the file is damaged, of a newer release, or in use; or its disk is full. It is as it was.
    """
    try:
        with snapshot(connection):
            build = serving_build(connection, workspace_id, index)
            writing = _Writing(connection, build, _collection(build, slug, internal), tell, internal)
            held = None if overwrite else _held(file, slug, index)
            is_renewed = held == (build.rag_index_build_id, internal)
            if is_renewed:
                writing.renew(file)
            else:
                with made_whole(file, overwrite or held is not None) as beside:
                    writing.write(beside)
    except apsw.Error as error:
        raise IndexFileRefused(said(file, error)) from error
    return ExportedIndex(
        index=index,
        build=build.rag_index_build_id,
        documents=writing.documents,
        chunks=writing.chunks,
        put=writing.put,
        taken=writing.taken,
        is_new=not is_renewed,
        bytes=file.stat().st_size,
    )


def _collection(build: Build, slug: str, internal: bool) -> Collection:
    made_by: dict[str, Any] = {
        "model": build.embedding_model, "chunker": build.chunker, "fingerprint": build.fingerprint,
        **({"internal": True} if internal else {}),
    }  # fmt: skip
    number = build.rag_index_build_id
    name = collection_name(slug, build.index_name, number, build.rag_index_id, fence=0)
    return Collection(name, build.dimensions, 0, slug, build.index_name, number, made_by)


def _held(file: Path, slug: str, index: str) -> tuple[int, bool] | None:
    """The build that a file has of an index, and whether with what is internal; None where there is no file, or an
    empty one."""
    if not file.is_file() or file.stat().st_size == 0:
        return None
    connection = create_or_open(file, is_shared=False)
    try:
        found: list[Any] = connection.execute(
            "SELECT workspace, index_name, build, made_by FROM collections"
        ).fetchall()
        if connection.pragma("journal_mode") == "wal":
            raise WrongUse(f"The file {file} is a target, which is delivered to: name another file.")
    finally:
        connection.close()
    if [(workspace, name) for workspace, name, *_ in found] != [(slug, index)]:
        raise WrongUse(
            f"The file {file} is not of the index '{index}' of workspace '{slug}': name another file, or give --force "
            "to overwrite it."
        )
    return int(found[0][2]), bool(json.loads(found[0][3]).get("internal"))


class _Writing:
    """One export: what PostgreSQL has at this moment, into one file."""

    def __init__(
        self, connection: Connection, build: Build, collection: Collection, tell: Callable[[int, int], None],
        internal: bool,
    ) -> None:  # fmt: skip
        self._connection = connection
        self._build = build
        self._collection = collection
        self._tell = tell
        left_out = (
            []
            if internal
            else connection.execute(load_sql("export_left_out"), {"build": build.rag_index_build_id}).fetchall()
        )
        self._left_out: set[UUID] = {document for document, _ in left_out}
        self._chunks_left_out: set[int] = {chunk for _, chunks in left_out for chunk in chunks}
        self.documents = self.chunks = self.put = self.taken = 0

    def write(self, file: Path) -> None:
        """Into a file that holds nothing."""
        target = create_or_open(file, is_shared=False)
        try:
            # It is thrown away where this fails, and on the disk before it has its name.
            target.execute("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF")
            with changing(target):
                self._bring(target, collections.make(target, self._collection))
        finally:
            target.close()

    def renew(self, file: Path) -> None:
        """Into one that holds an earlier state of the same build."""
        target = create_or_open(file, is_shared=False)
        try:
            check(target, file)
            number = collections.number_of(target, self._collection.name)
            if number is None:
                raise WrongUse(f"The file {file} is of another installation: name another, or give --force.")
            with changing(target):
                self._bring(target, number)
        finally:
            target.close()

    def _bring(self, target: apsw.Connection, number: int) -> None:
        stored: dict[int, str] = dict(
            target.execute("SELECT chunk_id, row_hash FROM document_chunks WHERE collection_id = ?", (number,))
        )
        published = {
            chunk: row_hash
            for chunk, row_hash in published_rows(self._connection, self._build.rag_index_build_id).items()
            if chunk not in self._chunks_left_out
        }
        wanted = [chunk for chunk, row_hash in published.items() if stored.get(chunk) != row_hash]
        gone = [chunk for chunk in stored if chunk not in published]
        for some in _batches(gone, CHUNKS):
            collections.apply(target, number, Changes(gone=some))
        for some in _batches(wanted, CHUNKS):
            rows = rows_of(self._connection, self._build.rag_index_build_id, some, with_text=True, with_details=True)
            collections.apply(target, number, Changes(rows=rows))
            self.put += len(rows)
            self._tell(self.put, len(wanted))
        is_changed = self._bring_documents(target, number)
        self.chunks, self.taken = len(published), len(gone)
        if wanted or gone or is_changed:
            collections.name_serving(target, self._alias(), self._collection.name)
            collections.seal(target, number, content_hash(target, number))

    def _bring_documents(self, target: apsw.Connection, number: int) -> bool:
        """Those that differ from what the file has; whether there are any."""
        stored: dict[str, str] = dict(
            target.execute("SELECT document_id, file_hash FROM documents WHERE collection_id = ?", (number,))
        )
        build = self._build.rag_index_build_id
        served = scalars(
            self._connection,
            "SELECT document_id FROM published_document WHERE rag_index_build_id = %s ORDER BY document_id",
            [build],
        )
        ids = [document for document in served if document not in self._left_out]
        changed = False
        for some in _batches(ids, DOCUMENTS):
            documents = documents_of(self._connection, build, some, with_text=True)
            new = [each for each in documents if collections.hash_of(each) != stored.get(str(each.document_id))]
            if new:
                collections.apply(target, number, Changes(documents=new))
                changed = True
        removed = sorted(stored.keys() - {str(document) for document in ids})
        if removed:
            collections.apply(target, number, Changes(removed=[UUID(document) for document in removed]))
        self.documents = len(ids)
        return changed or bool(removed)

    def _alias(self) -> str:
        return alias_name(self._collection.workspace, self._collection.index, self._build.rag_index_id)


def _batches(items: Iterable[_Item], size: int) -> Iterator[Sequence[_Item]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
