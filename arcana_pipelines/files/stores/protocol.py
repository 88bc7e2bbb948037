"""What a file store is: bytes by the hash of their content, below the key of a workspace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What a store says of one object.

    Attributes:
        key: `{company}/{platform}/{workspace}/{aa}/{sha256}`, made of our ids alone.
        size: in bytes.
        stored_at: aware.
    """

    key: str
    size: int
    stored_at: datetime


class FileStore(Protocol):
    """Keeps bytes. Safe to call from several threads and processes; nothing that is there is ever overwritten.

    Keys are those of `keys.key_of`. All methods but `close`:

    Raises:
        WrongUse: a key is none of ours.
        FileStoreUnreachable: it does not answer now; the same may succeed later.
        FileStoreRefused: it answers and does not do it (rights, a full disk); the message says what to do.
    """

    def put(self, key: str, source: Path, sha256: str, size: int) -> None:
        """Keep a file's bytes under a key, whole or not at all; nothing is done where they are there already.

        The bytes are checked against hash (hex) and size on their way.

        Raises:
            FileDamaged: `source` has other bytes, or the key holds bytes of another size. Who deletes it can put again.
        """
        ...

    def fetch(self, key: str, sha256: str) -> AbstractContextManager[Path]:
        """A local file with the bytes, checked against the hash, until the block ends. It is not written to.

        Raises:
            FileMissing: there is no such object.
            FileDamaged: it has other bytes.
        """
        ...

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes in pieces of at most a MiB, for a download; those from `start` on, `length` of them.

        Both lie inside the object. The first piece is read at once. Of a whole object the last piece comes only when
        all are what its key says.

        Raises:
            FileMissing: there is no such object.
            FileDamaged: it has other bytes.
        """
        ...

    def size(self, key: str) -> int | None:
        """In bytes; None: there is no such object."""
        ...

    def listing(self, prefix: str) -> Iterator[StoredObject]:
        """All objects whose key begins with a prefix, a page at a time, in the order of their keys.

        What lies there under keys that are none of ours is left out.
        """
        ...

    def delete(self, key: str) -> None:
        """Delete an object, and nothing where there is none."""
        ...

    def address(self, key: str, name: str, mime_type: str, seconds: int) -> str | None:
        """An address that gives the bytes to whoever has it for so many seconds; None: the store has none to give.

        `name` is what a browser is told to call it. Whether there is such an object is not asked.
        """
        ...

    def sweep_leftovers(self, older_than: datetime) -> int:
        """Delete what uploads and fetches that were killed left behind before a time; returns how many there were.

        It counts for nothing meanwhile. What is under way for longer than that fails.
        """
        ...

    def answer(self) -> str:
        """Where it is and whether it answers, in a sentence; nothing is written."""
        ...

    def close(self) -> None:
        """Release what is open."""


class Bucket(Protocol):
    """Objects under any names, for what is no store of files. All methods raise as those of a `FileStore`."""

    def put(self, name: str, content: bytes) -> None:
        """Keep an object, in the place of one that is there."""
        ...

    def get(self, name: str) -> bytes | None:
        """An object; None where there is none."""
        ...

    def names(self, prefix: str) -> Iterator[StoredObject]:
        """All objects whose names begin so, in their order."""
        ...

    def delete(self, name: str) -> None:
        """Delete an object, and nothing where there is none."""
        ...

    def answer(self) -> str:
        """Where it is and whether it answers, in a sentence; nothing is written."""
        ...
