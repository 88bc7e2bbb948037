"""PDFs say what a reader reads in them: paragraphs, tables, pages, and no gibberish."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from arcana_pipelines.files.kinds import FileKind
from arcana_pipelines.files.parsing.blocks import Block, Note, Picture, Said
from arcana_pipelines.files.parsing.parsers import pdf as parser
from arcana_pipelines.files.parsing.protocol import Reason
from arcana_pipelines_tests.files.sayings import reason_of, said_of, shared
from arcana_pipelines_tests.files.small_pdfs import add, image, lines, pdf, rule, text

LONG = "This line is as long as the column of text is wide, and"


def said(path: Path, pictures: bool = False) -> list[Said]:
    return said_of(parser, path, FileKind.PDF, path.parent, pictures=pictures)


def blocks(path: Path) -> list[Block]:
    return [each for each in said(path) if isinstance(each, Block)]


def on_page(path: Path, page: int) -> str:
    found = [block for block in blocks(path) if block.place.page == page]
    return " ".join(" ".join([*(cell for row in block.rows for cell in row), block.text]) for block in found)


class TestFilesOfOthers:
    @pytest.mark.parametrize(
        ("name", "page", "phrases"),
        [
            ("korean-two-columns", 1, ["확진자는 9,661명", "급격성, 우연성, 외래성"]),
            ("korean-two-columns", 2, ["세균성이질", "장출혈성대장균감염증", "중동호흡기증후군"]),
            ("korean-two-columns", 3, ["작성자 불이익의 해석원칙"]),
            ("korean-two-columns", 4, ["약관규제법"]),
            ("korean-tables", 1, ["투썸플레이스", "무이자할부", "인터파크", "전월 이용금액 40만원"]),
            ("korean-cid-small", 1, ["홍인혜카피라이터"]),
            ("two-columns-en", 1, ["outperforms a strong", "machine reader can thoroughly examine"]),
            ("two-columns-en", 2, ["computationally intensive", "without additional pretraining", "suboptimal"]),
            ("owner-password-only", 1, ["LayoutParser"]),
            ("owner-password-only", 2, ["document digitization projects", "time-consuming and frustrating"]),
            ("rotated-90", 1, ["Explicit is better than implicit", "Readability counts"]),
        ],
    )
    def test_phrases_stand_on_their_pages(self, name: str, page: int, phrases: Sequence[str], pdfs: Texts) -> None:
        found = pdfs.page(name, page)
        assert [phrase for phrase in phrases if phrase not in found] == []

    def test_a_ruled_table_that_is_open_at_its_sides_is_a_table(self, pdfs: Texts) -> None:
        (table,) = [block for block in pdfs.blocks("korean-two-columns") if block.kind == "table"]
        assert table.rows[0] == ["구분", "개정전", "개정후"]
        assert [row[0] for row in table.rows] == ["구분", "분류", "분류기준", "대상질병", "U코드"]

    @pytest.mark.parametrize("name", ["no-tounicode", "scanned-en", "scanned-en-rotated-90"])
    def test_what_has_no_usable_text_needs_ocr(self, name: str, tmp_path: Path) -> None:
        assert reason_of(parser, shared(f"pdf/{name}.pdf"), FileKind.PDF, tmp_path) is Reason.NEEDS_OCR

    def test_what_needs_a_password_is_encrypted(self, tmp_path: Path) -> None:
        assert reason_of(parser, shared("pdf/user-password.pdf"), FileKind.PDF, tmp_path) is Reason.ENCRYPTED


class Texts:
    """Reads each handed PDF once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._blocks: dict[str, list[Block]] = {}

    def blocks(self, name: str) -> list[Block]:
        if name not in self._blocks:
            told = said_of(parser, shared(f"pdf/{name}.pdf"), FileKind.PDF, self._directory)
            self._blocks[name] = [each for each in told if isinstance(each, Block)]
        return self._blocks[name]

    def page(self, name: str, page: int) -> str:
        found = [block for block in self.blocks(name) if block.place.page == page]
        return " ".join(" ".join([block.text, *(cell for row in block.rows for cell in row)]) for block in found)


@pytest.fixture(scope="module")
def pdfs(tmp_path_factory: pytest.TempPathFactory) -> Texts:
    return Texts(tmp_path_factory.mktemp("pdfs"))


