"""Documents of Word are read as a person reads them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from arcana_pipelines.files.parsing.blocks import Block, Note
from arcana_pipelines.files.parsing.parsers import word
from arcana_pipelines.files.parsing.protocol import Reason, Unreadable
from arcana_pipelines_tests.files.small_files import W, blocks, docx, p, relations, said, short, words, zipped
from arcana_pipelines_tests.testing.shared_data import shared_file

STYLES = """
<w:style w:type="paragraph" w:default="1" w:styleId="a"><w:name w:val="Normal"/></w:style>
<w:style w:type="paragraph" w:styleId="1"><w:name w:val="heading 1"/><w:basedOn w:val="a"/>
  <w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="mine"><w:name w:val="부서 제목"/><w:basedOn w:val="1"/></w:style>
<w:style w:type="paragraph" w:styleId="a3"><w:name w:val="Title"/></w:style>
<w:style w:type="paragraph" w:styleId="loop"><w:basedOn w:val="loop"/></w:style>
"""
NUMBERING = """
<w:abstractNum w:abstractNumId="0">
  <w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="제%1조"/></w:lvl>
  <w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="ganada"/><w:lvlText w:val="%2."/></w:lvl>
  <w:lvl w:ilvl="2"><w:start w:val="1"/><w:numFmt w:val="lowerRoman"/><w:lvlText w:val="%1.%3)"/></w:lvl>
</w:abstractNum>
<w:abstractNum w:abstractNumId="1">
  <w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="&#xf0b7;"/></w:lvl>
</w:abstractNum>
<w:num w:numId="5"><w:abstractNumId w:val="0"/></w:num>
<w:num w:numId="6"><w:abstractNumId w:val="1"/></w:num>
<w:num w:numId="7"><w:abstractNumId w:val="0"/>
  <w:lvlOverride w:ilvl="0"><w:startOverride w:val="9"/></w:lvlOverride></w:num>
