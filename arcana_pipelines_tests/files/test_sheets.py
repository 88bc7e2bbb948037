"""Sheets are read as tables whose every part has its header and says which rows it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from arcana_pipelines.files.parsing.blocks import Block, Note
from arcana_pipelines.files.parsing.parsers import sheets
from arcana_pipelines.files.parsing.protocol import Reason, Unreadable
from arcana_pipelines_tests.files.small_files import blocks, said, short, words, xlsx, zipped
from arcana_pipelines_tests.testing.shared_data import shared_file


def rows_of(block: Block) -> tuple[int | None, int | None]:
    return block.place.first_row, block.place.last_row


def test_a_sheet_is_a_heading_then_what_stands_above_its_table_then_the_table(tmp_path: Path) -> None:
    path = xlsx(
        tmp_path / "a", 예산=[["2025년도 예산"], [], ["(단위: 억)"], ["부서", "본예산"], ["총무과", 54], ["합계", 54.5]]
    )
    things = blocks(said(sheets, path, "xlsx"))
    assert short(things) == [
        ("h1", "예산"), ("text", "2025년도 예산"), ("text", "(단위: 억)"),
        ("table", [["부서", "본예산"], ["총무과", "54"], ["합계", "54.5"]]),
    ]  # fmt: skip
    assert [thing.place.sheet for thing in things] == ["예산"] * 4
    assert [rows_of(thing) for thing in things[1:]] == [(1, 1), (3, 3), (4, 6)]


def test_each_part_of_a_long_table_repeats_the_header(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a", s=[["번호", "이름"], *([n, f"사원 {n}"] for n in range(2, 122))])
    tables = [thing for thing in blocks(said(sheets, path, "xlsx")) if thing.kind == "table"]
    assert [rows_of(table) for table in tables] == [(1, 51), (52, 101), (102, 121)]
    assert all(list(table.rows[0]) == ["번호", "이름"] for table in tables)
    assert [row[0] for table in tables for row in table.rows[1:]] == [str(n) for n in range(2, 122)]


def test_rows_beyond_the_limit_are_noted(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a", 비밀=[["a", "b"], *([n, n] for n in range(30))])
    things = said(sheets, path, "xlsx", most_rows=11)
    assert rows_of(blocks(things)[-1]) == (1, 11)
    assert things[-1] == Note("sheet 1: what follows row 11 was not read")


def test_values_are_those_that_were_computed_and_dates_are_dates(tmp_path: Path) -> None:
    data = """<sheetData><row r="2"><c r="B2" t="str"><f>A1&amp;"x"</f><v>계산된 값</v></c><c r="C2"><f>1+1</f></c>
      <c r="D2" s="1"><v>45000</v></c><c r="E2" s="2"><v>45000.5</v></c><c r="F2" s="3"><v>1.25</v></c>
      <c r="G2" t="b"><v>1</v></c><c r="H2"><v>0.1</v></c><c r="I2"><v>123456789012</v></c><c r="J2"><v>-0.5</v></c>
      </row></sheetData>"""
    table = blocks(said(sheets, xlsx(tmp_path / "a", s=data), "xlsx"))[-1]
    assert list(table.rows[1]) == [
        "계산된 값", "2023-03-15", "2023-03-15 12:00", "30:00:00", "TRUE", "0.1", "123456789012", "-0.5",
    ]  # fmt: skip
    assert list(table.rows[0]) == ["B", "D", "E", "F", "G", "H", "I", "J"], "columns without names have the program's"
    assert rows_of(table) == (2, 2)


def test_percentages_are_as_they_are_shown(tmp_path: Path) -> None:
    data = """<sheetData><row r="1"><c r="B1" t="str"><v>집행률</v></c><c r="C1" t="str" s="4"><v>비율</v></c>
      <c r="D1" t="str"><v>a</v></c><c r="E1" t="str"><v>b</v></c></row>
      <row r="2"><c r="B2" s="4"><v>0.873</v></c><c r="C2" s="5"><v>1</v></c><c r="D2" s="6"><v>0.5</v></c>
      <c r="E2"><v>0.25</v></c></row></sheetData>"""
    table = blocks(said(sheets, xlsx(tmp_path / "a", s=data), "xlsx"))[-1]
    assert [list(row) for row in table.rows] == [["집행률", "비율", "a", "b"], ["87.3%", "100%", "0.5", "0.25"]]


def test_merged_cells_stand_in_each_place_and_headers_of_two_rows_are_one(tmp_path: Path) -> None:
    data = """<sheetData><row r="1"><c r="A1" t="str"><v>예산 현황</v></c></row>
      <row r="2"><c r="A2" t="str"><v>부서</v></c><c r="B2" t="str"><v>2025년</v></c></row>
      <row r="3"><c r="B3" t="str"><v>본예산</v></c><c r="C3" t="str"><v>추경</v></c></row>
      <row r="4"><c r="A4" t="inlineStr"><is><t>총무과</t></is></c><c r="B4"><v>1</v></c><c r="C4"><v>2</v></c></row>
      <row r="5"><c r="B5"><v>3</v></c><c r="C5"><v>4</v></c></row></sheetData>
      <mergeCells><mergeCell ref="A1:C1"/><mergeCell ref="A2:A3"/><mergeCell ref="B2:C2"/><mergeCell ref="A4:A5"/>
      <mergeCell ref="A1:XFD1048576"/></mergeCells>"""
    assert short(said(sheets, xlsx(tmp_path / "a", s=data), "xlsx"))[1:] == [
        ("text", "예산 현황"),
        ("table", [["부서", "2025년 본예산", "2025년 추경"], ["총무과", "1", "2"], ["총무과", "3", "4"]]),
    ]


def test_details_above_a_table_are_text(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a", s=[
        ["작성자", "홍길동"], ["작성일", "2025-01-02"], ["사번", "성명", "부서", "직급", "입사일"],
        [1, "이예원", "총무과", "주무관", "2020-01-01"], [2, "박시우", None, "주사", "2021-01-01"],
    ])  # fmt: skip
    things = short(said(sheets, path, "xlsx"))
    assert things[1:3] == [("text", "작성자 홍길동"), ("text", "작성일 2025-01-02")]
    assert things[3][1][0] == ["사번", "성명", "부서", "직급", "입사일"]  # type: ignore[index]
    assert things[3][1][2] == ["2", "박시우", "", "주사", "2021-01-01"]  # type: ignore[index]


def test_a_header_may_stand_below_what_is_said_of_all_and_above_an_empty_row(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a", s=[
        ["(단위: 억)", None, None, "2025년"], ["부문", "매출", "이익", "비율"], [], ["가", 1, 2, 2], ["나", 3, 4, 2],
    ])  # fmt: skip
    assert short(said(sheets, path, "xlsx"))[1:] == [
        ("text", "(단위: 억) 2025년"),
        ("table", [["부문", "매출", "이익", "비율"], ["가", "1", "2", "2"], ["나", "3", "4", "2"]]),
    ]


def test_a_table_keeps_its_header_where_another_one_begins_beside_it(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a", s=[
        ["가", "나", "다"], [1, 2, 3], [2, 3, 4], [3, 4, 5, None, "라", "마", "바"], [4, 5, 6, None, 7, 8, 9],
    ])  # fmt: skip
    (table,) = blocks(said(sheets, path, "xlsx"))[1:]
    assert list(table.rows[0])[:3] == ["가", "나", "다"]
    assert len(table.rows) == 5


def test_years_beside_a_word_are_names_of_columns(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a", s=[["부서", 2023, 2024], ["총무과", 1, 2]])
    assert short(said(sheets, path, "xlsx"))[1] == ("table", [["부서", "2023", "2024"], ["총무과", "1", "2"]])


def test_an_empty_row_ends_a_table_only_if_another_one_begins(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a", s=[
        ["품목", "수량"], ["연필", 3], [], ["지우개", 5], [], ["합계", 8], [],
        ["담당", "전화", "메모"], ["김", "010", "부재"], ["이", "02", "휴가"], [],
        ["표 2. 창고"], ["창고", "칸"], ["가", 1],
    ])  # fmt: skip
    things = blocks(said(sheets, path, "xlsx"))[1:]
    assert short(things) == [
        ("table", [["품목", "수량"], ["연필", "3"], ["지우개", "5"], ["합계", "8"]]),
        ("table", [["담당", "전화", "메모"], ["김", "010", "부재"], ["이", "02", "휴가"]]),
        ("text", "표 2. 창고"), ("table", [["창고", "칸"], ["가", "1"]]),
    ]  # fmt: skip
    assert [rows_of(thing) for thing in things] == [(1, 6), (8, 10), (12, 12), (13, 14)]


def test_columns_that_hold_nothing_are_left_out_and_wide_tables_are_kept_whole(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a", s=[[None, *(f"열{n}" for n in range(40))], [None, *range(40)]])
    (_, table) = blocks(said(sheets, path, "xlsx"))
    assert [len(row) for row in table.rows] == [40, 40]


def test_hidden_sheets_are_read_and_noted_and_those_of_programs_are_not(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a", {"나": "hidden", "다": "veryHidden"}, 가=[["하나"]], 나=[["둘"]], 다=[["셋"]])
    things = said(sheets, path, "xlsx")
    assert short(things) == [("h1", "가"), ("text", "하나"), ("h1", "나"), ("text", "둘")]
    assert [thing.text for thing in things if isinstance(thing, Note)] == [
        "sheet 2 is hidden, and read as the others", "sheet 3 can be seen by programs only, and was not read",
    ]  # fmt: skip


def test_values_far_apart_are_read_where_they_stand(tmp_path: Path) -> None:
    far = """<sheetData><row r="1"><c r="A1" t="str"><v>이름</v></c><c r="B1" t="str"><v>수</v></c></row>
      <row r="2"><c r="A2" t="inlineStr"><is><t>가</t></is></c><c r="B2" s="1"><v>45000</v></c></row>
      <row r="1048576"><c r="XFD1048576"><v>7</v></c></row></sheetData>"""
    path = xlsx(tmp_path / "a", 멀리=far, 가까이=[["a", "b"], [1, 2]])
    things = blocks(said(sheets, path, "xlsx"))
    assert short(things) == [
        ("h1", "멀리"), ("table", [["이름", "수"], ["가", "2023-03-15"]]), ("text", "7"),
        ("h1", "가까이"), ("table", [["a", "b"], ["1", "2"]]),
    ]  # fmt: skip
    assert rows_of(things[2]) == (1048576, 1048576)


def test_a_sheet_with_many_times_the_rows_that_are_read_is_cut_before(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a", s=[["번호", "글"], *([n, "가"] for n in range(60))])
    things = said(sheets, path, "xlsx", most_rows=11)
    assert rows_of(blocks(things)[-1]) == (1, 11)
    assert things[-1] == Note("sheet 1: of its values, those of the first 11 rows and 1,000 columns were read")


def test_many_rows_that_reach_far_are_cut(tmp_path: Path) -> None:
    rows = "".join(f'<row r="{n * 1000}"><c r="A{n * 1000}"><v>{n}</v></c></row>' for n in range(1, 41))
    path = xlsx(tmp_path / "a", s=f'<sheetData>{rows}<row r="90000"><c r="XFD90000"><v>1</v></c></row></sheetData>')
    things = said(sheets, path, "xlsx", most_rows=20)
    assert [block.text for block in blocks(things)] == ["s", *map(str, range(1, 21))]
    assert things[-1] == Note("sheet 1: of its values, those of the first 20 rows and 1,000 columns were read")


ODS = (
    '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:'
    'text:1.0"><office:body><office:spreadsheet><table:table table:name="표">{}</table:table></office:spreadsheet>'
    "</office:body></office:document-content>"
)
CELL = '<table:table-cell office:value-type="string" {}><text:p>{}</text:p></table:table-cell>'


def ods(path: Path, rows: str) -> Path:
    return zipped(path, {
        "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
        "META-INF/manifest.xml": '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
        "content.xml": ODS.format(rows),
    })  # fmt: skip


def test_open_documents_are_read_without_the_empty_rest_of_their_sheets(tmp_path: Path) -> None:
    rest = (
        '<table:table-row table:number-rows-repeated="1048573"><table:table-cell table:number-columns-repeated="1024"/>'
    )
    pairs = (("이름", "부서"), ("가", "총무"))
    rows = "".join(f"<table:table-row>{''.join(CELL.format('', t) for t in pair)}</table:table-row>" for pair in pairs)
    things = said(sheets, ods(tmp_path / "a", f"{rows}{rest}</table:table-row>"), "ods")
    assert short(things) == [("h1", "표"), ("table", [["이름", "부서"], ["가", "총무"]])]


def test_an_open_document_that_repeats_a_value_a_thousand_million_times_is_too_large(tmp_path: Path) -> None:
    cell = CELL.format('table:number-columns-repeated="1024"', "x")
    row = f'<table:table-row table:number-rows-repeated="1048576">{cell}</table:table-row>'
    with pytest.raises(Unreadable) as refused:
        said(sheets, ods(tmp_path / "a", row), "ods")
    assert refused.value.reason == Reason.TOO_LARGE


@pytest.mark.parametrize("kind", ["xlsx", "xlsb", "xls", "ods"])
def test_what_is_no_workbook_is_damaged(tmp_path: Path, kind: str) -> None:
    (path := tmp_path / "a").write_bytes(b"PK\x03\x04 nothing of the kind")
    with pytest.raises(Unreadable) as refused:
        said(sheets, path, kind)
    assert refused.value.reason == Reason.DAMAGED


def test_a_password_is_told_from_damage(tmp_path: Path) -> None:
    (path := tmp_path / "a").write_bytes(shared_file("files/xlsx/password.xlsx").read_bytes())
    with pytest.raises(Unreadable) as refused:
        said(sheets, path, "xlsx")
    assert refused.value.reason == Reason.ENCRYPTED


@pytest.mark.parametrize(
    ("name", "kind", "sheet", "phrases"),
    [
        ("two-sheets.xlsx", "xlsx", "Stanley Cups", ["Blues STL"]),
        ("two-sheets.xlsx", "xlsx", "Stanley Cups Since 67", ["Maple Leafs"]),
        ("korean-budget.xls", "xls", "2025년 예산", ["2025년도 부서별 예산 편성", "재정담당관", "추경"]),
    ],
)
def test_the_given_sheets(name: str, kind: str, sheet: str, phrases: list[str]) -> None:
    things = blocks(said(sheets, shared_file(f"files/xlsx/{name}"), kind))
    text = words([thing for thing in things if thing.place.sheet == sheet])
    assert [phrase for phrase in phrases if phrase not in text] == []