class TestText:
    def test_lines_are_paragraphs_and_larger_ones_headings(self, tmp_path: Path) -> None:
        content = text(50, 740, "Annual report", 20) + lines(50, 700, LONG, LONG, "ends.", "Next begins here.")
        assert [(each.kind, each.level, each.text) for each in blocks(pdf(tmp_path / "a.pdf", content))] == [
            ("heading", 1, "Annual report"),
            ("text", 0, f"{LONG} {LONG} ends."),
            ("text", 0, "Next begins here."),
        ]

    def test_a_numbered_line_that_is_a_little_larger_is_a_heading_of_that_level(self, tmp_path: Path) -> None:
        content = text(50, 740, "2.1 Method", 11) + lines(50, 700, LONG, LONG)
        (heading, _) = blocks(pdf(tmp_path / "a.pdf", content))
        assert (heading.kind, heading.level) == ("heading", 3)

    def test_a_sentence_goes_on_in_the_next_column_over_the_footnote_between(self, tmp_path: Path) -> None:
        content = (
            lines(50, 700, *[LONG] * 4) + lines(50, 100, "1) a note", size=7) + lines(330, 700, LONG, "ends here.")
        )
        found = [each.text for each in blocks(pdf(tmp_path / "a.pdf", content))]
        assert found == [" ".join([*[LONG] * 5, "ends here."]), "1) a note"]

    def test_a_sentence_that_goes_on_over_the_page_is_marked_and_its_word_is_whole(self, tmp_path: Path) -> None:
        first = lines(50, 700, *[LONG] * 3, "This line is as long as the column of text and its informa-")
        second = lines(50, 700, "tion ends on the next page.", LONG, LONG)
        found = blocks(pdf(tmp_path / "a.pdf", first, second))
        assert found[0].text.endswith("and its information")
        assert (found[1].text.split(LONG)[0].strip(), found[1].continues) == ("ends on the next page.", True)

    def test_a_title_that_is_written_after_the_text_below_it_goes_before_it(self, tmp_path: Path) -> None:
        columns = lines(50, 600, *[LONG] * 4, size=8) + lines(330, 600, LONG, "ends here.", size=8)
        content = columns + text(50, 740, "The title over both columns of text that stand below it", 20)
        found = [each.text for each in blocks(pdf(tmp_path / "a.pdf", content))]
        assert found == [
            "The title over both columns of text that stand below it",
            " ".join([*[LONG] * 5, "ends here."]),
        ]

    def test_a_column_that_begins_higher_than_the_one_before_stays_behind_it(self, tmp_path: Path) -> None:
        content = lines(50, 500, *[f"{LONG}."] * 2) + lines(330, 700, *["Another column."] * 2)
        found = [each.text for each in blocks(pdf(tmp_path / "a.pdf", content))]
        assert found[0].startswith(LONG)

    def test_what_is_filled_into_a_form_is_read(self, tmp_path: Path) -> None:
        form = (
            b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V (Filled in) /F 4 /Rect [50 600 250 620] "
            b"/AP << /N 6 0 R >> >>"
        )
        shown = b"BT /F1 10 Tf 2 5 Td (Filled in) Tj ET"
        path = pdf(tmp_path / "a.pdf", text(50, 700, "Your name:"), page="/Annots [6 0 R]")
        resources = b"/Resources << /Font << /F1 3 0 R >> >>"
        appearance = b"<< /Type /XObject /Subtype /Form /BBox [0 0 200 20] %s /Length %d >>\nstream\n%s\nendstream"
        add(path, form.replace(b"6 0 R", b"7 0 R"), appearance % (resources, len(shown), shown))
        assert " ".join(each.text for each in blocks(path)).split() == ["Your", "name:", "Filled", "in"]

    def test_page_numbers_are_dropped_and_running_heads_stand_once(self, tmp_path: Path) -> None:
        pages = [
            text(50, 770, "Handbook of rules") + lines(50, 700, *words) + text(300, 30, f"- {page} of 6 -")
            for page, words in enumerate([letter * n for n in range(3, 8)] for letter in "abcdef")
        ]
        whole = " ".join(each.text for each in blocks(pdf(tmp_path / "a.pdf", *pages)))
        assert whole.count("Handbook of rules") == 1 and "of 6" not in whole
        assert len(whole.split()) == 30 + 3

    def test_a_line_whose_numbers_are_no_page_numbers_is_kept(self, tmp_path: Path) -> None:
        pages = [lines(50, 700, *["Text."] * 5) + text(300, 30, f"Total: {page**3}") for page in range(1, 7)]
        whole = " ".join(each.text for each in blocks(pdf(tmp_path / "a.pdf", *pages)))
        assert "Total: 216" in whole

    def test_heads_that_differ_on_left_and_right_pages_are_told_as_well(self, tmp_path: Path) -> None:
        pages = [
            text(50, 770, "Right title" if page % 2 else "Left title") + lines(50, 700, *["A row."] * 5)
            for page in range(1, 13)
        ]
        whole = " ".join(each.text for each in blocks(pdf(tmp_path / "a.pdf", *pages)))
        assert (whole.count("Right title"), whole.count("Left title")) == (1, 1)

    def test_few_pages_have_no_running_heads(self, tmp_path: Path) -> None:
        pages = [text(50, 770, "Title") + lines(50, 700, *["A row."] * 5)] * 3
        assert len([each for each in blocks(pdf(tmp_path / "a.pdf", *pages)) if "Title" in each.text]) == 3

    def test_pages_have_the_number_of_links_and_the_label_that_is_printed(self, tmp_path: Path) -> None:
        labels = "/PageLabels << /Nums [0 << /S /r >> 1 << /S /D >>] >>"
        found = blocks(pdf(tmp_path / "a.pdf", text(50, 700, "preface"), text(50, 700, "one"), catalogue=labels))
        assert [(each.place.page, each.place.label) for each in found] == [(1, "i"), (2, "1")]

    def test_a_turned_page_reads_as_one_that_is_not(self, tmp_path: Path) -> None:
        content = lines(50, 500, LONG, LONG, "ends.", "Another.")
        straight = [each.text for each in blocks(pdf(tmp_path / "a.pdf", content))]
        content = f"q 0 1 -1 0 612 0 cm {content} Q"
        assert [each.text for each in blocks(pdf(tmp_path / "b.pdf", content, page="/Rotate 90"))] == straight

    def test_documents_of_many_pages_are_opened_again_between(self, tmp_path: Path) -> None:
        pages = [text(50, 700, f"The page of number {page}") for page in range(1, 251)]
        assert [each.place.page for each in blocks(pdf(tmp_path / "a.pdf", *pages))] == list(range(1, 251))


