"""Every parser of the registry keeps to the protocol, with a file of each kind that it reads."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

from arcana_pipelines.files.kinds import FileKind
from arcana_pipelines.files.parsing.protocol import ParserModule
from arcana_pipelines.files.parsing.registry import PARSERS, parser_of
from arcana_pipelines.testing.conformance.parsers import ParserConformance
from arcana_pipelines_tests.files import small_files as small
from arcana_pipelines_tests.testing.shared_data import shared_file

PHRASE = "연차 휴가는 열다섯 날이다"
_TABLE = [["구분", "날"], [PHRASE, 15], ["병가", 60]]
_PAGE = f"<html><head><title>규정</title></head><h1>휴가</h1><p>{PHRASE}<ul><li>a</ul><pre>x\n y</pre></html>"


def _word(path: Path) -> Path:
    table = f"<w:tbl><w:tr><w:tc>{small.p('가')}</w:tc><w:tc>{small.p('나')}</w:tc></w:tr></w:tbl>"
    return small.docx(path, small.p("휴가", '<w:outlineLvl w:val="0"/>') + small.p(PHRASE) + table)


def _book(path: Path) -> Path:
    item = '<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>'
    return small.zipped(path, {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container><rootfile full-path="b.opf"/></container>',
        "b.opf": f'<package><manifest>{item}</manifest><spine><itemref idref="a"/></spine></package>',
        "a.xhtml": _PAGE,
    })  # fmt: skip


def _ods(path: Path) -> Path:
    names = "".join(f'xmlns:{n}="urn:oasis:names:tc:opendocument:xmlns:{n}:1.0" ' for n in ("office", "table", "text"))
    cell = f'<table:table-cell office:value-type="string"><text:p>{PHRASE}</text:p></table:table-cell>'
    return small.zipped(path, {
        "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
        "META-INF/manifest.xml": '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
        "content.xml": f'<office:document-content {names}><office:body><office:spreadsheet><table:table table:name="s">'
        f"<table:table-row>{cell}{cell}</table:table-row></table:table></office:spreadsheet></office:body>"
        "</office:document-content>",
    })  # fmt: skip


def _rtf() -> str:
    escaped = "".join(f"\\'{byte:02x}" for byte in PHRASE.encode("cp949"))
    return f"{{\\rtf1\\ansi\\ansicpg949 {escaped}\\par a\\cell b\\cell\\row\\par}}"


MADE: dict[FileKind, Callable[[Path], Path]] = {
    FileKind.DOCX: _word,
    FileKind.PPTX: lambda path: small.pptx(path, small.shape("휴가", place="title"), small.shape(PHRASE)),
    FileKind.XLSX: lambda path: small.xlsx(path, 가=_TABLE, 나=_TABLE),
    FileKind.ODS: _ods,
    FileKind.EPUB: _book,
    FileKind.ZIP: lambda path: small.zipped(path, {"a/b.txt": PHRASE, "../c.txt": "c"}),
}
WRITTEN = {
    FileKind.CSV: "구분;날\n" + f"{PHRASE};15\n" * 120,
    FileKind.TEXT: f"휴가\n\n- 하나\n{PHRASE}\n",
    FileKind.MARKDOWN: f"# 휴가\n\n- {PHRASE}\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\nx\n```\n",
    FileKind.HTML: _PAGE,
    FileKind.RTF: _rtf(),
    FileKind.EML: "From: a@b.c\r\nTo: d@e.f\r\nSubject: Leave\r\nMIME-Version: 1.0\r\n"
    f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{PHRASE}\r\n",
    FileKind.HWPML: f"<?xml version='1.0' encoding='UTF-8'?><HWPML Version='2.8'><BODY><SECTION><P><TEXT><CHAR>{PHRASE}"
    "</CHAR></TEXT></P></SECTION></BODY></HWPML>",
}
HANDED = {
    FileKind.PDF: ("pdf/korean-cid-small.pdf", "홍인혜카피라이터"),
    FileKind.XLS: ("xlsx/korean-budget.xls", "재정담당관"),
    FileKind.MSG: ("msg/attachments.msg", "This email contains an attachment"),
    FileKind.HWP: ("hwp/distribution.hwp", "메타 데이터 및 텍스트를 탐지하고"),
    FileKind.HWPX: ("hwpx/table.hwpx", "C반 기말고사"),
    FileKind.IMAGE: ("image/photo-exif.jpg", None),
}
# No program that writes one is free to be had here.
WITHOUT = {FileKind.XLSB}
_WITHOUT_TEXT = {FileKind.ZIP, FileKind.IMAGE}


def test_there_is_a_file_of_every_kind_that_a_parser_reads() -> None:
    assert {kind for parser in PARSERS for kind in parser.kinds} == set(MADE) | set(WRITTEN) | set(HANDED) | WITHOUT


class TestParser(ParserConformance):
    @pytest.fixture(params=[*MADE, *WRITTEN, *HANDED], ids=str)
    def kind(self, request: pytest.FixtureRequest) -> FileKind:
        return FileKind(request.param)

    @pytest.fixture
    def parser(self, kind: FileKind) -> ParserModule:
        parser = parser_of(kind)
        assert parser is not None
        module: ParserModule = importlib.import_module(parser.module)
        return module

    @pytest.fixture
    def sample(self, kind: FileKind, tmp_path: Path) -> bytes:
        if kind in MADE:
            return MADE[kind](tmp_path / "made").read_bytes()
        return WRITTEN[kind].encode() if kind in WRITTEN else shared_file(f"files/{HANDED[kind][0]}").read_bytes()

    @pytest.fixture
    def phrase(self, kind: FileKind) -> str | None:
        return HANDED[kind][1] if kind in HANDED else None if kind in _WITHOUT_TEXT else PHRASE
