"""The handed documents of offices, texts, pages and books, and hostile ones, in the process that reads them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from arcana_pipelines.files.kinds import FileKind, kind_of
from arcana_pipelines.files.parsing.blocks import Block
from arcana_pipelines.files.parsing.protocol import Reason, Unreadable
from arcana_pipelines.files.parsing.run import read_file
from arcana_pipelines_tests.files.sayings import shared, words_of
from arcana_pipelines_tests.files.small_files import W, xlsx, zipped

pytestmark = pytest.mark.slow  # a process a file


def read(path: Path, name: str = "") -> tuple[Block, ...]:
    with read_file(path, name or path.name, kind_of(path, name or path.name)) as reading:
        return reading.blocks


@pytest.mark.parametrize(
    ("name", "phrases"),
    [
        ("docx/headings-lists-image.docx", ["Swimming in the lake", "This is a cute duckling", "Wear sunglasses"]),
        ("docx/merged-tables.docx", ["Merged Cell 1.1 1.2", "A uniform table", "Header 0.2"]),
        (
            "docx/text-boxes.docx",
            ["Infectious Disease Reporting Procedure", "Suggested Reportable Symptoms", "Blisters"],
        ),
        ("pptx/tables-notes.pptx", ["A merged with B", "Some notes on the second slide.", "Second line of notes."]),
        ("pptx/chart.pptx", ["Quarterly Duck Survey", "Freshwater Ducks", "Quarterly revenue"]),
        ("xlsx/two-sheets.xlsx", ["Blues STL", "Maple Leafs"]),
        ("xlsx/korean-budget.xls", ["2025년도 부서별 예산 편성", "재정담당관", "추경"]),
        ("csv/roster-cp949.csv", ["정보통신과", "이예원", "정기인사이동", "사번"]),
        ("csv/utf16.csv", ["Blues", "Maple Leafs"]),
        ("txt/utf16le-no-bom.txt", ["This is a test document"]),
        ("html/rich-table.html", ["Basic duck facts", "Wood Duck", "Often seen near ponds"]),
        ("rtf/czech.rtf", ["Knihy Izajáš", "Svitky od Mrtvého moře"]),
        ("rtf/japanese.rtf", ["ゾルゲと尾崎", "処刑記録"]),
        ("epub/two-chapters.epub", ["Chapter 1: Test Content", "This is a test paragraph", "blockquote for testing"]),
    ],
)
def test_their_text_is_found(name: str, phrases: list[str]) -> None:
    words = words_of(read(shared(name)))
    assert [phrase for phrase in phrases if phrase not in words] == []


def test_a_workbook_with_a_password_is_encrypted() -> None:
    with pytest.raises(Unreadable) as refused:
        read(shared("xlsx/password.xlsx"))
    assert refused.value.reason is Reason.ENCRYPTED


def inflating(path: Path, name: str, megabytes: int) -> Path:
    """A zip of a part of blanks: a thousand times as large as it is packed."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as package:
        package.writestr("[Content_Types].xml", "<Types/>")
        with package.open(name, "w") as part:
            for _ in range(megabytes):
                part.write(b" " * (1 << 20))
    return path


def test_what_inflates_to_four_hundred_megabytes_is_too_large(tmp_path: Path) -> None:
    path = inflating(tmp_path / "a", "word/document.xml", 400)
    assert path.stat().st_size < 4 << 20
    with pytest.raises(Unreadable) as refused, read_file(path, "a.docx", FileKind.DOCX):
        pass
    assert refused.value.reason is Reason.TOO_LARGE


@pytest.mark.parametrize(
    "document",
    [
        f'<!DOCTYPE d [<!ENTITY a "{"x" * 9999}"><!ENTITY b "{"&a;" * 999}">]><w:document {W}><w:body>&b;&b;</w:body>',
        f'<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]><w:document {W}><w:body>&e;</w:body></w:document>',
        f"<w:document {W}><w:body>" + "<w:tbl><w:tr><w:tc>" * 30_000,
    ],
    ids=["entities", "a file of ours", "30,000 tables in each other"],
)
def test_hostile_documents_are_damaged(tmp_path: Path, document: str) -> None:
    path = zipped(tmp_path / "a", {"[Content_Types].xml": "<Types/>", "word/document.xml": document})
    with pytest.raises(Unreadable) as refused:
        read(path)
    assert refused.value.reason is Reason.DAMAGED


def test_values_in_the_first_and_the_last_cell_are_read(tmp_path: Path) -> None:
    cells = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    blocks = read(xlsx(tmp_path / "a", s=f"<sheetData>{cells}</sheetData>"), "a.xlsx")
    assert [(block.text, block.place.first_row) for block in blocks[1:]] == [("1", 1), ("2", 1048576)]
