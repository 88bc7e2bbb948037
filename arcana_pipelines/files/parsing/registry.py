"""Which parser reads which kind of file, and what a result of it is called."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

from arcana_pipelines.files.kinds import FileKind
from arcana_pipelines.files.parsing.languages import is_available
from arcana_pipelines.files.parsing.protocol import Reason

_HERE = "arcana_pipelines.files.parsing.parsers"
EXTRA = "files"


@dataclass(frozen=True, slots=True)
class Options:
    """What a reading depends on besides the bytes.

    Attributes:
        ocr_languages: as tesseract names them (`kor+eng`); empty, or one of them not installed: there is no OCR.
        most_rows: of a sheet that are read.
    """

    ocr_languages: str = ""
    most_rows: int = 10_000


@dataclass(frozen=True, slots=True)
class Parser:
    """One parser.

    Attributes:
        name, version: results of another version are read again, so that the version is raised when a parser says
            something better, and not because a library has a new release.
        kinds: what it reads.
        module: has the function `parse` of `protocol.ParserModule`.
        needs: the modules of others that it imports.
        sees: it hands on pictures for OCR.
    """

    name: str
    version: int
    kinds: frozenset[FileKind]
    module: str
    needs: tuple[str, ...] = ()
    sees: bool = False


def _ours(name: str, version: int, kinds: set[FileKind], *needs: str, sees: bool = False) -> Parser:
    return Parser(name, version, frozenset(kinds), f"{_HERE}.{name}", needs, sees)


PARSERS = (
    _ours("pdf", 2, {FileKind.PDF}, "pypdfium2", "pdfplumber", "PIL", sees=True),
    _ours("word", 1, {FileKind.DOCX}, "lxml"),
    _ours("slides", 1, {FileKind.PPTX}, "lxml"),
    _ours("sheets", 1, {FileKind.XLSX, FileKind.XLSB, FileKind.XLS, FileKind.ODS}, "python_calamine", "lxml"),
    _ours("texts", 3, {FileKind.CSV, FileKind.TEXT, FileKind.MARKDOWN}, "charset_normalizer", "selectolax"),
    _ours("html", 1, {FileKind.HTML}, "selectolax", "charset_normalizer"),
    _ours("epub", 1, {FileKind.EPUB}, "lxml", "selectolax", "charset_normalizer"),
    _ours("rtf", 1, {FileKind.RTF}, "striprtf"),
    _ours("hangul", 1, {FileKind.HWP, FileKind.HWPX, FileKind.HWPML}, "hwp2md", "lxml", "olefile", "PIL", sees=True),
    _ours("mail", 1, {FileKind.EML, FileKind.MSG}, "oxmsg", "selectolax", "charset_normalizer"),
    _ours("archive", 1, {FileKind.ZIP}),
    _ours("image", 1, {FileKind.IMAGE}, "PIL", sees=True),
)

UNHEARD = "what is said in it is not written down: FILE_TRANSCRIPTION_URL names a service that does"
# Kinds that no parser reads, and why they have no text.
WITHOUT: dict[FileKind, tuple[Reason, str]] = {
    FileKind.HWP3: (Reason.UNSUPPORTED, "HWP 3.0 is not read: save it in a newer version of Hangul"),
    FileKind.DOC: (Reason.UNSUPPORTED, "the old format of Word is not read: save it as .docx"),
    FileKind.PPT: (Reason.UNSUPPORTED, "the old format of PowerPoint is not read: save it as .pptx"),
    FileKind.OTHER: (Reason.UNSUPPORTED, "a format that is not read"),
    FileKind.OFFICE_ENCRYPTED: (Reason.ENCRYPTED, "it opens with a password"),
    FileKind.HWPX_ENCRYPTED: (Reason.ENCRYPTED, "it opens with a password"),
    FileKind.AUDIO: (Reason.NO_TRANSCRIPT, UNHEARD),
    FileKind.VIDEO: (Reason.NO_TRANSCRIPT, UNHEARD),
    FileKind.EMPTY: (Reason.NO_TEXT, "the file is empty"),
}


def parser_of(kind: FileKind) -> Parser | None:
    """The parser that reads a kind; None: no parser does, and `WITHOUT` says why."""
    return next((parser for parser in PARSERS if kind in parser.kinds), None)


@cache
def missing_of(parser: Parser) -> tuple[str, ...]:
    """Which modules of a parser are not installed. They are found, not imported, and once in a process."""
    return tuple(name for name in (*parser.needs, parser.module) if find_spec(name) is None)


def parser_key(kind: FileKind, options: Options) -> str:
    """What a stored result is a result of, such as `pdf/1+ocr=kor+eng`: where it differs, a file is read again."""
    parser = parser_of(kind)
    if parser is None:
        return "none/1"
    if missing_of(parser):
        return f"{parser.name}/0"
    seen = f"+ocr={options.ocr_languages}" if parser.sees and is_available(options.ocr_languages) else ""
    return f"{parser.name}/{parser.version}{seen}"
