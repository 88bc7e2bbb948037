"""What a target holds of the build that serves, in a file, and from a file into a target.

The file is gzip of lines of JSON in UTF-8. The first says what it is of (`_Header`), the last how many rows there are:
`{"rows": 123}`; between them stands a row a line: `chunk_id`, `document_id`, `title`, `url`, `heading_path`,
`language`, `text` (null where the target keeps none), `row_hash`, and `vector`: base64 of its numbers as float32,
little-endian.

Vectors come out of the store and go into it. The rest of a row is PostgreSQL's, which its `row_hash` proves to be what
the store has; a row without that proof is in no file, and comes from none.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.query import scalars
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.indexes.targets.delivery import PATIENCE_SECONDS, Delivering, Delivery, delivering, verify_target
from arcana_pipelines.indexes.targets.parity import LEAST_COSINE, Parity, cosine
from arcana_pipelines.indexes.targets.protocol import Changes, Row
from arcana_pipelines.indexes.targets.rows import rows_of
from arcana_pipelines.indexes.targets.targets import BuildOfTarget, Target, builds_of_target

load_sql = statements_beside(__file__)

FORMAT = "arcana-target"
VERSION = 1
# Rows that are read and written together.
ROWS = 1_000


@dataclass(frozen=True, slots=True)
class _Header:
    """The first line.

    Attributes:
        format: `arcana-target`.
        version: of the format.
        workspace: the slug.
        index: the index's name.
        build: the number of its build.
        fingerprint: of what the build was made by.
        model: that embedded it.
        dimensions: numbers of a vector.
        kind: of the target that it was read from.
        target: its name.
        at: when; ISO 8601.
    """

    format: str
    version: int
    workspace: str
    index: str
    build: int
    fingerprint: str
    model: str
    dimensions: int
    kind: str
    target: str
    at: str


@dataclass(frozen=True, slots=True)
class Dumped:
    """What was written.

    Attributes:
        rows: that are in the file.
        left_out: rows of the store that PostgreSQL has not, or not so.
    """

    rows: int
    left_out: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of a file.

    Attributes:
        rows: that came from it.
        left_out: rows of it that PostgreSQL publishes no more, or not so.
        delivery: what was delivered besides.
        parity: what a comparison found after that.
    """

    rows: int
    left_out: int
    delivery: Delivery
    parity: Parity | None


def dump(database: Database, target: Target, file: Path) -> Dumped:
    """Write what a target holds of the build that serves into a file. What is published meanwhile waits.

    Raises:
        WrongUse: there is such a file, or the target holds nothing of a build that serves.
        TargetUnreachable: the store does not answer, or another process delivers to it for too long.
    """
    if file.exists():
        raise WrongUse(f"{file} is there already. Give another name, or delete it.")
    with database.own_connection() as connection:
        build = _serving(connection, target)
        if build.collection is None:
            raise WrongUse(f"The target '{target.name}' of workspace '{target.slug}' holds nothing yet.")
        with (
            delivering(database, connection, target, PATIENCE_SECONDS) as right,
            _new(file) as part,
            gzip.open(part, "wb", compresslevel=1) as stream,
        ):
            stream.write(_line(asdict(_header(target, build))))
            # To its end, before vectors are asked for: who lists keeps an embedded store to himself.
            listed = [(each.chunk_id, each.row_hash) for batch in right.store.scan(build.collection) for each in batch]
            rows = 0
            for first in range(0, len(listed), ROWS):
                for row in _stored(right, build, dict(listed[first : first + ROWS])):
                    stream.write(_line(_written(row)))
                    rows += 1
            stream.write(_line({"rows": rows}))
    return Dumped(rows, len(listed) - rows)


def load(database: Database, target: Target, file: Path, *, seconds: float) -> Loaded:
    """Fill a target anew from a file, deliver what is published besides, and compare the two.

    PostgreSQL answers searches meanwhile. Where this ends before its end, whoever delivers next fills the target.

    Raises:
        WrongUse: it is no such file, or one of another build than the one that serves.
        TargetUnreachable: see `dump`.
        TargetDiffers: see `deliver`.
    """
    with database.own_connection() as connection:
        build = _serving(connection, target)
        with _read(file) as (header, lines):
            _require(header, target, build, file)
            # To its end, before anything is replaced.
            whole = sum(1 for _ in lines)
        rows = 0
        with delivering(database, connection, target, PATIENCE_SECONDS) as right, _read(file) as (_, lines):
            build = right.begin(build)
            while batch := list(islice(lines, ROWS)):
                rows += _take_in(right, build, batch)
            right.deliver(time.monotonic() + seconds)
            delivery = right.done
    return Loaded(rows, whole - rows, delivery, verify_target(database, target, seconds=seconds).parity)


def _serving(connection: Connection, target: Target) -> BuildOfTarget:
    for build in builds_of_target(connection, target):
        if build.is_serving:
            return build
    raise WrongUse(f"No build serves the index '{target.index_name}' of workspace '{target.slug}' yet.")