class TestTables:
    CELLS = (("Item", "Price"), ("Pen", "1 000"), ("Paper", "2 500"))

    def table(self, x: float, y: float, sides: bool = True) -> str:
        content = "".join(rule(x, y - 20 * row, x + 200, y - 20 * row) for row in range(4))
        for column in (0, 100, 200) if sides else (100,):
            content += rule(x + column, y, x + column, y - 60)
        for row, cells in enumerate(self.CELLS):
            for column, cell in enumerate(cells):
                content += text(x + 5 + 100 * column, y - 15 - 20 * row, cell)
        return content

    @pytest.mark.parametrize("sides", [True, False])
    def test_ruled_ones_stand_between_the_lines_around_them(self, tmp_path: Path, sides: bool) -> None:
        content = text(50, 740, "Before.") + self.table(50, 700, sides) + text(50, 600, "After.")
        before, table, after = blocks(pdf(tmp_path / "a.pdf", content))
        assert (before.text, after.text) == ("Before.", "After.")
        assert table.rows == [list(row) for row in self.CELLS]

    def test_a_line_over_all_columns_is_text_above(self, tmp_path: Path) -> None:
        content = rule(50, 720, 250, 720) + rule(50, 720, 50, 700) + rule(250, 720, 250, 700)
        content += text(55, 705, "Prices of all") + self.table(50, 700)
        title, table = blocks(pdf(tmp_path / "a.pdf", content))
        assert title.text == "Prices of all" and table.rows[0] == ["Item", "Price"]

    def test_what_would_lose_a_word_stays_text(self, tmp_path: Path) -> None:
        # A corner without a cell, and a word in it.
        content = self.table(50, 700) + rule(50, 640, 50, 600) + rule(50, 600, 150, 600) + rule(150, 640, 150, 600)
        content += text(55, 615, "Ink") + text(170, 615, "outside")
        whole = " ".join(
            " ".join([each.text, *(cell for row in each.rows for cell in row)])
            for each in blocks(pdf(tmp_path / "a.pdf", content))
        )
        assert all(word in whole for word in ("Pen", "2 500", "Ink", "outside"))

    def test_frames_and_empty_grids_are_none(self, tmp_path: Path) -> None:
        content = "".join(
            rule(50, 700 - 20 * n, 250, 700 - 20 * n) + rule(50 + 20 * n, 700, 50 + 20 * n, 500) for n in range(11)
        )
        assert [each.kind for each in blocks(pdf(tmp_path / "a.pdf", content + text(55, 685, "one")))] == ["text"]


