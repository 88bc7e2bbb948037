"""Paths in cells and bodies: the pages they lead to and what is shown in their place."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from arcana_pipelines.documents.contents import relation_targets
from arcana_pipelines.sources.notion_export.body_links import read_links
from arcana_pipelines.sources.notion_export.references import Place, read_cell, shown

from .test_notion_export_support import A, B, C, D, E, by_title, dashed, source, texts, write


class Nowhere:
    """An export without files."""

    def page_at(self, path: str) -> str | None:
        return None

    def holds(self, external_id: str) -> bool:
        return False

    def has_folder(self, path: str) -> bool:
        return False


NOWHERE = Place(Nowhere(), "")


def encoded(path: str) -> str:
    """A path as Notion writes it: `#`, `?` and some more stay."""
    return quote(path, safe="/#?(),:'!*~;@&=+$")


@pytest.mark.parametrize("title", ["New oven", "새 오븐", "Lee, Ann (ops)", "50% off? #1", "Q: why", "a (b), c"])
@pytest.mark.parametrize("base", ["", "Work/"], ids=["from the CSV's folder", "from the top"])
def test_a_relation_shows_titles_and_names_the_pages(tmp_path: Path, title: str, base: str) -> None:
    path = encoded(f"{base}Projects {B}/{title} {C}.md")
    files = {
        f"Work/Projects {B}.csv": f'Name\n"{title}"\n',
        f"Work/Projects {B}/{title} {C}.md": f"# {title}\n",
        f"Work/Tasks {A}.csv": f'Task,프로젝트\nOne,"{title} ({path}), Other ({encoded("Work/Other " + D)}.md)"\n',
        f"Work/Tasks {A}/One {E}.md": f"# One\n\n프로젝트: {title} (../{path}), Other (x.md)\n\n본문",
    }
    opened = source(write(tmp_path, files))
    row = by_title(opened)["One"]
    assert row.properties["프로젝트"] == {
        "type": "relation",
        "text": f"{title}, Other",
        "value": [dashed(C), dashed(D)],
    }
    assert opened.fetch(row).markdown == "본문"


@pytest.mark.parametrize(
    ("cell", "pages"),
    [
        (f"../Projects%20{B}/New%20oven%20{C}.md", [C]),
        (f"../P%20{B}/One%20{C}.md, ../P%20{B}/Two,%20three%20{D}.md", [C, D]),
        (f"Oven (https://www.notion.so/Oven-{C}?pvs=21), (https://www.notion.so/{D})", [C, D]),
        (f"Oven (P%20{B}/Oven%20{C}.md), Oven (P%20{B}/Oven%20{C}.md)", [C]),
    ],
)
def test_relations_of_older_exports_are_relations_too(cell: str, pages: list[str]) -> None:
    found = read_cell(cell, NOWHERE)
    assert found is not None
    assert relation_targets(found) == [dashed(page) for page in pages]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (f"Bakery%20{A}/receipt.png", "receipt.png"),
        ("../../receipt.png", "receipt.png"),
        (f"B {A}/영수증 1.png, B {A}/b.png", "영수증 1.png, b.png"),
        (f"B%20{A}/%EC%98%81%EC%88%98%EC%A6%9D.pdf, B%20{A}/a,%20b.png", "영수증.pdf, a, b.png"),
        (f"B%20{A}/a.png, https://example.com/x%20y.pdf?X-Amz-Signature=secret", "a.png, x y.pdf"),
    ],
)
def test_a_file_cell_shows_the_names_of_files(cell: str, text: str) -> None:
    found = read_cell(cell, NOWHERE)
    assert found is not None
    assert (found["type"], found["text"]) == ("files", text)
    assert "secret" not in str(found)


@pytest.mark.parametrize(
    "cell",
    [
        "see README.md",
        "README.md",
        "and/or",
        "src/main.py",
        "50%",
        "(none)",
        "없음",
        "https://example.com/a.pdf",
        f"https://www.notion.so/Page-{A}",
        "a (b.md) c",
        "mailto:me@example.com",
        "v1.2 (2026.05)",
    ],
)
def test_other_cells_stay_what_they_are(cell: str) -> None:
    assert read_cell(cell, NOWHERE) is None
    assert shown(cell) == cell


def test_a_text_that_mentions_a_page_shows_its_title_and_links_it(tmp_path: Path) -> None:
    files = {
        f"T {A}.csv": f'Name,비고\nRow,"먼저 계획 (P%20{B}/계획%20{C}.md) 보기, 그다음"\n',
        f"P {B}/계획 {C}.md": "# 계획",
    }
    opened = source(write(tmp_path, files))
    row = by_title(opened)["Row"]
    assert row.properties["비고"] == {
        "type": "text",
        "text": "먼저 계획 보기, 그다음",
        "value": "먼저 계획 보기, 그다음",
    }
    assert opened.fetch(row).links == (dashed(C),)


def test_a_signature_in_a_cell_is_not_kept(tmp_path: Path) -> None:
    write(tmp_path, {f"T {A}.csv": "Name,Link\nRow,https://files.example.com/x.png?X-Amz-Signature=abc&X-Amz-Date=1\n"})
    assert texts(by_title(tmp_path)["Row"]) == {"Link": "https://files.example.com/x.png"}


@pytest.mark.parametrize("name", ["#조용한 방", "Rules?", "100% #1 왜?", "Plan (v2) [draft]", "Q: why", "a;b,c"])
def test_a_link_to_any_title_is_a_link(tmp_path: Path, name: str) -> None:
    link = encoded(f"Home {A}/{name} {B}.md")
    onward = encoded(f"{name} {B}/하나 {C}.md")
    files = {
        f"Home {A}.md": f"# Home\n\n[there]({link})",
        f"Home {A}/{name} {B}.md": f"# {name}\n\n[back](../Home%20{A}.md) [on]({onward}#part)",
        f"Home {A}/{name} {B}/하나 {C}.md": "# 하나",
    }
    opened = source(write(tmp_path, files))
    refs = by_title(opened)
    assert opened.fetch(refs["Home"]).links == (dashed(B),)
    assert opened.fetch(refs[name]).links == (dashed(A), dashed(C))


def test_links_between_files_without_ids_are_links(tmp_path: Path) -> None:
    top = "Export-11111111-2222-3333-4444-555555555555"
    back = "[뒤로](../%EC%97%AC%ED%96%89.md) [표](<짐 목록?/물건.csv>)"
    files = {
        f"{top}/여행.md": f"# 여행\n\n[짐]({encoded('여행/짐 목록?.md')})",
        f"{top}/여행/짐 목록?.md": f"# 짐 목록?\n\n{back}",
        f"{top}/여행/짐 목록?/물건.csv": "이름\n모자\n",
    }
    opened = source(write(tmp_path, files))
    refs = by_title(opened)
    assert opened.fetch(refs["여행"]).links == (refs["짐 목록?"].external_id,)
    assert opened.fetch(refs["짐 목록?"]).links == (refs["여행"].external_id, refs["물건"].external_id)


def test_a_path_in_a_code_block_is_no_link_and_keeps_its_label() -> None:
    text = f"```\n[x](P%20{A}/Page%20{B}.md)\n![a%20b/c.png](a%20b/c.png)\n```"
    assert read_links(text, NOWHERE) == (text, ())


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        (f"![Harbour%20{A}/map.png](Harbour%20{A}/map.png)", "![map.png]"),
        (f"![여행 {A}/지도 1.png](%EC%97%AC%ED%96%89%20{A}/%EC%A7%80%EB%8F%84%201.png)", "![지도 1.png]"),
        (f"- [A%20{A}/route_1.pdf](A%20{A}/route_1.pdf) 참고", "- [route\\_1.pdf]"),
        ("![photos/a.png](photos/a.png)", "![a.png]"),
        (f"![map%201.png](H%20{A}/map%201.png)", "![map 1.png]"),
        (f"[H%20{A}/my\\_plan.pdf](H%20{A}/my_plan.pdf)", "[my\\_plan.pdf]"),
        ("![https://s3.example.com/x/pic.png](https://s3.example.com/x/pic.png)", "![pic.png]"),
        (f"![Boats at noon](H%20{A}/boats.png)", "![Boats at noon]"),
        (f"![either/or](H%20{A}/boats.png)", "![either/or]"),
        ("[https://example.com/a/b](https://example.com/a/b)", "[https://example.com/a/b]"),
        ("[src/main.py](src/main.py)", "[src/main.py]"),
    ],
)
def test_a_file_is_called_by_its_caption_and_never_by_its_path(markdown: str, expected: str) -> None:
    assert read_links(markdown, NOWHERE)[0].startswith(expected)


def test_a_relation_of_paths_alone_is_shown_by_titles_that_are_known_or_by_file_names(tmp_path: Path) -> None:
    cell = f"../P%20{B}/Known%20{C}.md, ../P%20{B}/Left%20out%20{D}.md"
    files = {
        f"T {A}.csv": f'Name,Both,One\nRow,"{cell}",P%20{B}/Known%20{C}.md\n',
        f"P {B}/Known {C}.md": "# Known, whole",
    }
    row = by_title(write(tmp_path, files))["Row"]
    assert texts(row) == {"Both": "Known, Left out", "One": ""}
    assert relation_targets(row.properties["Both"]) == [dashed(C), dashed(D)]
    assert relation_targets(row.properties["One"]) == [dashed(C)]
