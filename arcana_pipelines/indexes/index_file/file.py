"""The file: how it is opened, what is in it, and what is said of one that cannot be used.

Anybody's SQLite (3.20 or later) reads the tables, and searches `words_N` with FTS5; the vectors are BLOBs of float32 in
`document_chunks`. Only `vectors_N` needs the extension sqlite-vec. docs/targets.md shows statements.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import sqlite_vec

from arcana_pipelines.errors import IndexFileRefused

# https://www.sqlite.org/pragma.html#pragma_application_id: "Arca". The version rises with each change of the schema.
APPLICATION_ID = 0x41726361
VERSION = 1
BUSY_SECONDS = 10
_CACHE_KIB = 64 * 1024

_SCHEMA = """
    CREATE TABLE collections (
        collection_id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        alias TEXT UNIQUE,                -- the name of what serves; NULL: it does not serve
        workspace TEXT NOT NULL,
        index_name TEXT NOT NULL,
        build INTEGER NOT NULL,
        dimensions INTEGER NOT NULL,
        made_by TEXT NOT NULL,            -- JSON: model, chunker, fingerprint
        changed_at TEXT NOT NULL,         -- ISO 8601
        content_hash TEXT                 -- SHA-256 of all rows, as `check` says; NULL of a target, which changes often
    );
    CREATE TABLE documents (
        collection_id INTEGER NOT NULL REFERENCES collections ON DELETE CASCADE,
        document_id TEXT NOT NULL,
        external_id TEXT NOT NULL,        -- the page's id in its source
        kind TEXT NOT NULL,               -- page, row, ticket, notes, article or file
        title TEXT NOT NULL,
        url TEXT NOT NULL,
        path TEXT NOT NULL,               -- its place, an ltree of stable labels
        version INTEGER NOT NULL,
        last_edited_at TEXT,
        published_at TEXT NOT NULL,
        chunk_ids TEXT NOT NULL,          -- JSON, in the order of the text
        text TEXT,                        -- of this version, Markdown
        properties TEXT,                  -- JSON
        file_hash TEXT NOT NULL,          -- SHA-256 of the columns before
        PRIMARY KEY (collection_id, document_id),
        UNIQUE (collection_id, file_hash)
    );
    CREATE INDEX documents_external_id ON documents (collection_id, external_id);
    CREATE TABLE document_chunks (
        vector_id INTEGER PRIMARY KEY,    -- the row of vectors_N, words_N and keys_N
        collection_id INTEGER NOT NULL REFERENCES collections ON DELETE CASCADE,
        chunk_id INTEGER NOT NULL,
        document_id TEXT NOT NULL,
        title TEXT NOT NULL,              -- of the page
        heading_path TEXT NOT NULL,       -- JSON, from the outermost
        heading_levels TEXT,              -- JSON
        language TEXT,
        text TEXT,
        row_hash TEXT NOT NULL,           -- of text, title, headings and vector
        embedding BLOB NOT NULL,          -- float32, little-endian, at unit length
        passages BLOB,                    -- float16, the vectors of its passages one behind the other
        terms BLOB,                       -- int32: numbers of its words
        weights BLOB,                     -- float32: what each says (BM25 without idf)
        keys BLOB,                        -- int32, big-endian: what keys_N finds it by
        UNIQUE (collection_id, chunk_id)
    );
    CREATE INDEX document_chunks_document ON document_chunks (collection_id, document_id);
    CREATE VIEW chunks_in_order AS
        SELECT d.collection_id, d.document_id, d.title, d.url, part.key AS position, k.chunk_id, k.heading_path, k.text
        FROM documents d, json_each(d.chunk_ids) part
        JOIN document_chunks k ON k.collection_id = d.collection_id AND k.chunk_id = part.value;
"""
# Files of earlier releases get it when something is written into them; who only reads asks `has_files`.
_FILES = """
    CREATE TABLE IF NOT EXISTS files (    -- of the documents those that are files
        collection_id INTEGER NOT NULL,
        document_id TEXT NOT NULL,
        name TEXT NOT NULL,
        mime_type TEXT,
        places TEXT,                      -- JSON: where in it each of its chunks stands
        copy_of TEXT,                     -- the document with the same bytes, which has the text; NULL: it has it
        page_external_id TEXT,            -- of the page that it hangs on
        page_title TEXT,
        page_url TEXT,
        PRIMARY KEY (collection_id, document_id),
        FOREIGN KEY (collection_id, document_id) REFERENCES documents ON DELETE CASCADE
    );
    CREATE INDEX IF NOT EXISTS files_copy_of ON files (collection_id, copy_of) WHERE copy_of IS NOT NULL;
