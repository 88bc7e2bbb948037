"""What a file is: by its content, never by its name or by what a server says."""

from __future__ import annotations

from enum import StrEnum


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
