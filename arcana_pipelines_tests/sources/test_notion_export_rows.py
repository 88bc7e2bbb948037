"""Databases of an export: a CSV, its rows, and the page files that are rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from arcana_pipelines.sources.notion_export.snapshot import Snapshot

from .test_notion_export_support import (
    NOW,
    A,
    B,
    C,
    D,
    E,
    body,
    by_title,
    dashed,
    listed,
    source,
    texts,
    write,
)

TASKS = "\ufeffName,Status,담당\nWrite docs,Done,지은\nShip it,Open,\n"


@pytest.mark.parametrize("folder", [f"Tasks {A}", "Tasks"], ids=["folder with id", "folder with title only"])
def test_a_file_in_the_folder_of_a_csv_is_a_row_with_the_properties_of_the_csv(tmp_path: Path, folder: str) -> None:
    page = "# Write docs\n\nStatus: Done\n담당: 지은\n\nThe body."
    files = {f"Tasks {A}.csv": TASKS, f"{folder}/Write docs {B}.md": page}
    refs = by_title(write(tmp_path, files))
    row = refs["Write docs"]
    assert (row.kind, row.parent_kind, row.parent_id) == ("row", "data_source", dashed(A))
    assert row.properties["담당"] == {"type": "text", "text": "지은", "value": "지은"}
    assert texts(row) == {"Status": "Done", "담당": "지은"}
    assert body(tmp_path, "Write docs") == "The body."


def test_a_csv_is_listed_as_a_data_source_under_the_page_that_holds_it(tmp_path: Path) -> None:
    refs = by_title(write(tmp_path, {f"Team {B}.md": "# Team", f"Team {B}/Tasks {A}.csv": TASKS}))
    tasks = refs["Tasks"]
    assert (tasks.kind, tasks.external_id, tasks.url) == (
        "data_source",
        dashed(A),
        f"https://www.notion.so/{A}",
    )
    assert (tasks.parent_kind, tasks.parent_id) == ("page", dashed(B))


def test_a_data_source_has_no_body(tmp_path: Path) -> None:
    assert body(write(tmp_path, {f"Tasks {A}.csv": TASKS}), "Tasks") == ""


def test_the_all_twin_gives_the_rows_and_is_no_database_of_its_own(tmp_path: Path) -> None:
    files = {f"Tasks {A}.csv": "Name,Status\nShip it,Open\n", f"Tasks {A}_all.csv": TASKS}
    refs = by_title(write(tmp_path, files))
    assert set(refs) == {"Tasks", "Write docs", "Ship it"}
    assert texts(refs["Write docs"]) == {"Status": "Done", "담당": "지은"}


def test_a_row_without_a_file_is_a_page_with_properties_and_no_body(tmp_path: Path) -> None:
    write(tmp_path, {f"Tasks {A}.csv": TASKS})
    row = by_title(tmp_path)["Ship it"]
    assert (row.kind, row.parent_id, row.url) == ("row", dashed(A), None)
    assert texts(row) == {"Status": "Open"}
    assert body(tmp_path, "Ship it") == ""


def test_rows_of_one_title_without_files_have_ids_of_their_own_that_last(tmp_path: Path) -> None:
    csv = "Name,N\nMeeting,1\nMeeting,2\n"
    one = [ref.external_id for ref in listed(write(tmp_path / "1", {f"T {A}.csv": csv}))[0]]
    two = [ref.external_id for ref in listed(write(tmp_path / "2", {f"T {A}.csv": csv + "New,3\n"}))[0]]
    assert len(set(one)) == 3
    assert two[:3] == one


def test_rows_of_one_title_are_told_apart_by_their_properties_and_not_by_their_order(tmp_path: Path) -> None:
    files = {
        f"T {A}.csv": "Name,When\nMeeting,Monday\nMeeting,Friday\n",
        f"T/Meeting {B}.md": "# Meeting\n\nWhen: Friday\n\nabout B",
        f"T/Meeting {C}.md": "# Meeting\n\nWhen: Monday\n\nabout C",
    }
    refs = {ref.external_id: ref for ref in listed(write(tmp_path, files))[0]}
    assert len(refs) == 3
    assert texts(refs[dashed(B)]) == {"When": "Friday"}
    assert texts(refs[dashed(C)]) == {"When": "Monday"}


def test_a_title_that_the_file_name_cuts_short_is_matched_by_the_first_line(tmp_path: Path) -> None:
    title = 'Why: a/very "long" title? ' + "x" * 80
    quoted = title.replace('"', '""')
    files = {f"T {A}.csv": f'Name,K\n"{quoted}",v\n', f"T {A}/Why a very long {B}.md": f"# {title}\n\nK: v\n"}
    refs, _ = listed(write(tmp_path, files))
    assert [texts(ref) for ref in refs if ref.kind == "row"] == [{"K": "v"}]


def test_a_file_without_heading_is_matched_by_the_beginning_of_its_row_title(tmp_path: Path) -> None:
    files = {
        f"T {A}.csv": "Name,K\nQuarterly review of the warehouse: results,v\n",
        f"T {A}/Quarterly review of the ware {B}.md": "K: v\n\ntext",
    }
    row = next(ref for ref in listed(write(tmp_path, files))[0] if ref.kind == "row")
    assert (row.external_id, texts(row)) == (dashed(B), {"K": "v"})
    assert row.title == "Quarterly review of the warehouse: results"


def test_a_sub_page_of_a_row_is_a_page_under_that_row(tmp_path: Path) -> None:
    files = {
        f"Tasks {A}.csv": TASKS,
        f"Tasks/Write docs {B}.md": "# Write docs",
        f"Tasks/Write docs/Draft {C}.md": "# Draft",
    }
    draft = by_title(write(tmp_path, files))["Draft"]
    assert (draft.kind, draft.parent_kind, draft.parent_id) == ("page", "page", dashed(B))


def test_a_row_that_the_csv_lacks_takes_its_properties_from_its_own_lines(tmp_path: Path) -> None:
    files = {f"Tasks {A}.csv": TASKS, f"Tasks/Hidden {B}.md": "# Hidden\n\nStatus: Later\n\ntext"}
    row = by_title(write(tmp_path, files))["Hidden"]
    assert (row.kind, texts(row)) == ("row", {"Status": "Later"})
    assert body(tmp_path, "Hidden") == "text"


def test_a_body_that_begins_like_an_empty_property_is_kept(tmp_path: Path) -> None:
    files = {f"T {A}.csv": "Name,Note\nRow,\n", f"T/Row {B}.md": "# Row\n\nNote: read me first\n\ntext"}
    assert body(write(tmp_path, files), "Row") == "Note: read me first\n\ntext"


def test_a_body_that_begins_like_a_property_with_another_value_is_kept(tmp_path: Path) -> None:
    files = {f"T {A}.csv": "Name,Note\nRow,short\n", f"T/Row {B}.md": "# Row\n\nNote: quite another thing"}
    assert body(write(tmp_path, files), "Row") == "Note: quite another thing"


def test_a_property_in_another_spelling_goes_with_its_proven_neighbours(tmp_path: Path) -> None:
    files = {
        f"T {A}.csv": 'Name,Status,Cost\nRow,Open,"1,000"\n',
        f"T/Row {B}.md": "# Row\n\nStatus: Open\nCost: 1000\n\ntext",
    }
    assert body(write(tmp_path, files), "Row") == "text"


def test_a_relation_goes_though_page_and_csv_link_differently(tmp_path: Path) -> None:
    files = {
        f"T {A}.csv": f"Name,Project\nRow,Alpha (https://www.notion.so/{C})\n",
        f"T/Row {B}.md": f"# Row\n\nProject: Alpha (../Projects/Alpha%20{C}.md)\n\ntext",
    }
    assert body(write(tmp_path, files), "Row") == "text"


def test_a_property_of_several_lines_goes_whole(tmp_path: Path) -> None:
    files = {
        f"T {A}.csv": 'Name,Note,Status\nRow,"one\ntwo",Open\n',
        f"T/Row {B}.md": "# Row\n\nNote: one\ntwo\nStatus: Open\n\ntext",
    }
    assert body(write(tmp_path, files), "Row") == "text"


def test_a_property_with_an_empty_line_goes_whole_and_so_does_what_follows(tmp_path: Path) -> None:
    files = {
        f"T {A}.csv": 'Name,메모,Status\nRow,"하나\n\n셋",Open\n',
        f"T/Row {B}.md": "# Row\r\n\r\n메모: 하나\r\n\r\n셋\r\nStatus: Open\r\n\r\ntext\r\n",
    }
    assert body(write(tmp_path, files), "Row") == "text"


def test_a_column_name_with_a_colon_is_one_name(tmp_path: Path) -> None:
    files = {f"T {A}.csv": "Name,A,A: B\nRow,1,2\n", f"T/Row {B}.md": "# Row\n\nA: 1\nA: B: 2\n\ntext"}
    assert body(write(tmp_path, files), "Row") == "text"


def test_a_page_that_shows_a_database_keeps_the_id_and_holds_the_database(tmp_path: Path) -> None:
    files = {
        f"Tasks {A}.md": "# Task board\n\nHow we use it.",
        f"Tasks {A}.csv": TASKS,
        f"Tasks {A}/Write docs {B}.md": "# Write docs",
    }
    refs = by_title(write(tmp_path, files))
    assert refs["Task board"].external_id == dashed(A)
    assert refs["Tasks"].external_id != dashed(A)
    assert refs["Tasks"].parent_id == dashed(A)
    assert refs["Write docs"].parent_id == refs["Tasks"].external_id


def test_two_databases_of_one_name_share_a_folder_and_each_gets_its_rows(tmp_path: Path) -> None:
    files = {
        f"T {A}.csv": "Name,K\nOne,1\n",
        f"T {B}.csv": "Name,L\nTwo,2\n",
        f"T/One {C}.md": "# One\n\nK: 1",
        f"T/Two {D}.md": "# Two\n\nL: 2",
    }
    refs = {ref.external_id: ref for ref in listed(write(tmp_path, files))[0]}
    assert len(refs) == 4
    assert refs[dashed(C)].parent_id == dashed(A)
    assert refs[dashed(D)].parent_id == dashed(B)


def test_a_page_and_a_database_of_one_name_share_a_folder_and_each_gets_its_own(tmp_path: Path) -> None:
    files = {
        f"Plans {A}.md": "# Plans",
        f"Plans {B}.csv": "Name,K\nRow,1\n",
        f"Plans/Row {C}.md": "# Row\n\nK: 1",
        f"Plans/Sub {D}.md": "# Sub",
    }
    refs = {ref.external_id: ref for ref in listed(write(tmp_path, files))[0]}
    assert (refs[dashed(C)].kind, refs[dashed(C)].parent_id) == ("row", dashed(B))
    assert (refs[dashed(D)].kind, refs[dashed(D)].parent_id) == ("page", dashed(A))


def test_in_an_export_without_folders_rows_are_known_by_their_properties(tmp_path: Path) -> None:
    files = {
        f"Tasks {A}.csv": TASKS,
        f"Write docs {B}.md": "# Write docs\n\nStatus: Done\n담당: 지은\n\ntext",
        f"Ship it {C}.md": "# Ship it\n\nA page that merely has the same title.",
        f"Other {D}.md": "# Other",
    }
    refs = {ref.external_id: ref for ref in listed(write(tmp_path, files))[0]}
    assert (refs[dashed(B)].kind, refs[dashed(B)].parent_id) == ("row", dashed(A))
    assert refs[dashed(C)].kind == refs[dashed(D)].kind == "page"
    assert len(refs) == 5


@pytest.mark.parametrize("untitled", ["Untitled", "제목 없음"])
def test_untitled_rows_and_files_find_each_other(tmp_path: Path, untitled: str) -> None:
    files = {f"T {A}.csv": "Name,K\n,7\n", f"T/{untitled} {B}.md": f"# {untitled}\n\nK: 7\n\ntext"}
    row = by_title(write(tmp_path, files))[untitled]
    assert (row.external_id, texts(row)) == (dashed(B), {"K": "7"})


def test_empty_rows_short_rows_and_odd_headers_do_no_harm(tmp_path: Path) -> None:
    refs = by_title(write(tmp_path, {f"T {A}.csv": "Name,K,K,\n\n,,,\nShort\nLong,1,2,3,4,5\n"}))
    assert texts(refs["Short"]) == {}
    assert texts(refs["Long"]) == {"K": "1", "K (3)": "2", "Column 4": "3"}
    assert set(refs) == {"T", "Short", "Long"}


def test_a_csv_without_any_line_is_a_database_without_rows(tmp_path: Path) -> None:
    assert list(by_title(write(tmp_path, {f"T {A}.csv": ""}))) == ["T"]


def test_a_cell_longer_than_the_csv_module_allows_is_read(tmp_path: Path) -> None:
    long = "가" * 200_000
    assert texts(by_title(write(tmp_path, {f"T {A}.csv": f"Name,K\nRow,{long}\n"}))["Row"]) == {"K": long}


def test_a_copy_of_a_row_file_makes_no_second_page_of_its_row(tmp_path: Path) -> None:
    files = {
        f"A {A}.csv": "Name,K\nRow,1\n",
        f"A/Row {C}.md": "# Row\n\nK: 1",
        f"B {B}.csv": "Name,K\nRow,1\n",
        f"B/Row {C}.md": "# Row\n\nK: 1",
    }
    refs, listing = listed(write(tmp_path, files))
    assert [ref.parent_id for ref in refs if ref.kind == "row"] == [dashed(A)]
    assert listing.complete


def test_an_unreadable_csv_makes_the_listing_incomplete_and_hides_its_rows_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arcana_pipelines.sources.notion_export.tables.MAX_FILE_BYTES", 40)
    files = {
        f"T {A}.csv": "Name,K\n" + "Row,1\n" * 20,
        f"T/Row {B}.md": "# Row\n\nK: 1",
        f"Page {E}.md": "# Page",
    }
    refs, listing = listed(write(tmp_path, files))
    assert {ref.title for ref in refs} == {"T", "Page"}
    assert not listing.complete
    assert f"T {A}.csv" in listing.problems[0]


@pytest.mark.parametrize(
    ("limit", "table", "why"),
    [
        ("MOST_COLUMNS", "Name,K,L\nRow,1,2\n", "has 3 columns"),
        ("MOST_COLUMNS", "Name" + "," * 500 + "\nRow,1\n", "has 501 columns"),
        ("MOST_CELLS", "Name,K\n" + "Row,1\n" * 20, "more than 2 cells"),
        ("MOST_CELLS", "Name,K\nRow" + ",1" * 500 + "\n", "more than 2 cells"),
        ("MOST_CHARACTERS", "Name," + "K" * 50 + "\nRow,1\n", "characters"),
        ("MOST_CHARACTERS", "Name,K\n" + "Row,1\n" * 20, "characters"),
        ("MOST_CHARACTERS", "Name,K\nRow," + "가" * 50 + "\n", "characters"),
    ],
)
def test_a_table_that_would_become_more_than_any_is_told_and_hides_no_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, table: str, why: str
) -> None:
    monkeypatch.setattr(f"arcana_pipelines.sources.notion_export.tables.{limit}", 2)
    opened = source(write(tmp_path, {f"T {A}.csv": table, f"T/Row {B}.md": "# Row\n\ntext", f"Page {E}.md": "# Page"}))
    refs, listing = listed(opened)
    assert {ref.title for ref in refs} == {"T", "Row", "Page"}
    assert not listing.complete
    assert [said.startswith(f"T {A}.csv: has ") and why in said for said in listing.problems] == [True]
    (row,) = (ref for ref in refs if ref.title == "Row")
    (partial,) = opened.fetch(row).partial
    assert why in partial


@pytest.mark.slow
def test_a_table_of_the_size_that_databases_have_is_read(tmp_path: Path) -> None:
    names = [f"Property number {number} of a wide database" for number in range(500)]
    table = ",".join(["Name", *names]) + "\n" + ("R,1,2,3" + "," * 497 + "\n") * 2000
    refs, listing = listed(write(tmp_path, {f"T {A}.csv": table}))
    assert (len(refs), listing.complete) == (2001, True)


def test_a_csv_that_changes_while_it_is_listed_gives_no_row_the_properties_of_another(tmp_path: Path) -> None:
    write(tmp_path, {f"T {A}.csv": "Name,K\nOne,1\nTwo,2\n", f"T/Two {B}.md": "# Two", f"P {C}.md": "# P"})
    snapshot = Snapshot(tmp_path, "")
    assert snapshot.rows.files
    write(tmp_path, {f"T {A}.csv": "Name,K\nTwo,2\nOne,1\n"})
    problems: list[str] = []
    refs = {ref.title: texts(ref) for ref in snapshot.refs(NOW, problems)}
    assert refs == {"T": {"Name": "", "K": ""}, "P": {}, "One": {"K": "1"}, "Two": {"K": "2"}}
    assert problems == []
    snapshot.close()


def test_a_row_whose_csv_changed_after_the_listing_is_read_with_the_new_one(tmp_path: Path) -> None:
    files = {f"T {A}.csv": "Name,K\nOne,1\nTwo,2\n", f"T/Two {B}.md": "# Two\n\nK: 3\n\ntext"}
    opened = source(write(tmp_path, files))
    row = by_title(opened)["Two"]
    assert opened.fetch(row).markdown == "K: 3\n\ntext"
    write(tmp_path, {f"T {A}.csv": "Name,K\nTwo,3\n"})
    assert texts(by_title(opened)["Two"]) == {"K": "3"}
    assert opened.fetch(row).markdown == "text"
