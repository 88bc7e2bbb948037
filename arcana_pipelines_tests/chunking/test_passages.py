"""The passages of a chunk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcana_pipelines.chunking.chunker import chunk_document
from arcana_pipelines.chunking.headings import Heading
from arcana_pipelines.chunking.passages import Passage, numbers_of, passages, with_numbers
from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.chunking.tokens import vocabulary

SENTENCE = "Whoever leaves the building last locks the door and switches the alarm on. "
SATZ = "마지막으로 나가는 사람이 문을 잠그고 경보를 켭니다. "


def found(text: str, *headings: Heading, is_first: bool = False) -> list[Passage]:
    return passages(text, "Doors", headings, is_first=is_first)


def shown(text: str, *headings: Heading, is_first: bool = False) -> list[str]:
    return [text[each.begin : each.end] for each in found(text, *headings, is_first=is_first)]


def test_paragraphs_items_and_rows_are_passages_of_their_own() -> None:
    text = (
        "One.\n\nTwo,\nstill two.\n\n- first\n- second\n  goes on\n\n| Door | Code |\n| --- | --- |\n| Front | 4711 |"
    )
    assert shown(text) == ["One.", "Two,\nstill two.", "- first", "- second\n  goes on", "| Front | 4711 |"]


def test_a_row_is_embedded_with_the_names_of_its_columns() -> None:
    (row,) = found("| Door | Code | Note |\n| --- | --- | --- |\n| Front | 4711 | |", Heading(2, "Codes"))
    assert row.embedded == "Doors > Codes\nDoor: Front, Code: 4711"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (r"| Amber \| dark | 3 drops |", "Varnish: Amber | dark, Dose: 3 drops"),
        (r"| 호박색 \| 진한 | 세 방울 |", "Varnish: 호박색 | 진한, Dose: 세 방울"),
        (r"| `a\|b` | 1 \| 2 |", "Varnish: `a|b`, Dose: 1 | 2"),
    ],
)
def test_a_bar_that_stands_in_a_cell_ends_none(row: str, said: str) -> None:
    (passage,) = passages(f"| Varnish | Dose |\n| --- | --- |\n{row}\n", "Page", [], is_first=True)
    assert passage.embedded.endswith(said)


def test_the_cells_of_a_row_are_read_with_bars_between_them_since_commas_stand_in_cells() -> None:
    (row,) = found("| Door | Who | Note |\n| --- | --- | --- |\n| Front, rear | 강, 오 | |")
    assert row.said == "Door: Front, rear | Who: 강, 오"


@pytest.mark.parametrize(
    ("table", "read"),
    [
        ("| 성명 |  | 소속 |  |\n| --- | --- | --- | --- |\n| 직위 |  | 입사일 |  |\n| 구분 | 입사, 퇴사 | 보관 | 5년|",
         ["직위 | 입사일", "구분: 입사, 퇴사 | 보관: 5년"]),
        ("| 성명: | 홍길동 | 부서: | 개발 |\n| --- | --- | --- | --- |\n| 직위: | 선임 | 입사일: | |",
         ["직위: 선임 | 입사일"]),
        ("| Name |  |\n| --- | --- |\n| Team | Docks |", ["Team: Docks"]),
        ("|  | Seoul |\n| --- | --- |\n| Days | 18 |", ["Days | Seoul: 18"]),  # the names of columns
    ],
)  # fmt: skip
def test_a_form_has_its_labels_and_not_those_of_its_first_row(table: str, read: list[str]) -> None:
    assert [each.said for each in found(table)] == read


def test_an_item_is_embedded_below_those_that_it_stands_under() -> None:
    *_, code, other = found("- Front\n  - Code\n    - 4711\n- Back")
    assert code.embedded == "Doors\n- Front\n- Code\n    - 4711"
    assert other.embedded == "Doors\n- Back"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("1. look\n1. ring\n   twice\n1. wait", ["1. look", "2. ring\n   twice", "3. wait"]),
        ("5. look\n6. ring", ["5. look", "6. ring"]),
        ("1. look\n1. ring\n- or\n1. wait", ["1. look", "2. ring", "- or", "1. wait"]),
        ("1. go\n  1. left\n  1. right\n1. ring\n  1. up", ["1. go", "  1. left", "  2. right", "2. ring", "  1. up"]),
    ],
)  # fmt: skip
def test_the_items_of_a_numbered_list_are_read_with_their_numbers(text: str, read: list[str]) -> None:
    assert [each.said for each in found(f"Do this:\n\n{text}")[1:]] == read
    assert [each.said for each in found(text, is_first=True)] == read


def test_a_list_that_may_have_begun_in_the_chunk_before_is_read_without_numbers() -> None:
    text = "  1. left\n  1. right\n1. ring\n  1. once\n  1. again\n\nThen:\n\n1. wait"
    assert [each.said for each in found(text)] == [
        "  - left", "  - right", "- ring", "  1. once", "  2. again", "Then:", "1. wait",
    ]  # fmt: skip
    assert found(text)[2].embedded == "Doors\n1. ring", "it is embedded as it is written"


def test_a_whole_document_has_its_numbers_and_all_else_as_it_is_stored() -> None:
    code = "```\n1. code\n1. code\n```"
    stored = (
        f"1. 켠다\n1. 기다린다\n   오래\n  1. left\n  1. right\n1. 끈다\n\nThen 1. is said.\n\n{code}\n\n7. on\n8. off"
    )
    assert with_numbers(stored) == (
        f"1. 켠다\n2. 기다린다\n   오래\n  1. left\n  2. right\n3. 끈다\n\nThen 1. is said.\n\n{code}\n\n7. on\n8. off"
    )


@pytest.mark.parametrize(
    ("page", "text", "told"),
    [
        ("Do:\n\n1. look\n1. ring\n1. wait\n1. go\n\nDone.", "1. wait\n1. go\n\nDone.", "3. wait\n4. go\n\nDone."),
        ("1. 켠다\n1. 연다\n  1. 왼쪽\n  1. 오른쪽\n1. 끈다", "  1. 오른쪽\n1. 끈다", "  2. 오른쪽\n3. 끈다"),
        ("1. one\n" * 11 + "1. last", "1. one\n1. last", "11. one\n12. last"),
        ("1. one\n" * 11 + "1. last", "1. one\n1. one", "- one\n- one"),  # which of the eleven they are
        ("1. look\n1. ring\n1. wait", "1. other\n1. wait", "- other\n- wait"),
    ],
)
def test_a_list_that_began_in_an_earlier_chunk_is_counted_as_the_page_has_it_where_that_is_known(
    page: str, text: str, told: str
) -> None:
    assert numbers_of(text, is_first=False, page=page).put_into(text) == told
    said = [each.said for each in passages(text, "Doors", (), is_first=False, page=page)]
    assert said == [line for line in told.split("\n") if line]
    assert found(text)[0].embedded == passages(text, "Doors", (), is_first=False, page=page)[0].embedded


def test_each_passage_knows_the_headings_that_it_stands_under() -> None:
    text = "Before.\n\n### Front\n\nA.\n\n## Windows\n\nB.\n\n### Cellar\n\nC."
    headings = [each.headings for each in found(text, Heading(2, "Doors inside"), Heading(3, "Kitchen"))]
    assert headings == [
        ("Doors inside", "Kitchen"), ("Doors inside", "Front"), ("Windows",), ("Windows", "Cellar"),
    ]  # fmt: skip


def test_the_title_of_a_document_is_no_passage_and_no_heading() -> None:
    (only,) = found("# Doors\n\nAll are locked.", is_first=True)
    assert (only.headings, only.embedded) == ((), "Doors\nAll are locked.")


def test_a_text_of_headings_alone_is_one_passage() -> None:
    assert shown("# Doors", is_first=True) == ["# Doors"]
    assert shown("") == []


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    for sentence in (SENTENCE, SATZ):
        parts = shown(sentence * 20)
        assert len(parts) > 2
        assert all(len(part) % (len(sentence.strip()) + 1) == len(sentence.strip()) for part in parts)
        assert " ".join(parts) == (sentence * 20).strip()


def test_the_headings_of_a_chunk_have_their_levels() -> None:
    text = "\n\n".join(f"## Part {at}\n\n### Detail {at}\n\n{SENTENCE * 12}" for at in range(6))
    words = vocabulary("wordllama-l2-supercat")
    for chunk in chunk_document({"title": "Doors", "text": text}, ChunkerSettings(), words)[1:]:
        assert len(chunk.heading_path) == len(chunk.heading_levels)
        for passage in chunk.passages("Doors"):
            part, detail = passage.headings
            assert part.removeprefix("Part ") == detail.removeprefix("Detail ")


MARKS = [
    "# A",
    "## B",
    "- item",
    "  - inner",
    "1. one",
    "| a | b |",
    "| --- | --- |",
    "|",
    "```",
    "~~~",
    "",
    " ",
    "***",
]
LINES = st.lists(st.sampled_from([*MARKS, "\u3000", "text. more", SENTENCE * 9, SATZ * 9]), max_size=30)


@given(LINES, st.booleans())
def test_passages_lie_in_order_in_the_text_and_each_says_something(lines: list[str], is_first: bool) -> None:
    text = "\n".join(lines).strip("\n")
    end = 0
    for each in found(text, is_first=is_first):
        assert end <= each.begin <= each.end <= len(text)
        assert each.embedded.strip()
        end = each.end


@given(LINES, st.booleans())
def test_a_place_in_a_text_is_known_in_the_one_with_numbers(lines: list[str], is_first: bool) -> None:
    text = "\n".join([*lines, "1. x"] * 12)
    numbers = numbers_of(text, is_first)
    told = numbers.put_into(text)
    for begin, written, counted in numbers.markers:
        assert told[numbers.moved(begin) :].startswith(counted)
        behind = begin + len(written)
        assert told[numbers.moved(behind) :][:3] == text[behind:][:3] or "\n" in text[behind:][:3]
    assert numbers.moved(len(text)) == len(told)
