"""Where a file is while it comes: a place of which what killed processes left is swept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from arcana_pipelines.files.stores.on_disk import new_file, telling
from arcana_pipelines.settings import Settings


def incoming_folder(settings: Settings) -> Path:
    """The folder of what is not whole yet."""
    return settings.storage_root / "files" / "incoming"


@contextmanager
def incoming_file(settings: Settings) -> Iterator[tuple[Path, IO[bytes]]]:
    """A file for its owner alone, which is gone at the end.

    Raises:
        FileStoreRefused, FileStoreUnreachable: the disk is full, or cannot be used. So may be raised for what the block
            itself says of a file.
    """
    folder = incoming_folder(settings)
    with telling(folder), new_file(folder) as made:
        yield made