class TestPagesWithoutText:
    def test_a_scan_needs_ocr_whatever_little_stands_on_it(self, tmp_path: Path) -> None:
        for extra in ("", text(50, 20, "Page 1")):
            path = pdf(tmp_path / "a.pdf", image() + extra, image() + extra)
            assert reason_of(parser, path, FileKind.PDF, tmp_path) is Reason.NEEDS_OCR

    def test_of_a_scan_among_others_a_note_tells(self, tmp_path: Path) -> None:
        path = pdf(tmp_path / "a.pdf", lines(50, 700, LONG), image())
        assert Note("1 page was not read in full: no text layer") in said(path)

    def test_with_ocr_it_is_a_picture_in_its_place(self, tmp_path: Path) -> None:
        path = pdf(tmp_path / "a.pdf", lines(50, 700, LONG), image(), lines(50, 700, LONG))
        before, picture, after = said(path, pictures=True)
        assert isinstance(before, Block) and isinstance(after, Block) and isinstance(picture, Picture)
        assert (picture.place.page, picture.why) == (2, "no text layer")
        with Image.open(tmp_path / "written" / picture.path) as drawn:
            assert (drawn.mode, drawn.size) == ("L", (1700, 2200))

    def test_a_huge_page_is_drawn_smaller(self, tmp_path: Path) -> None:
        path = pdf(tmp_path / "a.pdf", image(14400, 14400), page="/MediaBox [0 0 14400 14400]")
        path.write_bytes(path.read_bytes().replace(b"/MediaBox [0 0 612 792] ", b"                        "))
        (picture,) = said(path, pictures=True)
        assert isinstance(picture, Picture)
        with Image.open(tmp_path / "written" / picture.path) as drawn:
            assert drawn.size[0] * drawn.size[1] <= 20_100_000

    def test_only_so_many_are_drawn(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(parser, "MOST_PICTURES", 1)
        path = pdf(tmp_path / "a.pdf", image(), image(), image())
        assert [type(each) for each in said(path, pictures=True)] == [Note, Picture]

    def test_empty_pages_have_no_text_and_need_no_ocr(self, tmp_path: Path) -> None:
        assert reason_of(parser, pdf(tmp_path / "a.pdf", "", ""), FileKind.PDF, tmp_path) is Reason.NO_TEXT

    def test_a_short_page_is_read(self, tmp_path: Path) -> None:
        assert [each.text for each in blocks(pdf(tmp_path / "a.pdf", text(50, 700, "Part II")))] == ["Part II"]

    @pytest.mark.parametrize(
        "words",
        [
            "7KHTXLFNEURZQ IR[MXPSV RYHU WKHOD]\\GRJ DQGWKHQ VOHHSV DJDLQ IRUDORQJ WLPH",
            "tHe qUicK bRowN fOxes jUmpEd oVer aLl tHose lAzyy dOgss aNd wEntt",
        ],
    )
    def test_gibberish_is_none_of_its_text(self, tmp_path: Path, words: str) -> None:
        path = pdf(tmp_path / "a.pdf", lines(50, 700, words, words))
        assert reason_of(parser, path, FileKind.PDF, tmp_path) is Reason.NEEDS_OCR

    @pytest.mark.parametrize(
        "words",
        [
            "Welsh crwth, Czech vlk and English rhythm are words",
            "SELECT id FROM pages WHERE hash IS NULL",
            "HTTP, XML, JSON, PDF and TLS",
        ],
    )
    def test_what_only_looks_a_little_like_it_is_text(self, tmp_path: Path, words: str) -> None:
        assert blocks(pdf(tmp_path / "a.pdf", lines(50, 700, words)))[0].text == words


class TestDamage:
    def test_no_pdf(self, tmp_path: Path) -> None:
        assert reason_of(parser, b"%PDF-1.7\nnothing", FileKind.PDF, tmp_path) is Reason.DAMAGED

    def test_the_time_that_it_has_is_said_when_it_is_over(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = pdf(tmp_path / "a.pdf", text(50, 700, "one"), text(50, 700, "two"))
        monkeypatch.setattr(parser, "MOST_SECONDS", 0.0)
        assert reason_of(parser, path, FileKind.PDF, tmp_path) is Reason.TIMEOUT
