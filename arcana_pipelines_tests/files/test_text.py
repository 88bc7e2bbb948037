"""Blocks become one text in the normal form of pages, and each part of it knows where in the file it stands."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arcana_pipelines.files.parsing.blocks import Block, Place
from arcana_pipelines.files.text import MOST_COLUMNS, written
from arcana_pipelines.markdown.normalise import normalise


def page(number: int) -> Place:
    return Place(page=number)


class TestTheText:
    def test_an_item_with_a_number_is_one_of_a_numbered_list(self) -> None:
        steps = [Block("item", "1. Make a key"), Block("item", "2. Keep it secret"), Block("item", "Or not")]
        assert written(steps).text == "1. Make a key\n1. Keep it secret\n- Or not"

    def test_each_kind_of_block_has_its_form(self) -> None:
        blocks = [
            Block("heading", "제1장\n총칙", 2),
            Block("text", "첫 문장.\n다음 줄"),
            Block("item", "하나", 0),
            Block("item", "그 아래", 1),
            Block("item", "둘", 0),
            Block("quote", "말"),
            Block("code", "a = 1\n  b"),
            Block("table", rows=(("항목", "값"), ("a|b", "1"))),
        ]
        assert written(blocks).text == (
            "## 제1장 총칙\n\n첫 문장.\n다음 줄\n\n- 하나\n  - 그 아래\n- 둘\n\n> 말\n\n```\na = 1\n  b\n```\n\n"
            "| 항목 | 값 |\n| --- | --- |\n| a\\|b | 1 |"
        )

    def test_what_looks_like_markup_is_text(self) -> None:
        text = written([Block("text", "# no heading"), Block("text", "1. no item"), Block("text", "<b>*x*</b>")]).text
        assert text == "\\# no heading\n\n1\\. no item\n\n\\<b>\\*x\\*\\</b>"

    def test_a_wide_table_is_written_a_row_a_paragraph_with_the_header_at_each_value(self) -> None:
        header = [f"column {number}" for number in range(MOST_COLUMNS + 1)]
        rows = [header, ["1", "", "3\nand more"], ["4"]]
        assert written([Block("table", rows=rows)]).text == "column 0: 1\ncolumn 2: 3 and more\n\ncolumn 0: 4"
        assert written([Block("table", rows=[header])]).text == "\n".join(header)

    def test_what_is_too_much_is_left_out_and_said(self) -> None:
        blocks = [Block("text", "x" * 60, place=page(number)) for number in range(1, 10)]
        text = written(blocks, most_characters=100)
        assert text.text == "x" * 60 + "\n\n" + "x" * 60
        assert text.notes == ("what follows the first 100 characters is not read (from page 3)",)

    def test_nothing_is_nothing(self) -> None:
        empty = written([Block("text", " \n"), Block("table"), Block("code", "\n"), Block("table", rows=[["", ""]])])
        assert empty.text == "" and empty.places == () and empty.notes == ()


class TestPlaces:
    def test_each_part_begins_where_its_first_block_does(self) -> None:
        blocks = [
            Block("text", "first", place=page(1)),
            Block("item", "a", place=page(1)),
            Block("item", "b", place=page(2)),
            Block("text", "behind a list", place=page(3), continues=True),
            Block("text", "more", place=page(3)),
        ]
        text = written(blocks)
        assert text.text == "first\n\n- a\n- b\n\nbehind a list\n\nmore"
        assert [(text.text[at.offset :], at.place.page, at.continues) for at in text.places] == [
            (text.text, 1, False),
            ("- b\n\nbehind a list\n\nmore", 2, False),
            ("behind a list\n\nmore", 3, True),
        ]

    def test_a_block_without_text_begins_nothing(self) -> None:
        text = written([Block("text", "", place=page(1)), Block("text", "a", place=page(2))])
        assert [(at.offset, at.place.page) for at in text.places] == [(0, 2)]

    def test_a_format_without_places_has_none(self) -> None:
        assert written([Block("text", "a"), Block("text", "b")]).places == ()


# Letters, and what is markup somewhere.
TEXT = st.text(st.sampled_from("ab가나1. \n\t*_`~$<>&[](){}#|\\-+=!:/\"'^\xa0\u3000\ufffe\xad\U0001f600"), max_size=30)
BLOCKS = st.one_of(
    st.builds(Block, st.sampled_from(["heading", "text", "item", "quote", "code"]), TEXT, st.integers(0, 6)),
    st.builds(lambda rows: Block("table", rows=rows), st.lists(st.lists(TEXT, max_size=4), max_size=3)),
    st.builds(lambda rows: Block("table", rows=rows), st.lists(st.lists(TEXT, min_size=13, max_size=14), max_size=3)),
)


@pytest.mark.slow
@given(st.lists(BLOCKS, max_size=6))
@example([Block("text", "*1\n***")])
@example([Block("text", "1~~\n~~~")])
@example([Block("heading", "`\n`")])
@example([Block("heading", "\\\n1")])
@settings(max_examples=300)
def test_the_normal_form_of_a_files_text_is_that_text(blocks: list[Block]) -> None:
    text = written(blocks).text
    assert normalise(text).text == text


@given(st.lists(st.tuples(BLOCKS, st.integers(1, 3)), max_size=6))
def test_places_ascend_and_begin_at_a_block(blocks: list[tuple[Block, int]]) -> None:
    placed = [Block(block.kind, block.text, block.level, block.rows, page(number)) for block, number in blocks]
    text = written(placed)
    offsets = [at.offset for at in text.places]
    assert offsets == sorted(set(offsets))
    assert all(offset == 0 or text.text[offset - 1] == "\n" for offset in offsets)