"""


def create_or_open(path: Path, *, is_shared: bool) -> apsw.Connection:
    """A connection that may write; the file is made where there is none.

    Args:
        path: its folder is there.
        is_shared: others read it while we write, all on this machine (WAL). Otherwise it is one file at any time, which
            can be copied and read where nothing may be written.

    Raises:
        IndexFileRefused: see `open_to_read`.
    """
    connection = None
    try:
        connection = _opened(path, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
        if not _is_ours(connection, path):
            connection.execute(f"PRAGMA journal_mode = {'WAL' if is_shared else 'DELETE'}")
            with changing(connection):
                if not _is_ours(connection, path):  # another process may have made it meanwhile
                    connection.execute(_SCHEMA)
                    connection.execute(_FILES)
                    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}")
        elif not has_files(connection):
            with changing(connection):
                connection.execute(_FILES)
        # A commit that was acknowledged is delivered no more: it has to be on the disk.
        connection.execute("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")
    except apsw.Error as error:
        _close(connection)
        raise IndexFileRefused(said(path, error)) from error
    except IndexFileRefused:
        _close(connection)
        raise
    return connection


def open_to_read(path: Path) -> apsw.Connection:
    """A connection that cannot change anything.

    Raises:
        IndexFileRefused: there is no such file, it is no index of ours or damaged, of a newer release, or cannot be
            opened.
    """
    if not path.is_file():
        raise IndexFileRefused(f"There is no file {path}: `arcana export SLUG --sqlite {path.name}` makes one.")
    connection = None
    try:
        try:
            connection = _opened(path, apsw.SQLITE_OPEN_READONLY)
        except apsw.ReadOnlyError:
            # A writer was killed: who may write takes back what it left half done.
            _opened(path, apsw.SQLITE_OPEN_READWRITE).close()
            connection = _opened(path, apsw.SQLITE_OPEN_READONLY)
        is_ours = _is_ours(connection, path)
        connection.execute("PRAGMA trusted_schema = OFF")
    except apsw.Error as error:
        _close(connection)
        raise IndexFileRefused(said(path, error)) from error
    except IndexFileRefused:
        _close(connection)
        raise
    if not is_ours:
        _close(connection)
        raise IndexFileRefused(f"The file {path} is empty: its writing did not end. Export it again.")
    return connection


def has_files(connection: apsw.Connection) -> bool:
    """Whether the file has the table of files."""
    return bool(connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'files'").get)


@contextmanager
def changing(connection: apsw.Connection) -> Iterator[None]:
    """A transaction that writes, from its beginning on: nothing is read that another could still change."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # of some errors SQLite takes everything back itself
            connection.execute("ROLLBACK")
        raise


def said(path: Path, error: apsw.Error) -> str:
    """What an error of SQLite's means, and what to do."""
    match error:
        case apsw.NotADBError():
            return f"The file {path} is no SQLite database: name another, or move it away."
        case apsw.CorruptError():
            return f"The file {path} is damaged ({error}): move it away, so that it is made again."
        case apsw.BusyError() | apsw.LockedError():
            return f"The file {path} is being written by another process for longer than {BUSY_SECONDS} s: try again."
        case apsw.FullError():
            return f"The disk of {path} is full: nothing was changed. Make room and try again."
        case apsw.CantOpenError() if path.is_dir():
            return f"In the place of the file {path} is a folder: move it away, and the file is made again."
        case apsw.ReadOnlyError() | apsw.CantOpenError() | apsw.PermissionsError():
            return (
                f"The file {path}, or its folder {path.parent}, cannot be opened or written ({error}): see to the "
                "rights of both."
            )
        case _:
            return f"The file {path} cannot be used: {error}."


def _opened(path: Path, flags: int) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=flags)
    try:
        _prepare(connection)
    except apsw.Error:
        connection.close()
        raise
    return connection


def _prepare(connection: apsw.Connection) -> None:
    connection.set_busy_timeout(int(BUSY_SECONDS * 1000))
    connection.enable_load_extension(True)
    connection.load_extension(sqlite_vec.loadable_path())
    connection.enable_load_extension(False)
    # What a file from elsewhere says of its own structure is not believed.
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.execute(f"PRAGMA cell_size_check = ON; PRAGMA cache_size = -{_CACHE_KIB}; PRAGMA temp_store = MEMORY")


def _close(connection: apsw.Connection | None) -> None:
    if connection is not None:
        connection.close()


def _is_ours(connection: apsw.Connection, path: Path) -> bool:
    """False of an empty file.

    Raises:
        IndexFileRefused: it holds something else, or is of a newer release.
    """
    application = connection.pragma("application_id")
    version = connection.pragma("user_version")
    if application != APPLICATION_ID:
        if not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").get:
            return False
        raise IndexFileRefused(f"The file {path} is a SQLite database of something else: name another.")
    if version > VERSION:
        raise IndexFileRefused(
            f"The file {path} was written by a newer release (its version is {version}, this release knows {VERSION}): "
            "upgrade arcana-pipelines."
        )
    return True
