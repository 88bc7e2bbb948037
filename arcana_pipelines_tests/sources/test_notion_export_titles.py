"""Titles of rows: the column they stand in, and the files they belong to although the file is called otherwise."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from random import Random
from time import thread_time

import pytest

from arcana_pipelines.sources.notion_export.page_text import PageText, agreement, named_lines, without_properties

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


SEVEN = "일곱"
# What a file calls the days around Tuesday, May 12, 2026, and what the table has for them.
COUNTED = [
    (("@Tomorrow", "@Last Friday"), ("@May 13, 2026", "@May 8, 2026")),
    (("@Last Friday", "@Today"), ("@May 8, 2026", "@May 12, 2026")),
    (("@Next Monday", "@Last Monday"), ("@May 18, 2026", "@May 11, 2026")),
    (("@내일", "@지난주 금요일"), ("@2026년 5월 13일", "@2026년 5월 8일")),
    (("@오늘", "@다음 주 화요일"), ("@2026년 5월 12일", "@2026년 5월 19일")),
    (("@Today 9:00 AM", "@Today 3:30 PM"), ("@May 12, 2026 9:00 AM (GMT+9)", "@May 12, 2026 3:30 PM (GMT+9)")),
    (("@오늘 오후 3:30", "@오늘 오전 9:00"), ("@2026년 5월 12일 오후 3:30", "@2026년 5월 12일 오전 9:00")),
    (("회의 @Today", "Retro @Today"), ("회의 @May 12, 2026", "Retro @May 12, 2026")),
    (("@어제의 회의", "@오늘의 회의"), ("@2026/05/11의 회의", "@2026/05/12의 회의")),
    (("@Yesterday → Tomorrow", "@Today → Tomorrow"), ("@05/11/2026 → 05/13/2026", "@05/12/2026 → 05/13/2026")),
]


@pytest.mark.parametrize(("called", "titles"), COUNTED)
@pytest.mark.parametrize("turned", [False, True])
def test_rows_of_equal_properties_are_told_apart_by_the_day_that_their_files_count_to(
    tmp_path: Path, called: tuple[str, str], titles: tuple[str, str], turned: bool
) -> None:
    ids = (C, B) if turned else (B, C)
    rows = [f'"{title} ",{SEVEN}\n' for title in titles]
    files = {f"Log {A}.csv": "날,수\n" + "".join(reversed(rows) if turned else rows)}
    for name, notion_id in zip(called, ids, strict=True):
        files[f"Log {A}/{name.replace(':', '')} {notion_id}.md"] = f"# {name}\n\n수: {SEVEN}\n\nbody of {name}"
    refs, listing = listed(write(tmp_path, files))
    assert {ref.external_id: ref.title for ref in refs if ref.kind == "row"} == {
        dashed(notion_id): title for notion_id, title in zip(ids, titles, strict=True)
    }
    assert listing.problems == []


def test_one_row_that_its_properties_tell_says_the_day_of_the_export_for_all(tmp_path: Path) -> None:
    days = ("@May 4, 2026", "@May 5, 2026", "@May 6, 2026")
    rows = [f'"{day}",{number}\n' for day in days for number in (1, 1)]
    files = {
        f"Log {A}.csv": "Day,N\n" + "".join(rows) + '"@May 3, 2026",2\n',
        f"Log {A}/@Today {B}.md": "# @Today\n\nN: 1\n\ntext",
        f"Log {A}/@Last Sunday {C}.md": "# @Last Sunday\n\nN: 2\n",
        f"Log {A}/@Yesterday {D}.md": "# @Yesterday\n\nN: 1\n\nolder",
        f"Log {A}/@Tomorrow {E}.md": "# @Tomorrow\n\nN: 1\n\nnewer",
    }
    refs, listing = listed(write(tmp_path, files))
    titles = {ref.external_id: ref.title for ref in refs}
    assert [titles[dashed(one)] for one in (D, B, E, C)] == [*days, "@May 3, 2026"]
    assert len(titles) == 8 and listing.problems == []


@pytest.mark.parametrize("called", [("@Last Friday", "@Last Friday"), ("@昨日", "@明日")])
def test_files_that_nothing_tells_apart_keep_their_own_titles_and_are_counted_and_named(
    tmp_path: Path, called: tuple[str, str]
) -> None:
    files = {
        f"Log {A}.csv": f'날,수\n"@May 1, 2026",{SEVEN}\n"@May 8, 2026",{SEVEN}\n',
        f"Log {A}/{called[0]} {B}.md": f"# {called[0]}\n\n수: {SEVEN}\n\n하나",
        f"Log {A}/{called[1]} {C}.md": f"# {called[1]}\n\n수: {SEVEN}\n\n둘",
    }
    opened = source(write(tmp_path, files))
    refs, listing = listed(opened)
    rows = {ref.external_id: ref for ref in refs if ref.kind == "row"}
    assert {key: (row.title, texts(row)) for key, row in rows.items()} == {
        dashed(B): (called[0], {"수": SEVEN}),
        dashed(C): (called[1], {"수": SEVEN}),
    }
    assert opened.fetch(rows[dashed(B)]).markdown == "하나"
    assert listing.complete and len(listing.problems) == 1
    for said in ("2 files", *called, "2 rows", "@May 1, 2026", "@May 8, 2026", "nothing tells"):
        assert said in listing.problems[0]


def test_fewer_files_than_rows_that_may_be_theirs_are_listed_beside_them(tmp_path: Path) -> None:
    files = {
        f"Log {A}.csv": 'Day,N\n"@May 4, 2026",1\n"@May 5, 2026",1\n"@May 6, 2026",1\n',
        f"Log {A}/@Today {B}.md": "# @Today\n\nN: 1\n\nnew",
        f"Log {A}/@Yesterday {C}.md": "# @Yesterday\n\nN: 1\n\nold",
    }
    refs, listing = listed(write(tmp_path, files))
    rows = sorted(ref.title for ref in refs if ref.kind == "row")
    assert rows == ["@May 4, 2026", "@May 5, 2026", "@May 6, 2026", "@Today", "@Yesterday"]
    assert all(texts(ref) == {"N": "1"} for ref in refs if ref.kind == "row")
    (told,) = listing.problems
    assert "2 files (@Today, @Yesterday) belong to 3 rows" in told


def test_rows_of_one_title_of_which_no_file_says_which_it_is_are_never_paired_at_random(tmp_path: Path) -> None:
    files = {
        f"T {A}.csv": "이름,요일\n회의,월\n회의,금\n",
        f"T {A}/회의 {B}.md": "# 회의\n\n하나",
        f"T {A}/회의 {C}.md": "# 회의\n\n둘",
    }
    refs, listing = listed(write(tmp_path, files))
    rows = {ref.external_id: texts(ref) for ref in refs if ref.kind == "row"}
    assert rows[dashed(B)] == rows[dashed(C)] == {}
    assert sorted(cells["요일"] for cells in rows.values() if cells) == ["금", "월"]
    (told,) = listing.problems
    assert "2 files (회의, 회의) belong to 2 rows" in told


def test_one_of_two_rows_that_says_less_is_the_file_that_says_less(tmp_path: Path) -> None:
    files = {
        f"T {A}.csv": "이름,요일,곳\n회의,월,서울\n회의,월,\n",
        f"T {A}/회의 {B}.md": "# 회의\n\n요일: 월\n\n하나",
    }
    refs = {ref.external_id: texts(ref) for ref in listed(write(tmp_path, files))[0]}
    assert refs[dashed(B)] == {"요일": "월"}


def test_whatever_days_a_table_has_no_file_becomes_another_row(tmp_path: Path) -> None:
    chance = Random(20260512)
    for attempt in range(60):
        today = date(2026, 5, 1) + timedelta(days=chance.randrange(28))
        days = [today + timedelta(days=count) for count in range(-6, 7)]
        chosen = chance.sample(days, chance.randrange(1, 7))
        cells = [chance.choice(["가", "나", ""]) for _ in chosen]
        lines = [f'"@{day:%B} {day.day}, {day.year}",{cell}\n' for day, cell in zip(chosen, cells, strict=True)]
        files = {f"Log {A}.csv": "Day,K\n" + "".join(lines)}
        true: dict[str, str] = {}
        for number, (day, cell) in enumerate(zip(chosen, cells, strict=True)):
            if chance.random() < 0.25:
                continue  # a row without a file
            offset = (day - today).days
            near = {-1: "Yesterday", 0: "Today", 1: "Tomorrow"}
            name = near.get(offset, f"{'Last' if offset < 0 else 'Next'} {day:%A}")
            line = f"K: {cell}\n\n" if cell else ""
            notion_id = f"{chance.getrandbits(64):016x}{number:016x}"
            files[f"Log {A}/@{name} {notion_id}.md"] = f"# @{name}\n\n{line}body"
            true[dashed(notion_id)] = f"@{day:%B} {day.day}, {day.year}"
        refs, listing = listed(write(tmp_path / str(attempt), files))
        for ref in refs:
            if ref.external_id in true and ref.title != true[ref.external_id]:
                assert ref.title.startswith(("@Last", "@Next", "@Today", "@Tomorrow", "@Yesterday"))
                assert any(ref.title in problem for problem in listing.problems)


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


def test_a_property_that_a_block_repeats_is_text_from_the_second_time_on() -> None:
    page = PageText("T", "\nStatus: done\nStatus: done\n\nThe body.")
    assert without_properties(page, {"Status": "done"}) == "Status: done\n\nThe body."
    assert named_lines(page.block, ["Status"]) == [("Status", "done"), (None, "Status: done")]


def test_a_line_of_a_value_that_begins_like_a_property_does_not_stand_for_it() -> None:
    page = PageText("T", "\nNote: first\nOwner: was Mina\nOwner: Jun\n\nThe body.")
    assert without_properties(page, {"Note": "first\nOwner: was Mina", "Owner": "Jun"}) == "\nThe body."


@pytest.mark.parametrize(
    ("line", "column", "cell"),
    [("Status: x\n", "Status", "word "), (":", ":", ""), (": ", "x", "x")],
)
def test_property_lines_are_read_in_a_time_that_grows_with_them(line: str, column: str, cell: str) -> None:
    def seconds(times: int) -> float:
        page, cells = PageText("T", "\n" + line * times), {column * (times if column != "Status" else 1): cell * times}
        taken = []
        for _ in range(3):  # one of them may be interrupted by a collection of garbage
            started = thread_time()
            without_properties(page, cells)
            agreement(named_lines(page.block, cells), cells)
            taken.append(thread_time() - started)
        return min(taken)

    assert seconds(16_000) < max(0.2, 9 * seconds(4_000))
