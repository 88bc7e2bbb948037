"""Zips that lie among the pages of an export."""

from __future__ import annotations

from pathlib import Path

import pytest

from arcana_pipelines.sources.protocol import Presence

from .test_notion_export_support import A, B, C, by_title, dashed, listed, source, write, write_zip
from .test_notion_export_zip import zip_bytes

FIRST = {f"하나 {A}.md": "# 하나\n\n첫째"}
SECOND: dict[str, str | bytes] = {f"둘 {B}.md": "# 둘\n\n둘째", f"둘 {B}/표 {C}_all.csv": "이름\n줄\n"}


@pytest.mark.parametrize(
    "name",
    [
        "Export-ab-Part-2.zip",
        "ExportBlock-0f1e2d3c-4b5a-4697-8899-aabbccddeeff-Part-2.zip",
        "1c2d_Export-0f1e2d3c-4b5a-4697-8899-aabbccddeeff.zip",
        "download (1).zip",
        "나머지.ZIP",
    ],
)
@pytest.mark.parametrize("where", ["", "Export-0f1e2d3c-4b5a-4697-8899-aabbccddeeff/", "unpacked here/"])
def test_a_part_that_was_not_unpacked_is_told_and_proves_no_absence(tmp_path: Path, name: str, where: str) -> None:
    write(tmp_path, {where + path: text for path, text in FIRST.items()})
    write_zip(tmp_path / where / name, SECOND)
    opened = source(tmp_path)
    refs, listing = listed(opened)
    assert [ref.title for ref in refs] == ["하나"]
    assert (listing.complete, listing.cursor) == (False, None)
    assert listing.problems == [
        f"{where}{name}: is still zipped, and 2 of its 2 pages and tables are not here; "
        "unzip it there, or take it out of the folder"
    ]
    assert opened.confirm(dashed(B)) == (Presence.UNKNOWN, None)


def test_a_zip_of_parts_is_looked_into_as_well(tmp_path: Path) -> None:
    write(tmp_path, FIRST)
    write_zip(tmp_path / "ab_Export-0f1e2d3c-4b5a-4697-8899-aabbccddeeff.zip", {"Export-Part-1.zip": zip_bytes(SECOND)})
    assert not listed(tmp_path)[1].complete


@pytest.mark.parametrize("into", ["", "Export-ab-Part-2/"])
def test_a_zip_whose_pages_were_all_unpacked_is_no_problem(tmp_path: Path, into: str) -> None:
    plain = {"Notes.md": "# Notes", "Notes/Sub.md": "# Sub"}
    write(tmp_path, {**FIRST, **{into + path: text for path, text in (SECOND | plain).items()}})
    write_zip(tmp_path / "Export-ab-Part-2.zip", SECOND | plain)
    _, listing = listed(tmp_path)
    assert (listing.complete, listing.problems) == (True, [])


def test_unpacking_the_part_completes_the_listing(tmp_path: Path) -> None:
    opened = source(write(tmp_path, FIRST))
    complete = listed(opened)[1].cursor
    write_zip(tmp_path / "Export-ab-Part-2.zip", SECOND)
    assert not opened.unchanged_since(complete)
    assert not listed(opened)[1].complete
    write(tmp_path, SECOND)
    assert listed(opened)[1].complete


def test_a_damaged_part_is_told_and_a_damaged_other_zip_is_a_remark(tmp_path: Path) -> None:
    write(tmp_path, {**FIRST, "Export-ab-Part-2.zip": b"PK cut off", "photos.zip": b"PK cut off"})
    _, listing = listed(tmp_path)
    assert not listing.complete
    remark, problem = listing.problems
    assert remark.startswith("photos.zip: is still zipped and cannot be looked into")
    assert problem.startswith("Export-ab-Part-2.zip: is still zipped and cannot be looked into")


def test_a_zip_of_other_things_is_not_spoken_of_and_one_with_plain_texts_is_a_remark(tmp_path: Path) -> None:
    write(tmp_path, FIRST)
    write_zip(tmp_path / "photos.zip", {"a.png": b"png"})
    write_zip(tmp_path / "readme.zip", {"README.md": "# Read me"})
    _, listing = listed(tmp_path)
    assert listing.complete
    assert [problem.partition(":")[0] for problem in listing.problems] == ["readme.zip"]


def test_a_zip_attached_to_a_page_is_that_page_s_own(tmp_path: Path) -> None:
    write(tmp_path, {**FIRST, f"하나 {A}/하위 {C}.md": "# 하위"})
    write_zip(tmp_path / f"하나 {A}" / "Export-ab-Part-1.zip", SECOND)
    (tmp_path / "둘째").mkdir()
    write(tmp_path, {f"둘째 {B}.md": "# 둘째"})
    write_zip(tmp_path / "둘째" / "backup.zip", {f"셋 {C}.md": "# 셋"})
    _, listing = listed(tmp_path)
    assert (listing.complete, listing.problems) == (True, [])


def test_in_a_zip_what_is_named_as_a_part_is_read_and_any_other_zip_is_told(tmp_path: Path) -> None:
    files = {
        **FIRST,
        "Export-0f1e2d3c-4b5a-4697-8899-aabbccddeeff.zip": zip_bytes(SECOND),
        "other.zip": zip_bytes({f"셋 {C}.md": "# 셋"}),
        f"하나 {A}/attached.zip": b"PK",
    }
    export = write_zip(tmp_path / "e.zip", files)
    assert set(by_title(export)) == {"하나", "둘", "표", "줄"}
    _, listing = listed(export)
    assert listing.complete
    assert [problem.partition(":")[0] for problem in listing.problems] == ["other.zip"]


@pytest.mark.parametrize(
    "around",
    [
        "Export-0f1e2d3c-4b5a-4697-8899-aabbccddeeff-Part-{}/",
        "ExportBlock-0f1e2d3c-4b5a-4697-8899-aabbccddeeff-Part-{}/",
        "1c2d3e4f_Export-0f1e2d3c-4b5a-4697-8899-aabbccddeeff/Export-0f1e2d3c-4b5a-4697-8899-aabbccddeeff-Part-{}/",
    ],
)
def test_parts_that_were_unpacked_into_folders_of_their_own_are_one_export(tmp_path: Path, around: str) -> None:
    one, two = around.format(1), around.format(2)
    files = {
        f"{one}팀 {A}.md": "# 팀\n\n[하위](하위/글.md)",
        f"{one}업무 {B}.csv": "이름,상태\n출시,완료\n",
        f"{two}팀 {A}/규칙.md": f"# 규칙\n\n[팀](../팀%20{A}.md)",
        f"{two}업무 {B}/출시 {C}.md": "# 출시\n\n상태: 완료\n\n본문",
    }
    opened = source(write(tmp_path, files))
    refs = by_title(opened)
    assert set(refs) == {"팀", "업무", "규칙", "출시"}
    assert refs["규칙"].parent_id == dashed(A)
    assert opened.fetch(refs["규칙"]).links == (dashed(A),)
    assert (refs["출시"].parent_id, opened.fetch(refs["출시"]).markdown) == (dashed(B), "본문")
