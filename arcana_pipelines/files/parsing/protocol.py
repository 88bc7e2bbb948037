"""What a parser is: a module with a function `parse`, called in a process of its own for one file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from arcana_pipelines.files.kinds import FileKind
from arcana_pipelines.files.parsing.blocks import Said


class Reason(StrEnum):
    """Why a file has no text. All but the first two are facts of its bytes and of the parser: not tried again."""

    CRASHED = "crashed"
    TIMEOUT = "timeout"
    TOO_LARGE = "too_large"
    ENCRYPTED = "encrypted"
    UNSUPPORTED = "unsupported"
    DAMAGED = "damaged"
    NO_TEXT = "no_text"
    NEEDS_OCR = "needs_ocr"
    NO_TRANSCRIPT = "no_transcript"
    NOT_INSTALLED = "not_installed"


class Unreadable(Exception):
    """A file has no text for us.

    Attributes:
        reason: in one word.
        detail: in a sentence that holds no text of the file.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Job:
    """One file to read.

    Attributes:
        path: its bytes. Its name says nothing.
        kind: by its content.
        name: as people call it: where the kind leaves open what a text is.
        directory: an empty directory for what the parser writes (`Inside`, `Picture`).
        pictures: write pages and images without usable text as `Picture`; False: OCR is off, and a `Note` does.
        most_rows: of a sheet that are read.
    """

    path: Path
    kind: FileKind
    name: str
    directory: Path
    pictures: bool = False
    most_rows: int = 10_000


class ParserModule(Protocol):
    """What `parsers/*.py` has."""

    def parse(self, job: Job) -> Iterator[Said]:
        """Say what stands in a file, in reading order, as it is read: a file need not fit into memory.

        Raises:
            Unreadable: it has no text for us. What was said before counts for nothing.
        """
        ...
