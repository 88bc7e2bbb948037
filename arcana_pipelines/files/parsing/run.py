"""Reading one file in a process of its own."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from arcana_pipelines.errors import ReadersBroken
from arcana_pipelines.files import zips
from arcana_pipelines.files.kinds import ZIP_BASED, FileKind
from arcana_pipelines.files.parsing import languages, ocr
from arcana_pipelines.files.parsing.blocks import Block, Inside, Note, Picture, Said, Title
from arcana_pipelines.files.parsing.confinement import Confined
from arcana_pipelines.files.parsing.processes import exit_code_of, lines_of, reason_of, started
from arcana_pipelines.files.parsing.protocol import Reason, Unreadable
from arcana_pipelines.files.parsing.registry import EXTRA, WITHOUT, Options, Parser, missing_of, parser_key, parser_of
from arcana_pipelines.files.parsing.wire import MOST_BYTES, MOST_CELLS, Malformed, from_line, number_of, text_of

WALL_SECONDS = 120.0
MOST_WRITTEN = 512 * 2**20
"""In bytes, of all files that a parser writes."""
MOST_FILES = 1000
MOST_ATTACHMENTS = 20
MOST_NOTES = 100
"""Of one file; what comes behind them is left out."""
_LONGEST_DETAIL = 300

_PREFIX = "arcana-file-"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in the file, to be read as one of its own.

    Attributes:
        name: as it is called there: a label, never a path.
        path: where its bytes are until the reading ends.
    """

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says.

    Attributes:
        parser: what it is a result of (`registry.parser_key`).
        blocks: in reading order; of a file that only holds others there are none.
        title: what the file calls itself; empty where it does not.
        notes: what of it was not read, in words that name no text of it.
        seconds: that it took, by the clock.
        peak_bytes: the most memory that its process had.
    """

    parser: str
    blocks: tuple[Block, ...]
    title: str
    notes: tuple[str, ...]
    attachments: tuple[Attachment, ...]
    seconds: float
    peak_bytes: int


@contextmanager
def read_file(
    path: Path, name: str, kind: FileKind, options: Options | None = None, parser: Parser | None = None
) -> Iterator[Reading]:
    """What a file says. Its attachments lie in files of their own until the block ends.

    Args:
        path: its bytes, which are only read.
        name: as people call it.
        kind: by its content (`kinds.kind_of`).
        parser: in the place of the registered one.

    Raises:
        Unreadable: it has no text for us. Of `CRASHED` and `TIMEOUT` alone another outcome may be hoped for.
        ReadersBroken: none can be read here.
    """
    options = options or Options()
    if not languages.is_available(options.ocr_languages):
        options = replace(options, ocr_languages="")
    parser = parser or _parser_of(kind)
    began = time.monotonic()
    if kind in ZIP_BASED:
        _check_zip(path)
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as place:
        directory = Path(place)
        heard = _heard(path.resolve(), name, kind, options, parser, directory)
        attachments = tuple(
            Attachment(said.name, _written(directory, said.path)) for said in heard.said if isinstance(said, Inside)
        )
        blocks, notes = _with_pictures(heard.said, directory, options)
        if not blocks and not attachments:
            raise Unreadable(Reason.NO_TEXT, "; ".join(notes)[:_LONGEST_DETAIL] or "it holds no text")
        yield Reading(
            parser=parser_key(kind, options),
            blocks=blocks,
            title=next((said.text for said in heard.said if isinstance(said, Title)), ""),
            notes=notes,
            attachments=attachments,
            seconds=time.monotonic() - began,
            peak_bytes=heard.peak,
        )


def sweep_leftovers(older_than: datetime) -> None:
    """Delete the directories that readings left whose process was killed: those of this user that are older."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another process sweeps, too
            seen = left.lstat()
            if stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.getuid() and seen.st_mtime < older_than.timestamp():
                shutil.rmtree(left, ignore_errors=True)


def _parser_of(kind: FileKind) -> Parser:
    parser = parser_of(kind)
    if parser is None:
        raise Unreadable(*WITHOUT.get(kind, WITHOUT[FileKind.OTHER]))
    if missing := missing_of(parser):
        raise Unreadable(
            Reason.NOT_INSTALLED,
            f"reading it needs the module '{missing[0]}': pip install 'arcana-pipelines[{EXTRA}]'",
        )
    return parser


def _check_zip(path: Path) -> None:
    try:
        zips.check(zips.entries(path))
    except zips.TooMuchInside as error:
        raise Unreadable(Reason.TOO_LARGE, str(error)) from error
    except zipfile.BadZipFile as error:
        raise Unreadable(Reason.DAMAGED, "its list of entries cannot be read") from error


