"""The bytes of a file, piece by piece, held against their hash on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO

from arcana_pipelines.errors import FileDamaged

PIECE_BYTES = 1024 * 1024


def checked(pieces: Iterable[bytes], sha256: str, what: str) -> Iterator[bytes]:
    """The same pieces. The last one comes only when all are what the hash says, so damaged bytes are never whole.

    Raises:
        FileDamaged: they are not; `what` is what people know the file by.
    """
    digest = hashlib.sha256()
    last = b""
    for piece in pieces:
        digest.update(piece)
        if last:
            yield last
        last = piece
    if digest.hexdigest() != sha256:
        raise FileDamaged(f"{what} has other bytes than its hash says.")
    if last:
        yield last


def begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same pieces, of which the first is read at once: what is missing is known before anything is sent."""
    return chain([first] if (first := next(pieces, b"")) else [], pieces)


def of_file(file: BinaryIO, piece_bytes: int = PIECE_BYTES, length: int | None = None) -> Iterator[bytes]:
    """A file from where it stands, to its end or so many bytes of it."""
    left = length
    while piece := file.read(piece_bytes if left is None else min(piece_bytes, left)):
        left = None if left is None else left - len(piece)
        yield piece
