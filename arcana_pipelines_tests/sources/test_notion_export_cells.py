"""What the columns of an export are, and what their cells mean."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from arcana_pipelines.sources.notion_export.cells import read_column, read_value
from arcana_pipelines.sources.notion_export.source import NotionExportSource
from arcana_pipelines.sources.protocol import Mode, PageRef


def values(cells: list[str]) -> list[object]:
    column = read_column(cells)
    return [read_value(column, cell)["value"] for cell in cells]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["March 5, 2026", "2026년 3월 6일 오후 3:30", "2026/03/07"], "date"),
        (["$1,200.50", "₩30,000", "20"], "number"),
        (["12%", "50%"], "number"),
        (["-4", "1,250", "0.5"], "number"),
        (["1200.50", "950.00"], "number"),
        (["￥5000", "￥１２，０００"], "number"),
        (["1,200", "(500)", "300"], "number"),
        (["SEK\u00a01,200.00", "-SEK\u00a05.00"], "number"),
        (["(1)", "(2)"], "text"),
        (["００７", "０１２"], "text"),
        (["Yes", "No", "No"], "checkbox"),
        (["예", "아니요"], "checkbox"),
        (["backend, urgent", "docs"], "multi_select"),
        (["김민지, 이준", "박서연"], "multi_select"),
        (["007", "012"], "text"),
        (["010-1234-5678", "02-555-1234"], "text"),
        (["5551234567", "5559876543"], "text"),
        (["1.10", "1.9", "2.0"], "text"),
        (["v1.2", "v1.3"], "text"),
        (["A-17", "A-18"], "text"),
        (["10", "soon"], "number"),
        (["March 5, 2026"], "date"),
        (["나중에", "2026년 3월 5일"], "date"),
        (["2026-03-05", "soon", "later"], "text"),
        (["12", "3", "S", "M"], "number"),
        (["12", "S", "M"], "text"),
        (["12", "3", "40", "S", "M"], "number"),
        (["12", "3", "S", "M", "L"], "text"),
        (["2026", "backend, urgent"], "multi_select"),
        (["007", "soon"], "text"),
        (["March 5, 2026", "12", "later", "Yes"], "text"),
        (["We met, talked about it and went home.", "Nothing"], "text"),
        (["Yes", "No", "Maybe"], "text"),
        ([], "text"),
    ],
)
def test_a_column_has_a_type_only_where_its_cells_clearly_have_it(cells: list[str], kind: str) -> None:
    assert read_column(cells).type == kind


def test_the_order_of_day_and_month_is_that_of_the_whole_column() -> None:
    assert [value["start"] for value in values(["05/03/2026", "25/03/2026"])] == ["2026-03-05", "2026-03-25"]  # type: ignore[index]
    assert [value["start"] for value in values(["05/03/2026", "03/25/2026"])] == ["2026-05-03", "2026-03-25"]  # type: ignore[index]
    assert read_column(["05/03/2026", "06/03/2026"]).is_guess and not read_column(["25/03/2026"]).is_guess


def test_what_a_point_separates_is_told_by_the_whole_column() -> None:
    assert values(["1.234,50 €", "1.200 €"]) == [1234.5, 1200]
    assert values(["$1,234.50", "$1.200"]) == [1234.5, 1.2]


def test_a_cell_that_is_not_of_its_column_s_type_keeps_its_text_and_is_counted() -> None:
    cells = ["March 5, 2026", "as soon as possible", "March 6, 2026"]
    column = read_column(cells)
    assert column.unread == 1
    assert read_value(column, cells[1]) == {"type": "text", "text": cells[1], "value": cells[1]}


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["soon"], None),
        (["2026-03-05", "soon"], "of dates, 1 of 2 cells is none"),
        (["10", "미정"], "of numbers, 1 of 2 cells is none"),
        (["2026-03-05", "soon", "later"], "1 of 3 cells is a date"),
        (["1,000원", "미정", "협의"], "1 of 3 cells is a number"),
        (["5%", "S", "7%", "M"], "of numbers, 2 of 4 cells are none"),
        (["2026-03-05", "a", "2026-03-06", "b", "c"], "2 of 5 cells are dates"),
        (["2026-03-05", "a", "b", "c", "d"], "1 of 5 cells is a date"),
        (["010-1234-5678", "none"], None),
        (["v1", "3", "a long story", "another one", "and more", "of it"], None),
    ],
)
def test_a_column_of_which_a_part_is_something_else_is_told_however_small_it_is(
    cells: list[str], said: str | None
) -> None:
    remarks = read_column(cells).remarks()
    assert len(remarks) == (said is not None)
    assert said is None or said in remarks[0]


def listed(folder: Path) -> tuple[dict[str, PageRef], list[str]]:
    source = NotionExportSource(folder, now=lambda: datetime(2026, 11, 1, tzinfo=UTC))
    try:
        listing = source.enumerate(Mode.FULL, None, lambda refs: [False] * len(refs))
        refs = {ref.title: ref for batch in listing.batches for ref in batch}
        assert listing.complete
        return refs, listing.problems
    finally:
        source.close()


def test_rows_of_an_export_have_typed_properties_and_its_databases_their_columns(tmp_path: Path) -> None:
    table = (
        "작업,기한,예산,완료,태그,메모\n"
        '"로그인 수정",2026년 3월 5일 오후 3:30,"₩1,200,000",Yes,"백엔드, 긴급",007\n'
        '"문서 작성",2026년 4월 1일 → 2026년 4월 3일,"₩50,000",No,문서,012\n'
    )
    (tmp_path / f"할 일 {'a' * 32}.csv").write_text(table, encoding="utf-8")
    refs, problems = listed(tmp_path)
    row = refs["로그인 수정"].properties
    assert {name: value["type"] for name, value in row.items()} == {
        "기한": "date", "예산": "number", "완료": "checkbox", "태그": "multi_select", "메모": "text",
    }  # fmt: skip
    assert row["기한"]["text"] == "2026년 3월 5일 오후 3:30", "what a person reads stays"
    assert (row["예산"]["value"], row["완료"]["value"], row["태그"]["value"]) == (1200000, True, ["백엔드", "긴급"])
    assert refs["문서 작성"].properties["기한"]["value"]["end"] == "2026-04-03"
    assert refs["할 일"].properties["작업"]["type"] == "title" and refs["할 일"].properties["예산"]["type"] == "number"
    assert problems == []


def test_cells_that_cannot_be_read_are_told_with_the_database_and_the_column(tmp_path: Path) -> None:
    table = "Name,Due,Start\nA,2026-03-05,05/03/2026\nB,soon,06/04/2026\nC,2026-03-06,07/05/2026\n"
    (tmp_path / f"Tasks {'b' * 32}.csv").write_text(table, encoding="utf-8")
    _, problems = listed(tmp_path)
    assert len(problems) == 2 and all("Tasks" in problem for problem in problems)
    assert "'Due'" in problems[0] and "1 of 3 cells" in problems[0]
    assert "'Start'" in problems[1] and "month" in problems[1]


def test_cells_of_rows_that_the_table_lacks_are_told_too(tmp_path: Path) -> None:
    table = f"할 일 {'a' * 32}"
    (tmp_path / table).mkdir()
    (tmp_path / f"{table}.csv").write_text("이름,기한\n하나,2026년 3월 5일\n둘,2026년 3월 6일\n", encoding="utf-8")
    (tmp_path / table / f"셋 {'b' * 32}.md").write_text("# 셋\n\n기한: 곧\n\n본문", encoding="utf-8")
    refs, problems = listed(tmp_path)
    assert refs["셋"].properties["기한"]["type"] == "text"
    (told,) = problems
    assert table in told and "'기한'" in told and "1 of 1 cell is none" in told


def test_cells_of_rows_that_only_a_view_has_are_told_too(tmp_path: Path) -> None:
    names = [f"행 {number}" for number in range(6)]
    rows = [f"{name},2026년 3월 {number + 1}일\n" for number, name in enumerate(names)]
    folder = tmp_path / f"표 {'a' * 32}"
    folder.mkdir()
    (tmp_path / f"표 {'a' * 32}.csv").write_text("이름,기한\n" + "".join(rows), encoding="utf-8")
    for number, name in enumerate(names):
        text = f"# {name}\n\n기한: 2026년 3월 {number + 1}일\n"
        (folder / f"{name} {number:032x}.md").write_text(text, encoding="utf-8")
    view = "이름,기한\n" + "".join(rows[:4]) + "새것,언젠가\n"
    (tmp_path / f"보기 {'c' * 32}.csv").write_text(view, encoding="utf-8")
    refs, problems = listed(tmp_path)
    assert refs["새것"].kind == "row"
    (told,) = problems
    assert "보기" in told and "'기한'" in told