def confinement_here() -> Confined:
    """How processes that read files are confined on this machine: one is started, and says so.

    Raises:
        Unreadable: it does not answer.
        ReadersBroken: it cannot be started.
    """
    module = "arcana_pipelines.files.parsing.confinement"
    with (
        tempfile.TemporaryDirectory(prefix=_PREFIX) as directory,
        tempfile.TemporaryFile() as errors,
        started(module, Path(directory), {"directory": directory}, errors) as process,
    ):
        (line, *_) = [*lines_of(process, WALL_SECONDS, MOST_BYTES), b""]
        if (code := exit_code_of(process)) != 0:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip().rpartition("\n")[2]
            raise ReadersBroken(said or str(reason_of(code)))
    told = from_line(line)
    assert isinstance(told, Mapping)
    return Confined(told.get("calls") is True, told.get("paths") is True)


# --- the process -----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Heard:
    said: list[Said]
    attachments: int = 0
    notes: int = 0
    cells: int = 0
    peak: int = 0
    has_ended: bool = False


def _heard(path: Path, name: str, kind: FileKind, options: Options, parser: Parser, directory: Path) -> _Heard:
    """What the process of one file has said, all of it checked."""
    job = {
        "path": str(path),
        "kind": kind.value,
        "name": name,
        "directory": str(directory),
        "pictures": bool(options.ocr_languages),
        "most_rows": options.most_rows,
        "module": parser.module,
    }
    heard = _Heard([])
    with started("arcana_pipelines.files.parsing.child", directory, job) as process:
        try:
            for line in lines_of(process, WALL_SECONDS, MOST_BYTES, lambda: _check_written(directory)):
                _take(from_line(line), heard)
        except Malformed as error:
            raise Unreadable(Reason.CRASHED, "its process said what no parser says") from error
        code = exit_code_of(process)
    if not heard.has_ended:
        if code == 1:  # of a Python that has not begun, and of a parser that wants it so
            _require_readers()
        raise reason_of(code)
    return heard


def _require_readers() -> None:
    try:
        confinement_here()
    except ReadersBroken as error:
        said = f"No process that reads files can be started ({error}), so they wait: `arcana doctor` looks at it."
        raise ReadersBroken(said) from error


def _take(said: Said | Mapping[str, object], heard: _Heard) -> None:
    if not isinstance(said, Mapping):
        match said:
            case Inside():
                heard.attachments += 1
                if heard.attachments > MOST_ATTACHMENTS:
                    raise Malformed("too many files")
            case Note():
                heard.notes += 1
                if heard.notes > MOST_NOTES:
                    return
            case Block(rows=rows):
                heard.cells += sum(map(len, rows))
                if heard.cells > MOST_CELLS:
                    raise Unreadable(Reason.TOO_LARGE, f"its tables have more than {MOST_CELLS:,} cells")
        heard.said.append(said)
        return
    match said.get("is"):
        case "end":
            heard.peak = number_of(said, "peak")
            heard.has_ended = True
        case "unreadable":
            reason = text_of(said, "reason")
            if reason not in set(Reason):
                raise Malformed("a reason")
            raise Unreadable(Reason(reason), text_of(said, "detail")[:_LONGEST_DETAIL])
        case _:
            raise Malformed("a line of no kind")


def _check_written(directory: Path) -> None:
    with os.scandir(directory) as entries:
        sizes = [entry.stat(follow_symlinks=False).st_size for entry in entries]
    if len(sizes) > MOST_FILES or sum(sizes) > MOST_WRITTEN:
        raise Unreadable(Reason.TOO_LARGE, "it unpacks to more than a file may")


# --- what it has written ---------------------------------------------------------------------------


def _written(directory: Path, name: str) -> Path:
    """The file that a parser says it has written: a plain file there and nowhere else."""
    path = directory / name
    try:
        found = path.lstat()
    except OSError as error:
        raise Unreadable(Reason.CRASHED, "its process named a file that is not there") from error
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise Unreadable(Reason.CRASHED, "its process named what is no file of its own")
    return path


def _with_pictures(said: list[Said], directory: Path, options: Options) -> tuple[tuple[Block, ...], tuple[str, ...]]:
    """Blocks and notes, with what OCR reads in pictures in the place of these."""
    blocks: list[Block] = []
    notes: list[str] = []
    reader = ocr.Reader(options.ocr_languages, directory)
    for each in said:
        if isinstance(each, Block):
            blocks.append(each)
        elif isinstance(each, Note):
            notes.append(each.text)
        elif isinstance(each, Picture) and options.ocr_languages:
            blocks += reader.read(_written(directory, each.path), each.place)
    notes += reader.notes()
    return tuple(blocks), tuple(notes)
