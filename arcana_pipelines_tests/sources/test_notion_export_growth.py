"""The work for an export grows as the export does, whatever stands in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from arcana_pipelines.sources.notion_export import page_text
from arcana_pipelines.sources.notion_export.row_store import RowRecord, RowStore

from .test_notion_export_support import A, B, C, listed, write


@pytest.mark.parametrize("folder", [f"집 {A}/일 {B}", f"집 {A}"], ids=["files of the table", "files elsewhere"])
def test_files_and_rows_of_one_title_are_each_made_out_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    made_out = []
    shown = page_text.shown
    monkeypatch.setattr(page_text, "shown", lambda text: made_out.append(text) or shown(text))
    table = "이름,값\n" + "".join(f"회의,행 {at}\n" for at in range(40))
    files = {f"{folder}/회의 {at:032x}.md": f"# 회의\n\n값: 쪽 {at}\n" for at in range(40)}
    listed(write(tmp_path, {f"집 {A}.md": "# 집", f"집 {A}/일 {B}.csv": table, **files}))
    assert 0 < len(made_out) < 10 * 40


def test_rows_of_one_title_are_read_once_each_to_tell_a_view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places: list[int] = []
    read = RowStore.read

    def counting(store: RowStore, place: int) -> RowRecord:
        places.append(place)
        return read(store, place)

    monkeypatch.setattr(RowStore, "read", counting)
    rows = [f"회의,{at}\n" for at in range(40)]
    tables = {f"집 {A}/일 {B}.csv": rows, f"집 {A}/일 {C}.csv": rows[::-1]}
    files = {name: "이름,값\n" + "".join(lines) for name, lines in tables.items()}
    refs, _ = listed(write(tmp_path, {f"집 {A}.md": "# 집", **files}))
    assert sum(ref.kind == "row" for ref in refs) == 40
    assert len(places) < 10 * 40
