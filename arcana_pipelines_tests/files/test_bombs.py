"""Files that are made to break their reader break the process that reads them, and nothing else."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from arcana_pipelines.files.kinds import FileKind, kind_of
from arcana_pipelines.files.parsing import languages, ocr
from arcana_pipelines.files.parsing.blocks import NOWHERE
from arcana_pipelines.files.parsing.protocol import Reason, Unreadable
from arcana_pipelines.files.parsing.registry import PARSERS, WITHOUT, Options, Parser, missing_of, parser_key
from arcana_pipelines.files.parsing.run import read_file
from arcana_pipelines_tests.files.sayings import shared
from arcana_pipelines_tests.files.small_pdfs import add, lines, pdf, text, written


def reason(path: Path) -> Reason:
    with pytest.raises(Unreadable) as raised, read_file(path, path.name, kind_of(path)):
        pass
    return raised.value.reason


def texts(path: Path, options: Options | None = None) -> list[str]:
    with read_file(path, path.name, kind_of(path), options) as reading:
        return [block.text for block in reading.blocks]


class TestPdf:
    @pytest.mark.slow  # it takes PDFium seconds to come to its limit
    def test_a_stream_that_unpacks_to_a_gigabyte(self, tmp_path: Path) -> None:
        path = tmp_path / "bomb.pdf"
        packer = zipfile.zlib.compressobj(9)  # type: ignore[attr-defined]
        piece = b" " * 2**20
        packed = b"".join([packer.compress(piece) for _ in range(1024)]) + packer.flush()
        page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>"
        stream = b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(packed), packed)
        written(
            path, [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page, stream]
        )
        assert reason(path) in (Reason.CRASHED, Reason.TOO_LARGE)

    def test_objects_in_objects(self, tmp_path: Path) -> None:
        deep = b"[" * 200_000 + b"]" * 200_000
        path = written(
            tmp_path / "deep.pdf",
            [
                b"<< /Type /Catalog /Pages 2 0 R /Deep 4 0 R >>",
                b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
                b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Annots 4 0 R /Contents 4 0 R >>",
                deep,
            ],
        )
        assert reason(path) in (Reason.CRASHED, Reason.DAMAGED, Reason.NO_TEXT)

    def test_pages_that_are_their_own_parents(self, tmp_path: Path) -> None:
        pages = b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 1000000 >>"
        path = written(tmp_path / "round.pdf", [b"<< /Type /Catalog /Pages 2 0 R >>", pages])
        assert reason(path) is Reason.DAMAGED

    def test_forms_in_forms_in_forms(self, tmp_path: Path) -> None:
        form = b"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] %s /Length %d >>\nstream\n%s\nendstream"
        many = b"/F Do " * 500
        inner = [b"/Resources << /XObject << /F %d 0 R >> >>" % number for number in (7, 8, 9)]
        path = pdf(tmp_path / "a.pdf", (b"/X Do " * 500).decode())
        path.write_bytes(path.read_bytes().replace(b"/Font << /F1 3 0 R >>", b"/XObject << /X 6 0 R >>"))
        leaf = b"0 0 m 9 9 l S"
        add(path, *(form % (each, len(many), many) for each in inner), form % (b"", len(leaf), leaf))
        assert reason(path) in (Reason.CRASHED, Reason.NEEDS_OCR, Reason.NO_TEXT, Reason.TIMEOUT)

    def test_a_page_of_very_much_text(self, tmp_path: Path) -> None:
        content = "".join(lines(1, 790, *["word " * 40] * 60, size=4, pitch=3) for _ in range(20))
        assert sum(map(len, texts(pdf(tmp_path / "much.pdf", content, compress=True)))) < 300_000

    def test_actions_and_files_inside_are_not_looked_at(self, tmp_path: Path) -> None:
        catalogue = "/OpenAction << /S /JavaScript /JS (app.alert(1)) >> /AcroForm << /XFA (<x/>) /Fields [] >>"
        assert texts(pdf(tmp_path / "a.pdf", text(50, 700, "Only this."), catalogue=catalogue)) == ["Only this."]


class TestZips:
    @pytest.mark.parametrize("name", ["a.docx", "a.zip"])
    def test_one_that_unpacks_to_much_more_is_refused_before_a_process_starts(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("[Content_Types].xml", "<Types/>")
            archive.writestr("word/document.xml", " " * 2**22)
        parser = Parser("none", 1, frozenset(FileKind), "none")
        with pytest.raises(Unreadable) as raised, read_file(path, name, kind_of(path), parser=parser):
            pass
        assert raised.value.reason is Reason.TOO_LARGE

    def test_a_list_of_entries_that_is_cut_off_is_damaged(self, tmp_path: Path) -> None:
        path = tmp_path / "a.zip"
        path.write_bytes(b"PK\3\4" + bytes(100))
        assert reason(path) is Reason.DAMAGED


class TestKindsWithoutAParser:
    def test_every_kind_is_read_or_has_a_reason(self) -> None:
        read = [kind for parser in PARSERS for kind in parser.kinds]
        assert sorted([*read, *WITHOUT]) == sorted(FileKind)

    @pytest.mark.parametrize("kind", sorted(WITHOUT))
    def test_no_process_starts(self, tmp_path: Path, kind: FileKind) -> None:
        with pytest.raises(Unreadable) as raised, read_file(tmp_path / "not there", "a", kind):
            pass
        assert (raised.value.reason, raised.value.detail) == WITHOUT[kind]

    def test_what_is_not_installed_is_named_with_what_to_install(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
    ) -> None:
        monkeypatch.setattr("arcana_pipelines.files.parsing.registry.find_spec", lambda name: None)
        missing_of.cache_clear()
        request.addfinalizer(missing_of.cache_clear)
        path = pdf(tmp_path / "a.pdf", text(50, 700, "x"))
        with (
            pytest.raises(Unreadable, match=r"pypdfium2.*arcana-pipelines\[files\]") as raised,
            read_file(path, "a", FileKind.PDF),
        ):
            pass
        assert raised.value.reason is Reason.NOT_INSTALLED
        assert parser_key(FileKind.PDF, Options()) == "pdf/0"


class TestWhatTesseractSays:
    def test_very_many_gaps_between_words_are_weighed_at_once(self) -> None:
        """It is done in our own process: with each gap against each other this takes half a minute."""
        words = [
            [
                ocr._Word(
                    ("1", "1", str(line)), column * 400, column * 400 + 300, line * 20, line * 20 + 12, 95.0, "단어"
                )
                for column in range(4)
            ]
            for line in range(4000)
        ]
        (left, right) = ocr._blocks(words, ["단어 단어 단어 단어"] * 4000, NOWHERE)
        assert {*left.text.split()} == {*right.text.split()} == {"단어"}
        assert len(left.text.split()) + len(right.text.split()) == 16_000


class TestResults:
    def test_a_result_is_called_by_what_it_depends_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("arcana_pipelines.files.parsing.registry.is_available", lambda each: each == "kor+eng")
        assert parser_key(FileKind.PDF, Options()) == "pdf/2"
        assert parser_key(FileKind.PDF, Options(ocr_languages="kor+eng")) == "pdf/2+ocr=kor+eng"
        assert parser_key(FileKind.PDF, Options(ocr_languages="not+installed")) == "pdf/2"
        assert parser_key(FileKind.DOCX, Options(ocr_languages="kor+eng")) == "word/1"
        assert parser_key(FileKind.AUDIO, Options()) == "none/1"

    def test_it_says_what_it_took(self, tmp_path: Path) -> None:
        path = pdf(tmp_path / "a.pdf", text(50, 700, "Only this."))
        with read_file(path, "a.pdf", FileKind.PDF) as reading:
            assert reading.parser == "pdf/2" and reading.seconds > 0
            assert 2**20 < reading.peak_bytes < 2**28

    def test_korean_is_whole_on_its_page(self) -> None:
        path = shared("pdf/korean-two-columns.pdf")
        with read_file(path, path.name, FileKind.PDF) as reading:
            assert any("확진자는" in block.text and block.place.page == 1 for block in reading.blocks)


@pytest.mark.skipif(
    not languages.is_available("kor+eng"), reason="tesseract with Korean is not installed: NO OCR was tested."
)
class TestOcr:
    OPTIONS = Options(ocr_languages="kor+eng")

    @pytest.mark.slow  # a second a page
    @pytest.mark.parametrize("name", ["scanned-en", "scanned-en-rotated-90"])
    def test_a_scan_is_read_however_it_lies(self, name: str) -> None:
        whole = " ".join(texts(shared(f"pdf/{name}.pdf"), self.OPTIONS))
        assert "Docling bundles PDF document conversion" in whole

    @pytest.mark.slow
    def test_what_has_a_lying_text_layer_is_read_instead(self) -> None:
        path = shared("pdf/no-tounicode.pdf")
        with read_file(path, path.name, FileKind.PDF, self.OPTIONS) as reading:
            (block,) = reading.blocks
        assert "quick brown fox" in block.text and "7KHTX" not in block.text and block.place.page == 1

    @pytest.mark.slow
    def test_korean_and_english_in_one_picture(self) -> None:
        whole = " ".join(texts(shared("image/english-korean.png"), self.OPTIONS))
        phrases = ("RULES AND INSTRUCTIONS", "안녕하세요", "불공평함", "keep track of how many emails")
        assert [phrase for phrase in phrases if phrase not in whole] == []

    @pytest.mark.slow  # ten seconds, for there is much on it
    def test_two_columns_are_read_one_after_the_other(self) -> None:
        whole = " ".join(texts(shared("image/korean-scan.png"), self.OPTIONS))
        phrases = ("불이익의", "보험금", "생명보험", "해석원칙", "금융상품으로")
        assert [phrase for phrase in phrases if phrase not in whole] == []
        assert "일반적이므로 이러한 형성과정에 비추어" in whole

    def test_a_photograph_has_no_text(self) -> None:
        assert reason_of_image() is Reason.NO_TEXT

    def test_a_picture_that_is_none_is_a_note(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_bytes(b"no picture")
        reader = ocr.Reader("kor+eng", tmp_path)
        assert reader.read(tmp_path / "a.png", NOWHERE) == []
        assert reader.notes() == ["1 picture could not be read by OCR (damaged)"]
        assert [each.name for each in tmp_path.iterdir()] == ["a.png"]

    def test_so_many_pictures_and_no_more(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ocr, "MOST_PICTURES", 0)
        reader = ocr.Reader("kor+eng", tmp_path)
        assert reader.read(tmp_path / "a.png", NOWHERE) == []
        assert reader.notes() == ["1 picture not read: OCR reads 0 of a file at most"]


def reason_of_image() -> Reason:
    path = shared("image/photo-exif.jpg")
    with pytest.raises(Unreadable) as raised, read_file(path, path.name, FileKind.IMAGE, TestOcr.OPTIONS):
        pass
    return raised.value.reason


def test_without_tesseract_there_is_no_ocr(monkeypatch: pytest.MonkeyPatch) -> None:
    languages.installed_languages.cache_clear()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert not languages.is_available("eng")
    languages.installed_languages.cache_clear()
