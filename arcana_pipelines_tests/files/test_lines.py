"""Lines become paragraphs: Korean words that a line breaks are one again, and what is two stays two."""

from __future__ import annotations

import pytest

from arcana_pipelines.files.parsing.lines import HYPHEN, Line, Words, in_cell, joined, paragraphs

SIZE = 10.0


def column(*texts: str, left: float = 50, indents: dict[int, float] | None = None, top: float = 700) -> list[Line]:
    """Lines below each other; a letter of Hangul is as wide as high, all others are half as wide."""
    lines = []
    for number, text in enumerate(texts):
        begin = left + (indents or {}).get(number, 0)
        width = sum(SIZE if "가" <= letter <= "힣" else SIZE / 2 for letter in text.rstrip())
        bottom = top - number * 1.5 * SIZE
        lines.append(Line(text, begin, begin + width, bottom, bottom + SIZE, SIZE))
    return lines


def texts(lines: list[Line], words: Words | None = None) -> list[str]:
    return [each.text for each in paragraphs(lines, words or Words.of(lines))]


class TestKorean:
    def test_without_a_blank_at_its_end_a_full_line_ends_within_a_word(self) -> None:
        lines = column("우리는 국내에서 확인된 확", "진자는 모두 구천육백 명 ", "이고 사망자는 백오십팔 ", "명이다.")
        assert texts(lines) == ["우리는 국내에서 확인된 확진자는 모두 구천육백 명 이고 사망자는 백오십팔 명이다."]

    def test_a_short_line_ends_a_paragraph(self) -> None:
        lines = column("보험금의 지급을 결정하는 기", "준을 정한다.", "둘째 문단은 여기에서 시작하", "여 끝난다. ")
        assert texts(lines) == ["보험금의 지급을 결정하는 기준을 정한다.", "둘째 문단은 여기에서 시작하여 끝난다."]

    def test_where_no_line_keeps_its_blank_the_words_of_the_document_decide(self) -> None:
        words = Words(known={"감염병", "보험금", "지급"})
        assert joined("새로운 감염", "병 예방", words, is_full=True) == "새로운 감염병 예방"
        assert joined("보험사의 보험금", "지급 기준", words, is_full=True) == "보험사의 보험금 지급 기준"
        assert joined("모르는 낱", "말이다", words, is_full=True) == "모르는 낱말이다"

    def test_a_number_and_its_unit_are_one_word_where_blanks_are_kept(self) -> None:
        assert joined("코로나-", "19는", Words(), is_full=True) == "코로나-19는"
        words = Words(keeps_blanks=True)
        assert joined("분류기호 U코드", "(U00)에", words, is_full=True) == "분류기호 U코드(U00)에"
        assert joined("2020년 3월 ", "1일", words, is_full=True) == "2020년 3월 1일"

    def test_words_of_a_cell_go_on_in_its_next_line(self) -> None:
        lines = column("중동호흡기", "증후군")
        assert in_cell(lines, 48, 102, Words()) == "중동호흡기증후군"
        assert in_cell([], 0, 10, Words()) == ""


class TestLatin:
    def test_lines_are_joined_with_a_blank_where_the_next_word_had_no_room(self) -> None:
        lines = column("The quick brown fox jumps over", "the lazy dog and then", "vanishes. ")
        assert texts(lines) == ["The quick brown fox jumps over the lazy dog and then vanishes."]

    def test_rows_that_had_room_stay_rows(self) -> None:
        lines = [
            *column("A longer line that shows where the margin is, as others do"),
            *column("Name: A", "Town: B", top=600),
        ]
        assert texts(lines)[1] == "Name: A\nTown: B"

    @pytest.mark.parametrize(
        ("before", "after", "whole"),
        [
            ("informa-", "tion", "information"),
            ("well-", "known", "well-known"),
            ("soft\xad", "hyphen", "softhyphen"),
            (f"subop{HYPHEN}", "timal", f"subop{HYPHEN}timal"),
            ("GPT-", "4 is", "GPT-4 is"),
            ("end.", "Next", "end. Next"),
        ],
    )
    def test_hyphens(self, before: str, after: str, whole: str) -> None:
        assert joined(before, after, Words(known={"well-known"}), is_full=True) == whole

    def test_chinese_and_japanese_have_no_blanks(self) -> None:
        assert joined("東京都は日本の", "首都である", Words(), is_full=True) == "東京都は日本の首都である"


class TestParagraphs:
    LONG = "This line is as long as the column is wide, and"

    def test_an_indented_line_begins_one(self) -> None:
        lines = column(
            self.LONG, self.LONG, "Here begins another that is as long as the rest", self.LONG, indents={2: 12}
        )
        assert texts(lines) == [
            f"{self.LONG} {self.LONG}",
            f"Here begins another that is as long as the rest {self.LONG}",
        ]

    def test_items_of_a_list_are_paragraphs(self) -> None:
        lines = column(f"• {self.LONG}", f"• {self.LONG}", "① 첫째 항목은 여기에 있다", "가. 둘째 항목")
        assert texts(lines) == [f"• {self.LONG}", f"• {self.LONG}", "① 첫째 항목은 여기에 있다", "가. 둘째 항목"]

    def test_an_item_goes_on_below_its_text(self) -> None:
        lines = column(f"1. {self.LONG}", "goes on below", f"2. {self.LONG}", "as well", indents={1: 15, 3: 15})
        assert texts(lines) == [f"1. {self.LONG} goes on below", f"2. {self.LONG} as well"]

    def test_a_numbered_title_and_the_indented_text_below_it_are_two(self) -> None:
        lines = column(
            "(1) 법률의 개정에 따른 영향과 그 대책의 검토", "이번에 시행된 법률은 종전", "과 다르다.", indents={1: 10}
        )
        assert texts(lines)[0] == "(1) 법률의 개정에 따른 영향과 그 대책의 검토"

    def test_a_wider_gap_parts_them(self) -> None:
        lines = [*column(*[self.LONG] * 4), *column(self.LONG, top=600)]
        assert texts(lines) == [" ".join([self.LONG] * 4), self.LONG]

    def test_another_column_is_another_one(self) -> None:
        assert texts([*column(self.LONG, self.LONG), *column(self.LONG, left=320)]) == [
            f"{self.LONG} {self.LONG}",
            self.LONG,
        ]

    def test_a_raised_number_belongs_to_its_line(self) -> None:
        (word,) = column("practice")
        raised = Line("2", word.right, word.right + 3, word.bottom + 4, word.top + 2, 6)
        rest = Line(", and more", word.right + 3, word.right + 50, word.bottom, word.top, SIZE)
        assert texts([word, raised, rest]) == ["practice2, and more"]
