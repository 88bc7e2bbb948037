"""Presentations are read slide after slide, as they are shown."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from arcana_pipelines.files.parsing.blocks import Block, Note, Place
from arcana_pipelines.files.parsing.parsers import slides
from arcana_pipelines.files.parsing.protocol import Reason, Unreadable
from arcana_pipelines_tests.files.small_files import P, blocks, pptx, said, shape, short, words, zipped
from arcana_pipelines_tests.testing.shared_data import shared_file


def frame(inner: str) -> str:
    return f"<p:graphicFrame><a:graphic><a:graphicData>{inner}</a:graphicData></a:graphic></p:graphicFrame>"


def test_slides_come_in_the_order_of_the_presentation(tmp_path: Path) -> None:
    path = pptx(tmp_path / "a", *(shape(f"{n}번 슬라이드", place="title") for n in range(1, 13)))
    assert [(b.text, b.place) for b in blocks(said(slides, path, "pptx"))] == [
        (f"{n}번 슬라이드", Place(slide=n)) for n in range(1, 13)
    ]


def test_the_title_comes_first_and_lists_are_known_by_their_place_or_bullet(tmp_path: Path) -> None:
    bullet = '<a:p><a:pPr lvl="1"><a:buChar char="-"/></a:pPr><a:r><a:t>점</a:t></a:r></a:p>'
    none = "<a:p><a:pPr><a:buNone/></a:pPr><a:r><a:t>설명</a:t></a:r></a:p>"
    deep = '<a:p><a:pPr lvl="2"/><a:r><a:t>아</a:t></a:r><a:r><a:t>래</a:t></a:r><a:br/><a:r><a:t>줄</a:t></a:r></a:p>'
    path = pptx(
        tmp_path / "a",
        shape("상자", bullet) + shape("가", none, deep, place="body") + shape("분기", "실적", place="ctrTitle")
        + shape("3", place="sldNum") + f"<p:grpSp>{shape('묶음 안')}</p:grpSp>",
    )  # fmt: skip
    assert short(said(slides, path, "pptx")) == [
        ("h1", "분기 실적"), ("text", "상자"), ("item 1", "점"), ("item 0", "가"), ("text", "설명"),
        ("item 2", "아래 줄"), ("text", "묶음 안"),
    ]  # fmt: skip


def test_a_hidden_slide_is_read_and_noted(tmp_path: Path) -> None:
    path = pptx(tmp_path / "a", shape("하나"), shape("둘"), hidden=1)
    assert said(slides, path, "pptx") == [
        Block("text", "하나", place=Place(slide=1)), Block("text", "둘", place=Place(slide=2)),
        Note("hidden slides, read as the others: 2"),
    ]  # fmt: skip


def test_notes_and_comments_belong_to_their_slide(tmp_path: Path) -> None:
    notes = f"<p:notes {P}><p:cSld><p:spTree>{shape('말할 것', place='body')}{shape('1', place='sldNum')}"
    path = pptx(
        tmp_path / "a", shape("하나"), shape("둘"),
        notesSlide_1=f"{notes}</p:spTree></p:cSld></p:notes>",
        comments_2=f"<p:cmLst {P}><p:cm><p:text>고쳐 주세요</p:text></p:cm></p:cmLst>",
    )  # fmt: skip
    assert [(b.kind, b.text, b.place.slide) for b in blocks(said(slides, path, "pptx"))] == [
        ("text", "하나", 1), ("quote", "말할 것", 1), ("text", "둘", 2), ("quote", "고쳐 주세요", 2),
    ]  # fmt: skip


def test_cells_of_a_table_stand_wherever_they_reach(tmp_path: Path) -> None:
    def tc(text: str, merge: str = "", times: int = 1) -> str:
        attribute = f'{merge}="{times}"' if merge else ""
        return f"<a:tc {attribute}><a:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></a:txBody></a:tc>"

    table = (
        f"<a:tbl><a:tr>{tc('예산', 'gridSpan', 2)}{tc('', 'hMerge')}{tc('비고', 'rowSpan', 2)}</a:tr>"
        f"<a:tr>{tc('본')}{tc('추경')}{tc('', 'vMerge')}</a:tr></a:tbl>"
    )
    assert short(said(slides, pptx(tmp_path / "a", frame(table)), "pptx")) == [
        ("table", [["예산", "예산", "비고"], ["본", "추경", "비고"]])
    ]


def test_charts_are_tables_and_diagrams_are_lists(tmp_path: Path) -> None:
    def points(name: str, *values: str) -> str:
        inner = "".join(f'<c:pt idx="{n}"><c:v>{value}</c:v></c:pt>' for n, value in enumerate(values) if value)
        return f"<c:{name}><c:strRef><c:f>Sheet1!$A$1</c:f><c:strCache>{inner}</c:strCache></c:strRef></c:{name}>"

    chart = (
        f"<c:chartSpace {P}><c:chart><c:title><a:p><a:r><a:t>분기 매출</a:t></a:r></a:p></c:title>"
        f"<c:ser>{points('tx', '2025')}{points('cat', '1분기', '2분기')}{points('val', '10', '20')}</c:ser>"
        f"<c:ser>{points('tx', '2026')}{points('cat', '1분기', '2분기')}{points('val', '', '30')}</c:ser>"
        "</c:chart></c:chartSpace>"
    )
    point = "<dgm:pt><dgm:t><a:p><a:r><a:t>{}</a:t></a:r></a:p></dgm:t></dgm:pt>"
    diagram = f"<dgm:dataModel {P}>{point.format('기획')}{point.format('검토')}</dgm:dataModel>"
    path = pptx(
        tmp_path / "a", frame('<c:chart r:id="chart_1"/>') + frame('<dgm:relIds r:dm="diagramData_1"/>'),
        chart_1=chart, diagramData_1=diagram,
    )  # fmt: skip
    assert short(said(slides, path, "pptx")) == [
        ("text", "분기 매출"), ("table", [["", "2025", "2026"], ["1분기", "10", ""], ["2분기", "20", "30"]]),
        ("item 0", "기획"), ("item 0", "검토"),
    ]  # fmt: skip


def test_a_slide_that_is_missing_is_noted_and_the_others_are_read(tmp_path: Path) -> None:
    path = pptx(tmp_path / "a", shape("하나"), shape("둘"))
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist() if name != "ppt/slides/slide2.xml"}
    assert said(slides, zipped(tmp_path / "b", parts), "pptx") == [
        Note("slide 1 is missing in the file"), Block("text", "둘", place=Place(slide=2)),
    ]  # fmt: skip


def test_a_dtd_is_damaged(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a", {"ppt/presentation.xml": "<!DOCTYPE p [<!ENTITY a 'b'>]><p>&a;</p>"})
    with pytest.raises(Unreadable) as refused:
        said(slides, path, "pptx")
    assert refused.value.reason == Reason.DAMAGED


@pytest.mark.parametrize(
    ("name", "phrases"),
    [
        ("tables-notes", {1: ["A merged with B", "With footnote"],
                          2: ["Second slide title", "Some notes on the second slide."], 3: ["Second line of notes."]}),
        ("chart", {1: ["Quarterly Duck Survey", "Freshwater Ducks", "Saltwater Ducks"], 2: ["Quarterly revenue"]}),
    ],
)  # fmt: skip
def test_the_given_presentations(name: str, phrases: dict[int, list[str]]) -> None:
    things = said(slides, shared_file(f"files/pptx/{name}.pptx"), "pptx")
    for n, expected in phrases.items():
        text = words([thing for thing in blocks(things) if thing.place.slide == n])
        assert [phrase for phrase in expected if phrase not in text] == []
