"""Where caches keep what they have."""

from __future__ import annotations

from typing import Protocol

# Of the bytes of one value: what is larger is computed anew.
MOST_BYTES = 1_000_000


class Store(Protocol):
    """Keeps values by their keys for a while. It may lose any of them, raises nothing, and is safe to share between
    threads.

    Attributes:
        is_here: its values are in this process, and had without waiting for anybody.
    """

    is_here: bool

    def get(self, key: str) -> bytes | None:
        """A value; None: it is not there (any more)."""

    def put(self, key: str, value: bytes, seconds: int) -> None:
        """Keep a value for so many seconds."""

    def awaited(self, key: str) -> bytes | None:
        """A value that another process is making; None: none is, or it takes too long, and whoever asks is to make it.
        Other processes wait for that until it is `made`, for a while."""

    def made(self, key: str) -> None:
        """A value that was not `awaited` is kept, or is not to be had."""

    def drop(self, prefix: str) -> None:
        """Forget all whose keys begin so."""

    def megabytes(self) -> float | None:
        """What it holds; None: it cannot be asked."""
