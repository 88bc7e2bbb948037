"""What a file is: by its content, never by its name or by what a server says."""

from __future__ import annotations

import re
import zipfile
import zlib
from enum import StrEnum
from pathlib import Path

from arcana_pipelines.errors import InvalidSetting
from arcana_pipelines.files import ole, zips


class FileKind(StrEnum):
    """A kind of file that we tell from others. Its value is how settings, rows and reports call it."""

    PDF = "pdf"
    DOCX = "docx"
    PPTX = "pptx"
    XLSX = "xlsx"
    XLSB = "xlsb"
    XLS = "xls"
    ODS = "ods"
    CSV = "csv"
    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"
    EPUB = "epub"
    RTF = "rtf"
    EML = "eml"
    MSG = "msg"
    HWP = "hwp"
    HWPX = "hwpx"
    HWPML = "hwpml"
    HWP3 = "hwp3"
    DOC = "doc"
    PPT = "ppt"
    OFFICE_ENCRYPTED = "office-encrypted"
    HWPX_ENCRYPTED = "hwpx-encrypted"
    ZIP = "zip"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    EMPTY = "empty"
    OTHER = "other"


ZIP_BASED = frozenset(
    {
        FileKind.DOCX, FileKind.PPTX, FileKind.XLSX, FileKind.XLSB, FileKind.ODS, FileKind.EPUB, FileKind.HWPX,
        FileKind.HWPX_ENCRYPTED, FileKind.ZIP,
    }
)  # fmt: skip

_HEAD = 64 * 2**10
_KIB = 1024

