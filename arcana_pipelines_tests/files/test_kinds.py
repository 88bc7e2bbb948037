"""A file is what its bytes say, whatever it is called."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest

from arcana_pipelines.errors import InvalidSetting
from arcana_pipelines.files import ole, zips
from arcana_pipelines.files.kinds import FileKind, kind_of, kinds_named, mime_type_of
from arcana_pipelines_tests.files.small_files import zipped
from arcana_pipelines_tests.files.small_pdfs import pdf, text
from arcana_pipelines_tests.testing.shared_data import shared_file

KOREAN = "계약서 초안입니다. 확인해 주세요.\r\n"
BY_FOLDER = {
    "pdf": {"pdf"}, "docx": {"docx"}, "pptx": {"pptx"}, "xlsx": {"xlsx", "xls", "office-encrypted"}, "csv": {"csv"},
    "txt": {"text"}, "html": {"html"}, "rtf": {"rtf"}, "epub": {"epub"}, "eml": {"eml"}, "msg": {"msg"},
    "image": {"image"}, "audio": {"audio"}, "hwp": {"hwp", "hwp3"}, "hwpx": {"hwpx", "hwpx-encrypted"},
}  # fmt: skip


def test_the_files_of_other_projects_are_told() -> None:
    for folder, kinds in BY_FOLDER.items():
        paths = [path for path in shared_file(f"files/{folder}").iterdir() if path.is_file()]
        assert {kind_of(path, path.name).value for path in paths} == kinds, folder


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "empty"),
        (b"%PDF-1.4\n", "pdf"),
        (b"\r\n\r\n%PDF-1.4\n rest \nstartxref\n0\n%%EOF", "pdf"),
        (b"A text that says %PDF-1.4 and nothing more", "text"),
        (b"{\\rtf1\\ansi", "rtf"),
        (b"\x89PNG\r\n\x1a\n\0\0", "image"),
        (b"\xff\xd8\xff\xe0", "image"),
        (b"RIFF\0\0\0\0WEBP", "image"),
        (b"\0\0\0\x18ftypheic", "image"),
        (b"BM\x40\x10\0\0\0\0\0\0", "image"),
        (b"BMW is a car", "text"),
        (b"\0\0\0\x18ftypmp42", "video"),
        (b"\0\0\0\x18ftypM4A ", "audio"),
        (b"ID3\x04\0", "audio"),
        (b"RIFF\0\0\0\0WAVE", "audio"),
        (b"\x1a\x45\xdf\xa3", "video"),
        (b"HWP Document File V3.00 \x1a", "hwp3"),
        (b'<?xml version="1.0"?>\n<HWPML Version="2.8">', "hwpml"),
        (b"  <!DOCTYPE HTML>\n<html>", "html"),
        (b"<!-- saved -->\n<table><tr>", "html"),
        (b"<!---->" * 140 + b"a text", "text"),  # which takes for ever where a comment may end in several places
        (b"a < b and c > d", "text"),
        (b'<?xml version="1.0"?><svg xmlns="x">', "other"),
        (b'<?xml version="1.0"?><feed>', "text"),
        (b"\x7fELF\x02\x01\x01\0\0\0", "other"),
        (b"\x01\x02\x03\x04 no text", "other"),
        (KOREAN.encode(), "text"),
        (KOREAN.encode("cp949"), "text"),
        (KOREAN.encode("utf-16"), "text"),
        (KOREAN.encode("utf-16-le"), "text"),
        (KOREAN.encode("utf-16-be"), "text"),
        (b"Message-ID: <1@x>\r\nFrom: a@x\r\nSubject: =?utf-8?b?7JWI?=\r\n folded\r\n\r\nHello", "eml"),
        (b"From a@x Mon\nReceived: by x\nDate: Mon\n\nHello", "eml"),
        (b"From: me\nTo: you\nSubject: a note in a text\n\nHello", "text"),
        (b"PK\5\6" + bytes(18), "zip"),
        (b"PK\3\4 and nothing that a ZIP has", "zip"),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, bytes) else value,
)  # fmt: skip
def test_by_content(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert kind_of(path, "report.docx") is FileKind(kind)


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.csv", b"a,b\n1,2\n", "csv"),
        ("A.TSV", b"a\tb\n", "csv"),
        ("README.md", b"<div align=center>\n# Title", "markdown"),
        ("a.txt", b"# Title", "text"),
        ("a.eml", b"From: me\nSubject: x\n\nHello", "eml"),
        ("a.csv", b"%PDF-1.4\n", "pdf"),
        ("a.md", b"\x89PNG\r\n\x1a\n", "image"),
    ],
)
def test_only_among_texts_the_name_decides(tmp_path: Path, name: str, content: bytes, kind: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert kind_of(path, name) is FileKind(kind)


class TestZips:
    @pytest.mark.parametrize(
        ("part", "kind"),
        [
            ("word/document.xml", "docx"),
            ("ppt/presentation.xml", "pptx"),
            ("xl/workbook.xml", "xlsx"),
            ("xl/workbook.bin", "xlsb"),
            ("visio/document.xml", "other"),
        ],
    )
    def test_office(self, tmp_path: Path, part: str, kind: str) -> None:
        path = zipped(tmp_path / "a", {"[Content_Types].xml": "<Types/>", part: "<x/>"})
        assert kind_of(path, "a.zip") is FileKind(kind)

    def test_what_says_itself_what_it_is(self, tmp_path: Path) -> None:
        epub = {"mimetype": "application/epub+zip"}
        ods = {"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}
        odt = {"mimetype": "application/vnd.oasis.opendocument.text"}
        hwpx = {"mimetype": "application/hwp+zip", "Contents/section0.xml": "<x/>"}
        locked = {**hwpx, "META-INF/manifest.xml": "<a><encryption-data/></a>"}
        kinds = [kind_of(zipped(tmp_path / "a", parts)).value for parts in (epub, ods, odt, hwpx, locked)]
        assert kinds == ["epub", "ods", "other", "hwpx", "hwpx-encrypted"]

    def test_an_archive_with_a_folder_like_offices_is_an_archive(self, tmp_path: Path) -> None:
        assert kind_of(zipped(tmp_path / "a", {"word/notes.txt": "x"})) is FileKind.ZIP

    def test_a_list_of_entries_without_end_is_not_read(self, tmp_path: Path) -> None:
        path = tmp_path / "many.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for number in range(zips.LARGEST_DIRECTORY // 200):
                archive.writestr(f"{number}{'x' * 200}", "")
        with pytest.raises(zips.TooMuchInside):
            zips.entries(path)
        assert kind_of(path) is FileKind.ZIP

    @pytest.mark.parametrize(
        ("size", "packed", "entries"),
        [(300 * 2**20, 200 * 2**20, 1), (200 * 2**20, 100 * 2**20, 3), (2 * 2**20, 1000, 1), (1, 1, 10_001)],
        ids=["one entry too large", "too large together", "too steep", "too many"],
    )
    def test_what_unpacks_to_too_much_is_refused_before_it_does(self, size: int, packed: int, entries: int) -> None:
        entry = zipfile.ZipInfo("a")
        entry.file_size, entry.compress_size = size, packed
        with pytest.raises(zips.TooMuchInside):
            zips.check([entry] * entries)
        entry.file_size, entry.compress_size = 2**20, 2**14
        zips.check([entry] * 100)


class TestOle:
    @pytest.mark.parametrize("damage", [0, 30, 48, 68, 76, 512, 600])
    def test_a_damaged_one_is_told_as_far_as_it_can_be(self, tmp_path: Path, damage: int) -> None:
        data = bytearray(shared_file("files/hwp/press-release.hwp").read_bytes())
        data[damage + 8 : damage + 12] = b"\xff\xff\xff\x7f"
        path = tmp_path / "file"
        path.write_bytes(data)
        assert kind_of(path) in (FileKind.HWP, FileKind.OTHER)

    def test_one_whose_sectors_go_round_in_a_circle_ends(self, tmp_path: Path) -> None:
        header = bytearray(512)
        header[:8] = ole.MAGIC
        struct.pack_into("<H", header, 30, 9)
        struct.pack_into("<I", header, 48, 1)
        struct.pack_into("<II", header, 68, 0, 9)
        struct.pack_into("<109I", header, 76, *[0] * 109)
        path = tmp_path / "file"
        path.write_bytes(bytes(header) + struct.pack("<128I", *[1] * 128) + struct.pack("<32I", *[0] * 32) * 4)
        assert ole.top_names(path) == {""}


def test_the_mime_type_is_that_of_the_content(tmp_path: Path) -> None:
    path = pdf(tmp_path / "a.png", text(50, 700, "x"))
    assert mime_type_of(path, kind_of(path)) == "application/pdf"
    path.write_bytes(b"GIF89a")
    assert mime_type_of(path, kind_of(path)) == "image/gif"
    path.write_bytes(b"\x7fELF\0")
    assert mime_type_of(path, kind_of(path)) == "application/octet-stream"


def test_the_kinds_of_a_setting_are_those_that_there_are() -> None:
    assert kinds_named(" pdf, .HWP ,") == {FileKind.PDF, FileKind.HWP} and kinds_named("") == frozenset()
    with pytest.raises(InvalidSetting, match="FILE_TYPES names 'hwpp'"):
        kinds_named("pdf,hwpp")
