"""Titles of rows: the column they stand in, and the files they belong to although the file is called otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from .test_notion_export_support import A, B, C, D, E, body, by_title, dashed, listed, source, texts, write


@pytest.mark.parametrize(
    "header",
    ["No.,Shelf,Name", "Shelf,Name,No.", "Name,No.,Shelf"],
)
@pytest.mark.parametrize("names", [("Torque wrench", "Glue gun"), ("토크 렌치", "글루건")])
def test_the_title_is_the_column_that_the_row_files_are_called_by(
    tmp_path: Path, header: str, names: tuple[str, str]
) -> None:
    rows = [{"No.": "1", "Shelf": "B2", "Name": names[0]}, {"No.": "2", "Shelf": "C1", "Name": names[1]}]
    lines = [",".join(row[column] for column in header.split(",")) for row in rows]
    files = {
        f"도구 {A}_all.csv": "\ufeff" + "\n".join([header, *lines]),
        f"도구 {A}/{names[0]} {B}.md": f"# {names[0]}\n\nNo.: 1\nShelf: B2\n\nCalibrate it.",
        f"도구 {A}/{names[1]} {C}.md": f"# {names[1]}\n\nNo.: 2\nShelf: C1\n",
    }
    refs = by_title(write(tmp_path, files))
    assert set(refs) == {"도구", *names}
    assert texts(refs[names[0]]) == {"No.": "1", "Shelf": "B2"}
    assert body(tmp_path, names[0]) == "Calibrate it."


def test_a_row_without_a_file_has_its_title_in_the_column_of_the_others(tmp_path: Path) -> None:
    files = {f"T {A}.csv": "코드,부품\nA1,볼트\nA2,너트\n", f"T/너트 {B}.md": "# 너트\n\n코드: A2\n"}
    assert set(by_title(write(tmp_path, files))) == {"T", "볼트", "너트"}


def test_a_column_that_repeats_the_title_is_not_it_when_files_have_a_line_for_it(tmp_path: Path) -> None:
    files = {
        f"T {A}.csv": "Alias,Name\nAnn,Ann\nBob,Bob\n",
        f"T/Ann {B}.md": "# Ann\n\nAlias: Ann\n",
        f"T/Bob {C}.md": "# Bob\n\nAlias: Bob\n",
    }
    assert texts(by_title(write(tmp_path, files))["Ann"]) == {"Alias": "Ann"}


def test_a_column_that_names_other_rows_is_not_the_title(tmp_path: Path) -> None:
    names = [f"할 일 {number}" for number in range(12)]
    table = "상위,작업\n,큰 일\n" + "".join(f"큰 일,{name}\n" for name in names)
    bodies = {f"T {A}/{name} {number:032x}.md": f"# {name}\n\n상위: 큰 일\n" for number, name in enumerate(names)}
    refs = by_title(write(tmp_path, {f"T {A}.csv": table, f"T {A}/큰 일 {B}.md": "# 큰 일\n", **bodies}))
    assert set(refs) == {"T", "큰 일", *names}
    assert texts(refs["할 일 3"]) == {"상위": "큰 일"}


def test_a_relation_to_files_that_lie_beside_the_table_is_not_its_title(tmp_path: Path) -> None:
    files = {
        f"일 {A}.csv": f"관련,작업\n새 오븐 (%EC%83%88%20{B}.md),하나\n새 오븐 (%EC%83%88%20{B}.md),둘\n",
        f"새 오븐 {B}.md": "# 새 오븐",
        f"하나 {C}.md": f"# 하나\n\n관련: 새 오븐 (%EC%83%88%20{B}.md)\n\n본문",
    }
    refs = by_title(write(tmp_path, files))
    assert {title: ref.kind for title, ref in refs.items()} == {
        "일": "data_source",
        "새 오븐": "page",
        "하나": "row",
        "둘": "row",
    }


@pytest.mark.parametrize("header", ["번호,이름", "No.,Name", "No.,Task name", "날짜,회의 제목"])
@pytest.mark.parametrize("bare", ["1", "5천원", "￥500", "2026년 3월 5일", "Yes"])
def test_without_any_file_numbers_are_no_titles_where_a_column_is_called_one(
    tmp_path: Path, header: str, bare: str
) -> None:
    refs = by_title(write(tmp_path, {f"T {A}.csv": f"{header}\n{bare},하나\n2,둘\n"}))
    assert set(refs) == {"T", "하나", "둘"}


def test_without_any_file_the_first_column_is_the_title(tmp_path: Path) -> None:
    refs = by_title(write(tmp_path, {f"T {A}.csv": "회사,이름\n한빛,하늘\n"}))
    assert set(refs) == {"T", "한빛"}


@pytest.mark.parametrize(
    ("older", "newer", "yesterday", "today"),
    [
        ("@May 4, 2026", "@May 5, 2026", "@Yesterday", "@Today"),
        ("@2026년 5월 4일", "@2026년 5월 5일", "@어제", "@오늘"),
        ("Standup @2026/05/04", "Standup @2026/05/05", "Standup @Yesterday", "Standup @Today"),
        ("회의 @May 4, 2026 9:00 AM", "회의 @May 5, 2026 9:00 AM", "회의 @Last Monday", "회의 @Today"),
    ],
)
@pytest.mark.parametrize("folder", [f"Log {A}/", ""], ids=["in a folder", "flat"])
def test_a_row_that_is_called_by_a_day_finds_its_file_by_its_other_properties(
    tmp_path: Path, older: str, newer: str, yesterday: str, today: str, folder: str
) -> None:
    files = {
        f"Log {A}.csv": f'걸음,날\n9,"{newer} "\n12,"{older} "\n',
        f"{folder}{today} {B}.md": f"# {today}\n\n걸음: 9\n\nRoses",
        f"{folder}{yesterday} {C}.md": f"# {yesterday}\n\n걸음: 12\n\nTulips",
    }
    opened = source(write(tmp_path, files))
    refs = {ref.external_id: ref for ref in listed(opened)[0] if ref.kind == "row"}
    assert {ref.title: texts(ref) for ref in refs.values()} == {newer: {"걸음": "9"}, older: {"걸음": "12"}}
    assert (refs[dashed(B)].title, opened.fetch(refs[dashed(B)]).markdown) == (newer, "Roses")


def test_days_without_other_properties_are_paired_in_their_order(tmp_path: Path) -> None:
    files = {
        f"Log {A}.csv": 'Day,Note\n"@May 6, 2026",x\n"@May 5, 2026",\n"@May 4, 2026",\n',
        f"Log {A}/@Today {B}.md": "# @Today\n\nnew",
        f"Log {A}/@Yesterday {C}.md": "# @Yesterday\n\nold",
    }
    refs = by_title(write(tmp_path, files))
    assert set(refs) == {"Log", "@May 4, 2026", "@May 5, 2026", "@May 6, 2026"}
    assert (refs["@May 5, 2026"].external_id, refs["@May 4, 2026"].external_id) == (dashed(B), dashed(C))


def test_a_file_called_by_a_day_is_no_row_that_says_otherwise(tmp_path: Path) -> None:
    files = {f"Log {A}.csv": 'Day,N\n"@May 4, 2026",1\n', f"Log {A}/@Today {B}.md": "# @Today\n\nN: 2\n\ntext"}
    refs = {ref.external_id: ref.title for ref in listed(write(tmp_path, files))[0]}
    assert refs[dashed(B)] == "@Today"
    assert "@May 4, 2026" in refs.values()


@pytest.mark.parametrize(
    ("cell", "title"),
    [
        ("계획 ({}) ", "@계획"),
        ("다시 보기: 계획 ({}) 먼저", "다시 보기: @계획 먼저"),
        ("계획 ({}) 계획 ({})", "@계획 @계획"),
    ],
)
def test_a_title_that_mentions_a_page_is_one_row_and_shows_no_path(tmp_path: Path, cell: str, title: str) -> None:
    path = f"집%20{A}/계획%20{B}.md"
    files = {
        f"집 {A}/계획 {B}.md": "# 계획\n\n콩",
        f"집 {A}/목록 {C}.csv": f'이름,태그\n"{cell.format(path, path)}",봄\n"계획 ({path}) 둘",가을\n',
        f"집 {A}/목록 {C}/{title} {D}.md".replace(":", ""): f"# {title}\n\n태그: 봄\n\n본문",
    }
    opened = source(write(tmp_path, files))
    refs = by_title(opened)
    assert {ref.title for ref in refs.values() if ref.kind == "row"} == {title, "계획 둘"}
    assert texts(refs[title]) == {"태그": "봄"}
    assert opened.fetch(refs[title]).links == (dashed(B),)
    assert opened.fetch(refs["계획 둘"]).links == (dashed(B),)


@pytest.mark.parametrize("indent", ["  ", ""], ids=["indented as Notion does", "not indented"])
def test_a_title_of_several_lines_is_one_title_and_is_not_in_the_body(tmp_path: Path, indent: str) -> None:
    files = {
        f"비용 {A}.csv": f'금액,항목\n40,"예비\n{indent}부품\n{indent}목록"\n',
        f"비용 {A}/예비 부품 목록 {B}.md": f"# 예비\n{indent}부품\n{indent}목록\n\n금액: 40\n\n영수증",
        f"Two lines {C}.md": f"# Two\n{indent}lines\n\nbody",
    }
    refs = by_title(write(tmp_path, files))
    assert set(refs) == {"비용", "예비 부품 목록", "Two lines"}
    assert texts(refs["예비 부품 목록"]) == {"금액": "40"}
    assert body(tmp_path, "예비 부품 목록") == "영수증"
    assert body(tmp_path, "Two lines") == "body"


@pytest.mark.parametrize("below", ["text at once", "  - item", "> quote", "| a | b |", "```\ncode\n```"])
def test_what_stands_right_below_a_title_is_the_body(tmp_path: Path, below: str) -> None:
    assert body(write(tmp_path, {f"Note {A}.md": f"# Note\n{below}\n"}), "Note") == below


def test_in_a_flat_export_a_row_without_properties_is_known_by_being_the_only_one_of_its_title(tmp_path: Path) -> None:
    files = {
        f"기록 {A}.csv": "속성,이름\n기획,첫 회의\n,메모\n,두 번\n,두 번\n",
        f"첫 회의 {B}.md": "# 첫 회의\n\n속성: 기획\n",
        f"메모 {C}.md": "# 메모\n\n우산",
        f"두 번 {D}.md": "# 두 번\n\n누구?",
        f"글 {E}.md": "# 글",
    }
    refs = {ref.external_id: ref for ref in listed(write(tmp_path, files))[0]}
    assert (refs[dashed(C)].kind, refs[dashed(C)].parent_id) == ("row", dashed(A))
    assert refs[dashed(D)].kind == refs[dashed(E)].kind == "page"


def test_controls_in_titles_names_and_cells_reach_nobody(tmp_path: Path) -> None:
    files = {
        f"T\x1b[2J {A}.csv": "Na\x9bme,Sta\x1b]0;tus\n\x1b[31mRow,O\x07pen\n",
        f"P\x1b[31m {B}.md": "just \x1b[31mtext",
        f"Q {C}.md": "# T\x1b]0;itle\x85\n\nbody",
    }
    refs, _ = listed(write(tmp_path, files))
    seen = "".join(f"{ref.title}{ref.url}{dict(ref.properties)}" for ref in refs)
    assert {ref.title for ref in refs} == {"T[2J", "P[31m", "T]0;itle", "[31mRow"}
    assert seen.isprintable()