def _stored(right: Delivering, build: BuildOfTarget, hashes: dict[int, str]) -> Iterator[Row]:
    """Rows that the store has as PostgreSQL has them, with the store's vectors."""
    assert build.collection is not None
    ours = rows_of(right.connection, build.build, list(hashes), right.target.with_text)
    same = [row for row in ours if row.row_hash == hashes[row.chunk_id]]
    vectors = right.store.vectors(build.collection, [row.chunk_id for row in same]) if same else {}
    for row in same:
        vector = vectors.get(row.chunk_id)
        if vector is not None and cosine(row.vector, vector) >= LEAST_COSINE:
            yield replace(row, vector=vector)


def _take_in(right: Delivering, build: BuildOfTarget, written: Sequence[Row]) -> int:
    """Give a store rows of a file that are published as they are there; returns how many."""
    assert build.collection is not None
    connection, with_text = right.connection, right.target.with_text
    key = {"index_target_id": right.target.index_target_id, "build": build.build}
    asked = {"documents": [row.document_id for row in written], "chunks": [row.chunk_id for row in written]}
    published = scalars(connection, load_sql("published_of"), {"build": build.build, **asked})
    known = rows_of(connection, build.build, published, with_text, with_details=right.store.answers_alone)
    ours = {row.chunk_id: row for row in known}
    rows = [replace(ours[row.chunk_id], vector=row.vector) for row in written if _is_same(row, ours.get(row.chunk_id))]
    told = {"documents": [row.document_id for row in rows], "chunks": [row.chunk_id for row in rows]}
    with right.changing():
        connection.execute(load_sql("note_tried"), {**key, **told})
    right.store.apply(build.collection, Changes(rows=rows))
    with right.changing():
        connection.execute(load_sql("note_held"), {**key, **told})
    return len(rows)


def _is_same(row: Row, ours: Row | None) -> bool:
    if ours is None or row.row_hash != ours.row_hash or row.document_id != ours.document_id:
        return False
    return len(row.vector) == len(ours.vector) and cosine(row.vector, ours.vector) >= LEAST_COSINE


def _header(target: Target, build: BuildOfTarget) -> _Header:
    made_by = build.made_by
    return _Header(
        FORMAT, VERSION, target.slug, target.index_name, build.build, made_by["fingerprint"], made_by["model"],
        build.dimensions, target.kind, target.name, datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def _require(header: _Header, target: Target, build: BuildOfTarget, file: Path) -> None:
    if (header.build, header.fingerprint) != (build.build, build.made_by["fingerprint"]):
        raise WrongUse(
            f"{file} is of build {header.build} of the index '{header.index}' of workspace '{header.workspace}', and "
            f"build {build.build} serves the index '{target.index_name}' of workspace '{target.slug}'. A target is "
            "filled without a file, too: `arcana target verify` does it."
        )


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _written(row: Row) -> dict[str, Any]:
    vector = base64.b64encode(row.vector.astype("<f4").tobytes()).decode()
    return {
        "chunk_id": row.chunk_id, "document_id": str(row.document_id), "title": row.title, "url": row.url,
        "heading_path": row.heading_path, "language": row.language, "text": row.text, "row_hash": row.row_hash,
        "vector": vector,
    }  # fmt: skip


def _row(line: dict[str, Any]) -> Row:
    vector = np.frombuffer(base64.b64decode(line["vector"], validate=True), dtype="<f4").astype(np.float32)
    return Row(
        int(line["chunk_id"]), UUID(line["document_id"]), line["title"], line["url"], line["text"],
        tuple(line["heading_path"]), line["language"], line["row_hash"], vector,
    )  # fmt: skip


@contextmanager
def _new(file: Path) -> Iterator[Path]:
    """A file for its owner alone, that has its name when it is whole."""
    part = file.with_name(f"{file.name}.part")
    try:
        part.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        raise WrongUse(f"{part} cannot be written: {error.strerror or error}.") from error
    try:
        yield part
        part.rename(file)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _read(file: Path) -> Iterator[tuple[_Header, Iterator[Row]]]:
    """The header and the rows. That it ends too soon is found when it is read to its end."""
    broken = f"{file} is no whole dump of a target: "
    try:
        with gzip.open(file, "rb") as stream:
            header = json.loads(stream.readline())
            if header.get("format") != FORMAT or header.get("version") != VERSION:
                raise WrongUse(f"{broken}its first line does not say so.")
            yield _Header(**header), _rows(stream, broken)
    except OSError as error:
        raise WrongUse(f"{file} cannot be read: {error.strerror or error}.") from error
    except (EOFError, ValueError, TypeError, KeyError, AttributeError, binascii.Error) as error:
        raise WrongUse(f"{broken}{error}.") from error


def _rows(stream: Iterator[bytes] | gzip.GzipFile, broken: str) -> Iterator[Row]:
    for rows, line in enumerate(stream):
        read = json.loads(line)
        if "rows" not in read:
            yield _row(read)
        elif read["rows"] == rows:
            return
        else:
            raise WrongUse(f"{broken}it has {rows} rows of {read['rows']}.")
    raise WrongUse(f"{broken}its last line is missing.")