# How media begin. What holds both sound and pictures is told by the brand that follows (`_media`).
_MAGICS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
    (b"\xff\xf2", "audio/mpeg"),
    (b"\xff\xfa", "audio/mpeg"),
    (b"\xff\xf1", "audio/aac"),
    (b"\xff\xf9", "audio/aac"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"#!AMR", "audio/amr"),
    (b"MThd\0\0\0\x06", "audio/midi"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
    (b"FLV\x01", "video/x-flv"),
    (b"\0\0\x01\xba", "video/mpeg"),
    (b"\0\0\x01\xb3", "video/mpeg"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-asf"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_BRANDS = {
    b"heic": "image/heic", b"heix": "image/heic", b"hevc": "image/heic", b"mif1": "image/heif", b"msf1": "image/heif",
    b"avif": "image/avif", b"avis": "image/avif", b"M4A ": "audio/mp4", b"M4B ": "audio/mp4",
    b"qt  ": "video/quicktime",
}  # fmt: skip

_MIME_TYPES = {
    FileKind.PDF: "application/pdf",
    FileKind.DOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    FileKind.PPTX: "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    FileKind.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    FileKind.XLSB: "application/vnd.ms-excel.sheet.binary.macroenabled.12",
    FileKind.XLS: "application/vnd.ms-excel",
    FileKind.ODS: "application/vnd.oasis.opendocument.spreadsheet",
    FileKind.CSV: "text/csv",
    FileKind.TEXT: "text/plain",
    FileKind.MARKDOWN: "text/markdown",
    FileKind.HTML: "text/html",
    FileKind.EPUB: "application/epub+zip",
    FileKind.RTF: "application/rtf",
    FileKind.EML: "message/rfc822",
    FileKind.MSG: "application/vnd.ms-outlook",
    FileKind.HWP: "application/x-hwp",
    FileKind.HWPX: "application/hwp+zip",
    FileKind.HWPML: "application/x-hwpml",
    FileKind.HWP3: "application/x-hwp",
    FileKind.DOC: "application/msword",
    FileKind.PPT: "application/vnd.ms-powerpoint",
    FileKind.OFFICE_ENCRYPTED: "application/x-ole-storage",
    FileKind.HWPX_ENCRYPTED: "application/hwp+zip",
    FileKind.ZIP: "application/zip",
}

_DECLARED = {
    b"application/epub+zip": FileKind.EPUB,
    b"application/hwp+zip": FileKind.HWPX,
    b"application/vnd.oasis.opendocument.spreadsheet": FileKind.ODS,
}
# Of OOXML: in whose presence a package is what. A package of Office may hold others' parts (a chart its sheet), which
# lie deeper.
_PARTS = (
    ("word/", FileKind.DOCX),
    ("ppt/", FileKind.PPTX),
    ("xl/workbook.bin", FileKind.XLSB),
    ("xl/", FileKind.XLSX),
)
_STREAMS = (
    ("EncryptedPackage", FileKind.OFFICE_ENCRYPTED),
    ("FileHeader", FileKind.HWP),
    ("Workbook", FileKind.XLS),
    ("Book", FileKind.XLS),
    ("WordDocument", FileKind.DOC),
    ("PowerPoint Document", FileKind.PPT),
    ("__properties_version1.0", FileKind.MSG),
)

_ENDINGS = {
    ".csv": FileKind.CSV, ".tsv": FileKind.CSV, ".tab": FileKind.CSV,
    ".md": FileKind.MARKDOWN, ".markdown": FileKind.MARKDOWN, ".mdx": FileKind.MARKDOWN,
}  # fmt: skip
# A comment ends where it first ends (`?>`): with another choice a row of them takes twice as long for each.
_COMMENT = r"<!--(?>.{0,900}?-->)\s*+"
_HTML = re.compile(
    rf"<!doctype\s+html|<html[\s>]|\A\s*(?:<\?xml[^>]*>\s*)?(?:{_COMMENT})*+<(?:head|body|title|meta|link|style|"
    r"script|div|span|p|a|b|h[1-6]|ul|ol|table|br|center|font|section|article|header|main|nav|img)[\s/>]",
    re.I | re.S,
)
_SVG = re.compile(rf"\A\s*(?:<\?xml[^>]*>\s*)?(?:{_COMMENT}|<!DOCTYPE svg[^>]*>\s*)*+<svg[\s>]", re.I | re.S)
_HWPML = re.compile(r"\A\s*(?:<\?xml[^>]*>\s*)?(?:<[!?][^>]*>\s*)*<HWPML[\s>]")
_HEADER = re.compile(r"([!-9;-~]{1,70}):[ \t]|[ \t]")
# A note may begin with From and To as a mail does; these nobody writes by hand.
_OF_MAILS = frozenset({"message-id", "mime-version", "received", "return-path", "delivered-to", "dkim-signature"})
_OF_NOTES = frozenset({"from", "to", "subject", "date"})
_CONTROLS = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")
_MOST_CONTROLS = 0.01


def kinds_named(names: str) -> frozenset[FileKind]:
    """The kinds that FILE_TYPES names, with commas between them.

    Raises:
        InvalidSetting: one of them is none.
    """
    wanted = [name.strip().lower().removeprefix(".") for name in names.split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in set(FileKind)]:
        raise InvalidSetting(
            f"FILE_TYPES names '{unknown[0][:40]}', which is no kind of file: it is any of {', '.join(FileKind)}."
        )
    return frozenset(map(FileKind, wanted))


def kind_of(path: Path, name: str = "") -> FileKind:
    """What a file is. `name` is how people call it: it tells a CSV and Markdown from other text, and nothing else."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
        size = file.seek(0, 2)
        file.seek(max(0, size - 2 * _KIB))
        tail = file.read()
    if not head:
        return FileKind.EMPTY
    if head.startswith(b"%PDF-") or (b"%PDF-" in head[:_KIB] and b"startxref" in tail):
        return FileKind.PDF
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return _zip(path)
    if head.startswith(ole.MAGIC):
        names = ole.top_names(path)
        return next((kind for stream, kind in _STREAMS if stream in names), FileKind.OTHER)
    if head.startswith(b"HWP Document File V"):
        return FileKind.HWP3
    if head.startswith(b"{\\rtf"):
        return FileKind.RTF
    if mime_type := _media(head):
        return FileKind(mime_type.partition("/")[0])
    text = _text(head, whole=size == len(head))
    return FileKind.OTHER if text is None else _of_text(text, name.lower())


def mime_type_of(path: Path, kind: FileKind) -> str:
    """What a browser is told that a file of a kind is."""
    if kind in (FileKind.IMAGE, FileKind.AUDIO, FileKind.VIDEO):
        with path.open("rb") as file:
            return _media(file.read(_KIB)) or "application/octet-stream"
    return _MIME_TYPES.get(kind, "application/octet-stream")


def _zip(path: Path) -> FileKind:
    try:
        with zips.opened(path) as archive:
            names = set(archive.namelist())
            declared = _first_bytes(archive, "mimetype", 100).strip() if "mimetype" in names else b""
            kind = _DECLARED.get(declared)
            if kind is None and declared.startswith(b"application/vnd.oasis."):
                return FileKind.OTHER
            if kind is FileKind.HWPX or "Contents/section0.xml" in names:
                manifest = "META-INF/manifest.xml"
                said = _first_bytes(archive, manifest, 2**20) if manifest in names else b""
                return FileKind.HWPX_ENCRYPTED if b"encryption-data" in said else FileKind.HWPX
    except (zipfile.BadZipFile, zips.TooMuchInside):
        return FileKind.ZIP  # whose reader says what is wrong with it
    if kind is not None:
        return kind
    if "[Content_Types].xml" in names:
        return next((k for part, k in _PARTS if any(each.startswith(part) for each in names)), FileKind.OTHER)
    return FileKind.ZIP


def _first_bytes(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    try:
        with archive.open(name) as file:
            return file.read(most)
    except (OSError, EOFError, RuntimeError, NotImplementedError, ValueError, zlib.error) as error:
        raise zipfile.BadZipFile(type(error).__name__) from error


def _media(head: bytes) -> str:
    """The MIME type of an image, of sound or of a film; empty for all else."""
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], "")
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "audio/aiff"
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    # Two letters begin many a text: the header of a bitmap says its size, and four zeros.
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return "image/bmp"
    return next((mime_type for magic, mime_type in _MAGICS if head.startswith(magic)), "")


def _text(head: bytes, whole: bool) -> str | None:
    """How a text begins, its letters beyond ASCII perhaps wrong; None: it is none."""
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xef\xbb\xbf", "utf-8")):
        if head.startswith(mark):
            return head[len(mark) :].decode(encoding, "replace")
    if b"\0" not in head:
        if len(_CONTROLS.findall(head)) > _MOST_CONTROLS * len(head):
            return None
        return head.decode("utf-8", "replace")
    # UTF-16 without a mark: all of its zeros stand on one side of its pairs.
    for zeros, others, encoding in ((head[1::2], head[::2], "utf-16-le"), (head[::2], head[1::2], "utf-16-be")):
        if b"\0" in zeros and b"\0" not in others and (len(head) % 2 == 0 or not whole):
            text = head[: len(head) // 2 * 2].decode(encoding, "replace")
            odd = sum(not (character.isprintable() or character in "\t\n\r\f") for character in text)
            return text if odd <= _MOST_CONTROLS * len(text) else None
    return None


def _of_text(text: str, name: str) -> FileKind:
    if _HWPML.match(text[:_KIB]):
        return FileKind.HWPML
    if _is_mail(text, name):
        return FileKind.EML
    if kind := next((kind for ending, kind in _ENDINGS.items() if name.endswith(ending)), None):
        return kind
    if _SVG.match(text[:_KIB]):
        return FileKind.OTHER
    return FileKind.HTML if _HTML.search(text[:_KIB]) else FileKind.TEXT


def _is_mail(text: str, name: str) -> bool:
    """Whether it begins with the headers of a mail (RFC 5322)."""
    lines = text.lstrip("\r\n").splitlines()
    if lines and lines[0].startswith("From "):  # of a mailbox
        del lines[0]
    fields: set[str] = set()
    for line in lines[:500]:
        if not line:
            break
        if (header := _HEADER.match(line + " ")) is None:
            return False
        fields.add((header.group(1) or "").lower())
    known = fields & (_OF_MAILS | _OF_NOTES)
    return len(known) >= 2 and (bool(fields & _OF_MAILS) or name.endswith(".eml"))