"""


def style(name: str) -> str:
    return f'<w:pStyle w:val="{name}"/>'


def listed(list_id: int, depth: int = 0) -> str:
    return f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{list_id}"/></w:numPr>'


def cell(content: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{content}</w:tc>"


def test_headings_are_known_by_their_outline_in_any_language(tmp_path: Path) -> None:
    body = (
        p("인사 규정", style("a3")) + p("총칙", style("1")) + p("목적", style("mine")) + p("본문", style("loop"))
        + p("직접", '<w:outlineLvl w:val="2"/>') + p("아님", style("1") + '<w:outlineLvl w:val="9"/>')
    )  # fmt: skip
    assert short(said(word, docx(tmp_path / "a", body, styles=STYLES), "docx")) == [
        ("h1", "인사 규정"), ("h1", "총칙"), ("h1", "목적"), ("text", "본문"), ("h3", "직접"), ("text", "아님"),
    ]  # fmt: skip


def test_a_whole_paragraph_in_the_style_of_a_heading_is_text(tmp_path: Path) -> None:
    (block,) = blocks(said(word, docx(tmp_path / "a", p("긴 글 " * 200, style("1")), styles=STYLES), "docx"))
    assert block.kind == "text"


def test_numbers_are_as_the_program_shows_them(tmp_path: Path) -> None:
    body = (
        p("목적", listed(5)) + p("범위", listed(5)) + p("사원", listed(5, 1)) + p("임원", listed(5, 1))
        + p("이사", listed(5, 2)) + p("휴가", listed(5)) + p("직원", listed(5, 1)) + p("점", listed(6))
        + p("부칙", listed(7)) + p("밖", listed(0)) + p("없는 목록", listed(99))
    )  # fmt: skip
    assert short(said(word, docx(tmp_path / "a", body, numbering=NUMBERING), "docx")) == [
        ("item 0", "제1조 목적"), ("item 0", "제2조 범위"), ("item 1", "가. 사원"), ("item 1", "나. 임원"),
        ("item 2", "2.i) 이사"), ("item 0", "제3조 휴가"), ("item 1", "가. 직원"), ("item 0", "점"),
        ("item 0", "제9조 부칙"), ("text", "밖"), ("text", "없는 목록"),
    ]  # fmt: skip


def test_runs_of_one_word_are_one_word(tmp_path: Path) -> None:
    body = """<w:p><w:r><w:t>확진</w:t></w:r><w:r><w:t>자는 9,661</w:t></w:r>
      <w:r><w:t xml:space="preserve">명 </w:t></w:r><w:r><w:tab/><w:t>다음</w:t><w:br/><w:t>줄 A</w:t></w:r>
      <w:r><w:noBreakHyphen/><w:t>1</w:t><w:sym w:char="2192"/><w:sym w:char="F0E0"/><w:softHyphen/></w:r></w:p>"""
    assert short(said(word, docx(tmp_path / "a", body), "docx")) == [("text", "확진자는 9,661명 다음 줄 A-1→")]


def test_what_was_inserted_is_there_and_what_was_deleted_is_not(tmp_path: Path) -> None:
    body = """<w:p><w:ins><w:r><w:t>새 </w:t></w:r></w:ins><w:del><w:r><w:delText>옛 </w:delText></w:r></w:del>
      <w:r><w:fldChar w:fldCharType="begin"/><w:instrText>SECRET \\* MERGE</w:instrText></w:r>
      <w:r><w:t>값</w:t></w:r></w:p>
      <w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr>
      <w:sdtContent><w:p><w:r><w:t>여기를 클릭</w:t></w:r></w:p></w:sdtContent></w:sdt>
      <w:sdt><w:sdtContent><w:p><w:r><w:t>칸</w:t></w:r></w:p></w:sdtContent></w:sdt>"""
    assert short(said(word, docx(tmp_path / "a", body), "docx")) == [("text", "새 값"), ("text", "칸")]


def test_formulas_stand_on_one_line(tmp_path: Path) -> None:
    def m(text: str) -> str:
        return f"<m:r><m:t>{text}</m:t></m:r>"

    formula = (
        f"<m:oMath><m:f><m:num>{m('a')}</m:num><m:den>{m('b')}</m:den></m:f>{m('=')}"
        f"<m:sSup><m:e>{m('x')}</m:e><m:sup>{m('2')}</m:sup></m:sSup></m:oMath>"
    )
    body = f'<w:p xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math">{formula}</w:p>'
    assert short(said(word, docx(tmp_path / "a", body), "docx")) == [("text", "a/b=x^2")]


def test_hidden_text_is_not_read_and_noted(tmp_path: Path) -> None:
    body = """<w:p><w:r><w:t>보임</w:t></w:r><w:r><w:rPr><w:vanish/></w:rPr><w:t>안 보임</w:t></w:r>
      <w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t> 다시</w:t></w:r></w:p>"""
    assert said(word, docx(tmp_path / "a", body), "docx") == [
        Block("text", "보임 다시"), Note("hidden pieces of text that were not read: 1"),
    ]  # fmt: skip


def test_text_boxes_are_read_once(tmp_path: Path) -> None:
    inner = "<w:txbxContent><w:p><w:r><w:t>상자</w:t></w:r></w:p></w:txbxContent>"
    body = f"""<w:p xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><w:r><w:t>앞</w:t></w:r><w:r>
      <mc:AlternateContent><mc:Choice>{inner}</mc:Choice><mc:Fallback>{inner}</mc:Fallback></mc:AlternateContent></w:r></w:p>"""
    assert short(said(word, docx(tmp_path / "a", body), "docx")) == [("text", "앞"), ("text", "상자")]


def test_notes_and_comments_follow_their_paragraph(tmp_path: Path) -> None:
    body = (
        '<w:p><w:r><w:t>근거</w:t><w:footnoteReference w:id="2"/><w:t>가 있다</w:t>'
        '<w:commentReference w:id="0"/></w:r></w:p>' + p("다음")
    )
    path = docx(
        tmp_path / "a", body,
        footnotes=f'<w:footnote w:id="0" w:type="separator">{p("-")}</w:footnote>'
        f'<w:footnote w:id="2">{p("법 제3조")}</w:footnote>',
        comments=f'<w:comment w:id="0" w:author="김민수">{p("확인 필요")}</w:comment>',
    )  # fmt: skip
    assert short(said(word, path, "docx")) == [
        ("text", "근거가 있다"), ("text", "법 제3조"), ("quote", "김민수: 확인 필요"), ("text", "다음"),
    ]  # fmt: skip


def test_merged_cells_stand_in_each_place_that_they_cover(tmp_path: Path) -> None:
    rows = [
        cell(p("구분"), '<w:vMerge w:val="restart"/>') + cell(p("예산"), '<w:gridSpan w:val="2"/>'),
        cell(p(""), "<w:vMerge/>") + cell(p("본예산")) + cell(p("추경")),
        cell(p("총무과")) + cell(p("10") + p("억")) + cell(p("")),
    ]
    body = "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"
    assert short(said(word, docx(tmp_path / "a", body), "docx")) == [
        ("table", [["구분", "예산", "예산"], ["구분", "본예산", "추경"], ["총무과", "10 억", ""]])
    ]


def test_a_frame_of_one_cell_is_its_text_and_a_table_inside_a_cell_is_words_of_the_cell(tmp_path: Path) -> None:
    inner = f"<w:tbl><w:tr>{cell(p('가'))}{cell(p('나'))}</w:tr></w:tbl>"
    body = (
        f"<w:tbl><w:tr>{cell(p('제목', style('1')) + p('글'))}</w:tr></w:tbl>"
        f"<w:tbl><w:tr>{cell(p('앞') + inner)}{cell(p('뒤'))}</w:tr></w:tbl>"
    )
    assert short(said(word, docx(tmp_path / "a", body, styles=STYLES), "docx")) == [
        ("h1", "제목"), ("text", "글"), ("table", [["앞 가 나", "뒤"]]),
    ]  # fmt: skip


def test_strict_files_have_other_namespaces_and_other_names_of_parts(tmp_path: Path) -> None:
    strict = "http://purl.oclc.org/ooxml/wordprocessingml/main"
    path = zipped(tmp_path / "a", {
        "_rels/.rels": relations(("a", "officeDocument", "/word/document2.xml")),
        "word/document2.xml": f'<d xmlns="{strict}"><body><p><r><t>엄격</t></r></p></body></d>',
    })  # fmt: skip
    assert short(said(word, path, "docx")) == [("text", "엄격")]


def test_a_claim_of_a_million_columns_is_not_believed(tmp_path: Path) -> None:
    wide = cell(p("넓다" * 400), '<w:gridSpan w:val="1000000"/>')
    body = "<w:tbl>" + f"<w:tr>{wide}{cell(p('둘'))}</w:tr>" * 30 + "</w:tbl>"
    (table,) = blocks(said(word, docx(tmp_path / "a", body), "docx"))
    assert len(table.rows) == 30
    assert sum(len(text) for row in table.rows for text in row) < 500_000


@pytest.mark.parametrize("layer", ["sdt", "tbl><w:tr><w:tc"])
def test_what_xml_lets_nest_is_read(tmp_path: Path, layer: str) -> None:
    depth = 240 // len(layer.split("><"))
    end = "".join(f"</w:{name.removeprefix('w:')}>" for name in reversed(layer.split("><")))
    body = f"<w:{layer}>" * depth + p("깊은 곳") + end * depth
    assert words(said(word, docx(tmp_path / "a", body), "docx")) == "깊은 곳"


@pytest.mark.parametrize(
    ("name", "phrases"),
    [
        ("headings-lists-image", ["Swimming in the lake", "This is a cute duckling"]),
        ("merged-tables", ["Merged Cell 1.1 1.2", "A uniform table", "Header 0.2"]),
        ("text-boxes", ["Infectious Disease Reporting Procedure", "Suggested Reportable Symptoms", "Blisters"]),
    ],
)
def test_the_given_documents(name: str, phrases: list[str]) -> None:
    text = words(said(word, shared_file(f"files/docx/{name}.docx"), "docx"))
    assert [phrase for phrase in phrases if phrase not in text] == []


def test_the_given_lists_stand_under_their_heading() -> None:
    things = short(said(word, shared_file("files/docx/headings-lists-image.docx"), "docx"))
    at = [text for _, text in things]
    assert at.index("Let’s swim!") < at.index("1. Wear sunglasses") < at.index("Let’s eat")


HEAD = f'<?xml version="1.0"?><!DOCTYPE w:document [{{}}]><w:document {W}><w:body><w:p><w:r><w:t>'
TAIL = "</w:t></w:r></w:p></w:body></w:document>"
AMPLIFIED = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (HEAD.format('<!ENTITY e0 "ha">' + AMPLIFIED) + "&e9;" + TAIL, Reason.DAMAGED),
        (HEAD.format('<!ENTITY e SYSTEM "file:///etc/hostname">') + "&e;" + TAIL, Reason.DAMAGED),
        (f"<w:document {W}><w:body>" + "<w:tbl><w:tr><w:tc>" * 30_000, Reason.DAMAGED),
        (f"<w:document {W}><w:body>{p('앞')}", Reason.DAMAGED),
        ("", Reason.DAMAGED),
        ("\x00\x01", Reason.DAMAGED),
    ],
    ids=["entities of entities", "a file of ours", "30,000 tables in each other", "cut off", "nothing", "no XML"],
)
def test_hostile_xml_is_damaged(tmp_path: Path, document: str, reason: Reason) -> None:
    path = zipped(tmp_path / "a", {"word/document.xml": document})
    with pytest.raises(Unreadable) as refused:
        said(word, path, "docx")
    assert refused.value.reason == reason
    assert "ha" not in refused.value.detail.split()


def test_what_inflates_to_hundreds_of_megabytes_is_refused_by_its_list_of_parts(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package, package.open("word/document.xml", "w") as part:
        for _ in range(64):
            part.write(b" " * (1 << 20))
    with pytest.raises(Unreadable) as refused:
        said(word, path, "docx")
    assert refused.value.reason == Reason.TOO_LARGE


def test_names_of_parts_are_no_paths(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a", {
        "_rels/.rels": relations(("a", "officeDocument", "../../../etc/passwd")),
        "../../evil": "x", "/etc/evil": "x",
    })  # fmt: skip
    with pytest.raises(Unreadable) as refused:
        said(word, path, "docx")
    assert refused.value.reason == Reason.DAMAGED
