"""Binary COPY, for tables that are filled by the hundred thousand.

psycopg adapts value by value, a vector number by number, which takes several times as long as an array does.
https://www.postgresql.org/docs/current/sql-copy.html (binary format); everything is big-endian.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, LiteralString

import numpy as np
from numpy.typing import NDArray

from arcana_pipelines.db.engine import Connection

# A signature, no flags, no extension; behind the rows one of -1 fields.
_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TAIL = b"\xff\xff"
_ROWS_A_PIECE = 50
_BYTEA, _TEXT, _INT4 = 17, 25, 23  # https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat


def copy(connection: Connection, target: LiteralString, rows: Iterable[bytes]) -> None:
    """Append rows (see `row`) to a table; `target` is its name and, in parentheses, the columns in the rows' order."""
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {target} FROM STDIN WITH (FORMAT BINARY)") as stream,
    ):
        stream.write(_HEAD)
        # psycopg hands each piece to the server by itself: rows alone would be many, all of them much memory.
        waiting = iter(rows)
        while piece := b"".join(islice(waiting, _ROWS_A_PIECE)):
            stream.write(piece)
        stream.write(_TAIL)


def row(*values: bytes) -> bytes:
    """One row: the number of its values, then each behind its length."""
    parts = [len(values).to_bytes(2)]
    for value in values:
        parts += (len(value).to_bytes(4), value)
    return b"".join(parts)


def int4(number: int) -> bytes:
    """An `integer`."""
    return number.to_bytes(4, signed=True)


def texts(items: Sequence[str]) -> bytes:
    """A `text[]`."""
    return _many(_TEXT, [item.encode() for item in items])


def byteas(items: Sequence[bytes]) -> bytes:
    """A `bytea[]`."""
    return _many(_BYTEA, items)


def int4s(numbers: NDArray[Any]) -> bytes:
    """An `integer[]`."""
    elements = np.empty((len(numbers), 2), dtype=">i4")
    elements[:, 0], elements[:, 1] = 4, numbers
    return _array(_INT4, len(numbers)) + elements.tobytes()


def halfvec(values: NDArray[Any]) -> bytes:
    """A `halfvec` (https://github.com/pgvector/pgvector/blob/master/src/halfvec.c: halfvec_recv)."""
    return np.array([len(values), 0], dtype=">i2").tobytes() + values.astype(">f2").tobytes()


def vector(values: NDArray[Any]) -> bytes:
    """A `vector` (https://github.com/pgvector/pgvector/blob/master/src/vector.c: vector_recv)."""
    return np.array([len(values), 0], dtype=">i2").tobytes() + values.astype(">f4").tobytes()


def sparsevec(dimensions: int, indices: NDArray[Any], values: NDArray[Any]) -> bytes:
    """A `sparsevec`; indices ascend from 0 (https://github.com/pgvector/pgvector/blob/master/src/sparsevec.c)."""
    head = np.array([dimensions, len(indices), 0], dtype=">i4")
    return head.tobytes() + indices.astype(">i4").tobytes() + values.astype(">f4").tobytes()


def _many(element_type: int, items: Sequence[bytes]) -> bytes:
    return _array(element_type, len(items)) + b"".join(len(item).to_bytes(4) + item for item in items)


def _array(element_type: int, length: int) -> bytes:
    # Dimensions, no NULLs, type; and where there is one: its length and lower bound.
    shape = [1, 0, element_type, length, 1] if length else [0, 0, element_type]
    return b"".join(map(int4, shape))
