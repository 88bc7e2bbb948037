"""The small interface through which a folder and a zip look alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from arcana_pipelines.sources.notion_export.names import without_wrapper

MAX_FILE_BYTES = 64 * 1024 * 1024
SUFFIXES = (".md", ".csv")
HTML_SUFFIXES = (".html", ".htm")
# How long after its last change a file's time is not trusted (see `FolderExport.stamp`).
RACY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One `.md` or `.csv` file, or an attachment of any other kind.

    Attributes:
        path: relative, NFC, with `/`.
        size: in bytes, unpacked.
        modified_at: aware, as the file system or the zip says; what stands in for the time of an edit.
        locator: its archive's own handle, by which the archive reads it.
    """

    path: str
    size: int
    modified_at: datetime
    locator: Any

    @property
    def folder(self) -> str:
        """The path of the folder that holds the file, from the top of the export; empty there."""
        return without_wrapper(self.path).rpartition("/")[0]

    @property
    def stem(self) -> str:
        """The file's name without its extension."""
        return self.path.rpartition("/")[2].rpartition(".")[0]

    @property
    def is_page(self) -> bool:
        """Whether it is Markdown (else it is a CSV)."""
        return self.path.lower().endswith(".md")


@dataclass(frozen=True, slots=True)
class PackedFile:
    """A zip among the files of an export.

    Attributes:
        path: as that of an `ExportFile`.
        open: looks into it; None for one inside another zip, which stays closed.
    """

    path: str
    open: Callable[[], Archive] | None


class Archive(Protocol):
    """What one look at an export found: the files then, in path order, and how to read them now.

    `problems` are sentences about what could not be listed (then the list is not whole); `remarks` are
    about what was left out on purpose. `zips` are the zips that lie among the files and were not read. `attachments`
    are all other files in path order, where they were asked for, those zips among them.
    """

    @property
    def files(self) -> Sequence[ExportFile]: ...

    @property
    def attachments(self) -> Sequence[ExportFile]: ...

    @property
    def problems(self) -> Sequence[str]: ...

    @property
    def remarks(self) -> Sequence[str]: ...

    @property
    def zips(self) -> Sequence[PackedFile]: ...

    @property
    def last_change(self) -> float:
        """When the newest of what `fingerprint` looks at was changed, in seconds since 1970."""
        ...

    def read(self, file: ExportFile, limit: int) -> bytes:
        """Return the first `limit` bytes of a file.

        Raises:
            OSError: it cannot be read (`FileNotFoundError`: it is not there any more).
        """
        ...

    def stamp(self, file: ExportFile, now: datetime) -> str:
        """A value that changes with the file's content. Raises OSError."""
        ...

    def pieces(self, file: ExportFile) -> Iterator[bytes]:
        """All bytes of a file, a piece at a time. Raises OSError as `read` does."""
        ...

    def mark(self, file: ExportFile) -> str:
        """A value that changes when an attachment does; nothing is read for it."""
        ...

    def close(self) -> None: ...


def in_path_order(files: Mapping[str, ExportFile]) -> tuple[ExportFile, ...]:
    """All files by path: the order in which the first of two equal ids wins."""
    return tuple(files[path] for path in sorted(files))


def html_remark(paths: Sequence[str]) -> list[str]:
    """What to say of HTML files beside Markdown: pages of an HTML export, or attachments."""
    if not paths:
        return []
    count = "1 HTML file is" if len(paths) == 1 else f"{len(paths)} HTML files are"
    return [f"{paths[0]}: {count} not read; if these are pages, export again as Markdown & CSV"]
