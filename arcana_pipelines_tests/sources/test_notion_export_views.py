"""Linked views: tables that show the rows of another database once more."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arcana_pipelines.sources.protocol import PageRef, Presence

from .test_notion_export_support import A, B, C, D, E, by_title, dashed, listed, source, texts, write

F, G = "f" * 32, "1" * 32
CHORES = {
    f"집 {A}.md": "# 집",
    f"집 {A}/할 일 {B}.csv": "이름,상태,담당\n빵 굽기,완료,지은\n우유 사기,진행 중,하늘\n",
    f"집 {A}/할 일 {B}/빵 굽기 {C}.md": "# 빵 굽기\n\n상태: 완료\n담당: 지은\n\n반죽",
    f"집 {A}/할 일 {B}/우유 사기 {D}.md": "# 우유 사기\n\n상태: 진행 중\n담당: 하늘\n",
}


def rows(refs: list[PageRef]) -> list[str]:
    return sorted(ref.title for ref in refs if ref.kind == "row")


@pytest.mark.parametrize(
    "view",
    [
        "이름,상태,담당\n빵 굽기,완료,지은\n우유 사기,진행 중,하늘\n",
        "담당,이름\n하늘,우유 사기\n지은,빵 굽기\n",
        "상태,이름\n완료,빵 굽기\n",
        "이름\n우유 사기\n빵 굽기\n",
        "상태,이름\n",
    ],
    ids=["all of it", "another order", "some rows", "titles only", "no rows now"],
)
@pytest.mark.parametrize("name", [f"집 {A}/할 일 {E}.csv", f"집 {A}/부엌 {F}/할 일 {E}_all.csv"])
def test_a_view_is_no_second_database_and_its_rows_are_no_second_pages(tmp_path: Path, view: str, name: str) -> None:
    opened = source(write(tmp_path, {**CHORES, name: view}))
    refs, listing = listed(opened)
    assert listing.complete
    assert rows(refs) == ["빵 굽기", "우유 사기"]
    assert [ref.external_id for ref in refs if ref.kind == "data_source"] == [dashed(B)]
    assert opened.confirm(dashed(E)) == (Presence.GONE, None)


def test_a_row_that_only_a_view_holds_is_one_more_row_of_the_database(tmp_path: Path) -> None:
    views = {
        f"집 {A}/{E}.csv": "상태,이름\n완료,빵 굽기\n대기,창문 닦기\n",
        f"집 {A}/{F}.csv": "이름,상태\n빵 굽기,완료\n창문 닦기,대기\n",
    }
    refs = by_title(write(tmp_path, {**CHORES, **views}))
    assert set(refs) == {"집", "할 일", "빵 굽기", "우유 사기", "창문 닦기"}
    assert (refs["창문 닦기"].parent_id, texts(refs["창문 닦기"])) == (dashed(B), {"상태": "대기"})


def test_a_file_that_only_a_view_names_gets_the_properties_of_the_view(tmp_path: Path) -> None:
    files = {
        f"집 {A}/할 일 {B}/창문 닦기 {F}.md": "# 창문 닦기\n\n상태: 대기\n\n유리",
        f"집 {A}/보기 {E}.csv": "상태,이름,담당\n완료,빵 굽기,지은\n대기,창문 닦기,민수\n",
    }
    refs = by_title(write(tmp_path, {**CHORES, **files}))
    assert refs["창문 닦기"].external_id == dashed(F)
    assert texts(refs["창문 닦기"]) == {"상태": "대기", "담당": "민수"}


def test_relations_and_files_of_a_view_are_written_from_another_folder_and_still_the_same(tmp_path: Path) -> None:
    oven = f"Projects%20{B}/Oven%20{C}.md"
    tasks = f"Bakery {A}/Tasks {D}"
    files = {
        f"Bakery {A}/Projects {B}.csv": "Name\nOven\n",
        f"Bakery {A}/Projects {B}/Oven {C}.md": "# Oven",
        f"{tasks}.csv": f"Task,Project,Scan\nFlour,Oven (Bakery%20{A}/{oven}),a%20b.png\n",
        f"{tasks}/Flour {E}.md": f"# Flour\n\nProject: Oven (../{oven})\nScan: a%20b.png\n",
        f"Bakery {A}/Shop {E}/Tasks {F}.csv": f"Scan,Task,Project\n../../a%20b.png,Flour,Oven (../{oven})\n",
    }
    refs, _ = listed(write(tmp_path, files))
    assert rows(refs) == ["Flour", "Oven"]


def test_databases_made_from_one_template_stay_apart(tmp_path: Path) -> None:
    table = "Name,Status\nKickoff,Open\nRetro,Open\n"
    files = {
        f"One {A}/Tasks {B}.csv": table,
        f"One {A}/Tasks {B}/Kickoff {C}.md": "# Kickoff\n\nStatus: Open\n\n1",
        f"One {A}/Tasks {B}/Retro {D}.md": "# Retro\n\nStatus: Open\n\n1",
        f"Two {E}/Tasks {F}.csv": table,
        f"Two {E}/Tasks {F}/Kickoff {G}.md": "# Kickoff\n\nStatus: Open\n\n2",
        f"Two {E}/Tasks {F}/Retro {'2' * 32}.md": "# Retro\n\nStatus: Open\n\n2",
    }
    refs, _ = listed(write(tmp_path, files))
    assert rows(refs) == ["Kickoff", "Kickoff", "Retro", "Retro"]
    assert len([ref for ref in refs if ref.kind == "data_source"]) == 2


def test_a_table_that_shares_titles_only_is_a_database_of_its_own(tmp_path: Path) -> None:
    files = {**CHORES, f"집 {A}/재고 {E}.csv": "이름,상태,값\n빵 굽기,대기,1\n우유 사기,대기,2\n"}
    refs, _ = listed(write(tmp_path, files))
    assert rows(refs) == ["빵 굽기", "빵 굽기", "우유 사기", "우유 사기"]


def test_two_tables_without_files_and_with_other_names_stay_two_databases(tmp_path: Path) -> None:
    table = "이름,챙김\n모자,예\n장화,아니요\n"
    refs, _ = listed(write(tmp_path, {f"여름 {A}.csv": table, f"겨울 {B}.csv": table}))
    assert rows(refs) == ["모자", "모자", "장화", "장화"]


def test_the_view_and_its_database_may_share_a_folder_without_an_id(tmp_path: Path) -> None:
    files = {
        f"Base/Tasks {A}.csv": "Name,Status\nTwo,Done\n",
        f"Base/Tasks {B}.csv": "Status,Name,Extra\nOpen,One,x\nDone,Two,y\nDone,Three,z\n",
        f"Base/Tasks/One {C}.md": "# One\n\nStatus: Open\nExtra: x\n",
        f"Base/Tasks/Two {D}.md": "# Two\n\nStatus: Done\nExtra: y\n",
        f"Base/Tasks/Three {E}.md": "# Three\n\nStatus: Done\nExtra: z\n",
    }
    refs, _ = listed(write(tmp_path, files))
    assert rows(refs) == ["One", "Three", "Two"]
    assert {ref.parent_id for ref in refs if ref.kind == "row"} == {dashed(B)}


def test_a_view_of_another_name_is_known_by_its_rows(tmp_path: Path) -> None:
    files = {**CHORES, f"집 {A}/부엌 {F}/이번 주 {E}.csv": "상태,이름\n진행 중,우유 사기\n완료,빵 굽기\n"}
    assert set(by_title(write(tmp_path, files))) == {"집", "할 일", "빵 굽기", "우유 사기"}


def test_a_view_that_holds_more_than_a_filtered_table_adds_no_second_page_of_a_row_file(tmp_path: Path) -> None:
    bodies = {
        f"T {A}/{title} {number:032x}.md": f"# {title}\n\nStatus: Done\n" for number, title in enumerate("가나다라")
    }
    files = {
        f"T {A}.csv": "Status,Name\nDone,가\n",
        f"Team {B}/All {C}.csv": "Name,Status\n" + "".join(f"{title},Done\n" for title in "가나다라마"),
        **bodies,
    }
    refs, _ = listed(write(tmp_path, files))
    assert rows(refs) == ["가", "나", "다", "라", "마"]
    assert all(texts(ref) == {"Status": "Done"} for ref in refs if ref.kind == "row")


WORDS = ("주문", "oven", "예산", "lamp", "a (b)", "c, d", "#1?", "100%")


@pytest.mark.slow
@given(data=st.data(), flat=st.booleans())
@settings(max_examples=60)
def test_however_columns_and_views_are_arranged_each_row_is_one_page_with_its_properties(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, flat: bool
) -> None:
    columns = data.draw(st.permutations(["이름", "상태", "No.", "Owner"]))
    titles = data.draw(
        st.lists(st.sampled_from([f"{one} {two}" for one in WORDS for two in WORDS]), min_size=1, unique=True)
    )
    table = [
        {"이름": title, "No.": str(number), "상태": data.draw(st.sampled_from(["", "열림", "oven"])), "Owner": "하늘"}
        for number, title in enumerate(titles)
    ]
    files = {f"표 {A}.csv": written(columns, table)}
    for number, row in enumerate(table):
        if number == 0 or data.draw(st.booleans()):
            lines = "\n".join(f"{name}: {row[name]}" for name in columns if row[name] and name != "이름")
            files[f"{'' if flat else f'표 {A}/'}{number:032x}.md"] = f"# {row['이름']}\n\n{lines}\n\n본문"
    shown = data.draw(st.permutations(sorted(data.draw(st.sets(st.sampled_from(columns))) | {"이름"})))
    some = data.draw(st.lists(st.sampled_from(table), min_size=1, unique_by=lambda row: row["이름"]))
    files[f"팀 {B}/보기 {C}.csv"] = written(shown, some)
    opened = source(write(tmp_path_factory.mktemp("export"), files))
    refs, listing = listed(opened)
    assert listing.problems == []
    assert rows(refs) == sorted(titles)
    for ref in refs:
        if ref.kind == "row":
            (row,) = [row for row in table if row["이름"] == ref.title]
            assert texts(ref) == {name: text for name, text in row.items() if text and name != "이름"}
            assert opened.fetch(ref).markdown in ("", "본문")


def written(columns: Sequence[str], table: Sequence[Mapping[str, str]]) -> str:
    lines = io.StringIO()
    csv.writer(lines).writerows([columns, *([row[name] for name in columns] for row in table)])
    return lines.getvalue()
