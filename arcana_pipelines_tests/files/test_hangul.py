"""Documents of Hangul: their text in order, and a reason for each that has none."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path

import olefile
import pytest
from hwp2md import hwp5
from hwp2md import hwpx as hwpx_of
from PIL import Image

from arcana_pipelines.files.kinds import FileKind
from arcana_pipelines.files.parsing import hwp2md_bounds
from arcana_pipelines.files.parsing.blocks import Block, Note, Picture
from arcana_pipelines.files.parsing.parsers import hangul
from arcana_pipelines.files.parsing.protocol import Reason
from arcana_pipelines_tests.files.sayings import reason_of, said_of, shared, words_of

HWP, HWPX, HWPML = FileKind.HWP, FileKind.HWPX, FileKind.HWPML


def hwpx(*paragraphs: str, files: dict[str, bytes] | None = None) -> bytes:
    """An HWPX of these paragraphs: text, or XML of what stands in a run."""
    runs = [text if text.startswith("<") else f"<hp:t>{text}</hp:t>" for text in paragraphs]
    lines = "".join(f"<hp:p paraPrIDRef='0'><hp:run>{run}</hp:run></hp:p>" for run in runs)
    section = (
        "<hs:sec xmlns:hs='http://www.hancom.co.kr/hwpml/2011/section' "
        "xmlns:hp='http://www.hancom.co.kr/hwpml/2011/paragraph' "
        f"xmlns:hc='http://www.hancom.co.kr/hwpml/2011/core'>{lines}</hs:sec>"
    )
    return packed({"Contents/section0.xml": section.encode()} | (files or {}))


def packed(files: dict[str, bytes]) -> bytes:
    """A package of Hangul with these files."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("mimetype", "application/hwp+zip")
        for name, data in files.items():
            package.writestr(name, data)
    return whole.getvalue()


def cell(text: str, row: int, column: int, rows: int = 1, columns: int = 1) -> str:
    inner = "".join(f"<hp:p><hp:run><hp:t>{line}</hp:t></hp:run></hp:p>" for line in text.split("\n"))
    return (
        f"<hp:tc><hp:subList>{inner}</hp:subList><hp:cellAddr colAddr='{column}' rowAddr='{row}'/>"
        f"<hp:cellSpan colSpan='{columns}' rowSpan='{rows}'/></hp:tc>"
    )


def table(rows: int, columns: int, *lines: str) -> str:
    return f"<hp:tbl rowCnt='{rows}' colCnt='{columns}'>{''.join(f'<hp:tr>{line}</hp:tr>' for line in lines)}</hp:tbl>"


def note(text: str) -> str:
    inner = f"<hp:subList><hp:p><hp:run><hp:t>{text}</hp:t></hp:run></hp:p></hp:subList>"
    return f"<hp:ctrl><hp:footNote>{inner}</hp:footNote></hp:ctrl>"


@pytest.mark.parametrize(
    ("name", "kind", "phrases"),
    [
        (
            "hwp/press-release.hwp",
            HWP,
            "한국형발사체|보도일시|장인숙(02-2110-2430)|거대공공연구정책과|명칭공모전에 1만건 이상 응모",
        ),
        ("hwp/distribution.hwp", HWP, "Apache Tika - 컨텐츠 분석 툴킷|메타 데이터 및 텍스트를 탐지하고"),
        ("hwpx/table.hwpx", HWPX, "C반 기말고사|개똥이|팔푼이"),
        ("hwpx/press-release.hwpx", HWPX, "문화체육관광부|보도자료|우리 선수단 격려한다"),
    ],
)
def test_handed_documents_are_read(name: str, kind: FileKind, phrases: str, tmp_path: Path) -> None:
    words = words_of(said_of(hangul, shared(name), kind, tmp_path))
    assert [phrase for phrase in phrases.split("|") if phrase not in words] == []


def test_a_password_is_a_reason(tmp_path: Path) -> None:
    assert reason_of(hangul, shared("hwpx/password.hwpx"), HWPX, tmp_path) is Reason.ENCRYPTED


def test_a_table_keeps_its_shape_and_a_merged_cell_stands_in_each_that_it_covers(tmp_path: Path) -> None:
    rows = table(
        3, 3,
        cell("구분", 0, 0, rows=2) + cell("2026년", 0, 1, columns=2),
        cell("상반기", 1, 1) + cell("하반기", 1, 2),
        cell("매출", 2, 0) + cell("10억\n(잠정)", 2, 1) + cell("", 2, 2),
    )  # fmt: skip
    (block,) = said_of(hangul, hwpx(rows), HWPX, tmp_path)
    assert block == Block(
        "table",
        rows=[["구분", "2026년", "2026년"], ["구분", "상반기", "하반기"], ["매출", "10억 (잠정)", ""]],
    )


def test_rows_and_columns_for_the_eye_only_are_left_out(tmp_path: Path) -> None:
    spaced = table(
        3, 3,
        cell("이름", 0, 0) + cell("", 0, 1) + cell("나이", 0, 2),
        cell("", 1, 0, columns=3),
        cell("개똥이", 2, 0) + cell("", 2, 1) + cell("12", 2, 2),
    )  # fmt: skip
    (block,) = said_of(hangul, hwpx(spaced), HWPX, tmp_path)
    assert block.rows == [["이름", "나이"], ["개똥이", "12"]]


def test_a_frame_is_text_and_no_table(tmp_path: Path) -> None:
    box = table(1, 1, cell("첫째 문단\n둘째 문단", 0, 0))
    strip = table(1, 3, cell("붙임", 0, 0) + cell("", 0, 1) + cell("비교표", 0, 2))
    page = table(2, 2, cell("제목", 0, 0, columns=2), cell("본문 " * 500, 1, 0) + cell("쪽", 1, 1))
    contents = table(2, 3, cell("", 0, 0) + cell("순서", 0, 1) + cell("", 0, 2), cell("Ⅰ. 안내", 1, 0, columns=3))
    said = said_of(hangul, hwpx(box, strip, page, contents), HWPX, tmp_path)
    assert {block.kind for block in said} == {"text"}
    assert [block.text[:11].strip() for block in said] == [
        "첫째 문단 둘째 문단",
        "붙임 비교표",
        "제목",
        "본문 본문 본문 본문",
        "쪽",
        "순서",
        "Ⅰ. 안내",
    ]


def test_a_note_stands_behind_its_paragraph(tmp_path: Path) -> None:
    document = hwpx(f"<hp:t>보험금</hp:t>{note('약관 제3조')}<hp:t>을 지급한다.</hp:t>", "다음 문단")
    assert [block.text for block in said_of(hangul, document, HWPX, tmp_path)] == [
        "보험금을 지급한다.",
        "각주 1: 약관 제3조",
        "다음 문단",
    ]


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    header = "<hp:ctrl><hp:header><hp:subList/></hp:header></hp:ctrl><hp:t>본문</hp:t>"
    assert said_of(hangul, hwpx(header), HWPX, tmp_path)[-1] == Note("headers and footers: 1")


def test_headings_and_lists_of_hwpml(tmp_path: Path) -> None:
    document = """<?xml version="1.0" encoding="UTF-8"?><HWPML Version="2.8"><HEAD><MAPPINGTABLE>
      <NUMBERINGLIST><NUMBERING Id="1"><PARAHEAD Level="1" NumFormat="HangulSyllable">^1.</PARAHEAD></NUMBERING>
      </NUMBERINGLIST><PARASHAPELIST><PARASHAPE Id="0" HeadingType="Outline" Level="1"/>
      <PARASHAPE Id="1" HeadingType="Number" Heading="1" Level="0"/>
      <PARASHAPE Id="2" HeadingType="Bullet" Heading="1" Level="1"/></PARASHAPELIST></MAPPINGTABLE></HEAD>
      <BODY><SECTION><P ParaShape="0"><TEXT><CHAR>사업 개요</CHAR></TEXT></P>
      <P ParaShape="1"><TEXT><CHAR>목적</CHAR></TEXT></P><P ParaShape="1"><TEXT><CHAR>대상</CHAR></TEXT></P>
      <P ParaShape="2"><TEXT><CHAR>\U000f03da 중소기업</CHAR></TEXT></P></SECTION></BODY></HWPML>"""
    assert said_of(hangul, document.encode(), HWPML, tmp_path) == [
        Block("heading", "사업 개요", 2),
        Block("item", "가. 목적", 0),
        Block("item", "나. 대상", 0),
        Block("item", "중소기업", 1),
    ]


def test_the_sentence_that_stands_in_for_a_text_is_no_text(tmp_path: Path) -> None:
    stub = "이 문서는 상위 버전의 배포용 문서입니다. 문서를 보려면 최신 버전으로 여십시오."
    assert reason_of(hangul, hwpx(stub), HWPX, tmp_path) is Reason.UNSUPPORTED
    # Who writes about it is read.
    assert said_of(hangul, hwpx(f"「{stub}」라는 문장이 보이면", "원본을 요청한다. " * 30), HWPX, tmp_path)


def test_an_empty_document_has_no_text(tmp_path: Path) -> None:
    assert reason_of(hangul, hwpx(" "), HWPX, tmp_path) is Reason.NO_TEXT


def test_a_document_of_pictures_is_for_ocr(tmp_path: Path) -> None:
    Image.new("RGB", (300, 400), "white").save(page := io.BytesIO(), "PNG")
    document = hwpx(
        "<hp:pic><hc:img binaryItemIDRef='image1'/></hp:pic>", files={"BinData/image1.png": page.getvalue()}
    )
    assert reason_of(hangul, document, HWPX, tmp_path) is Reason.NEEDS_OCR
    assert [type(said) for said in said_of(hangul, document, HWPX, tmp_path, pictures=True)] == [Picture]


@pytest.mark.slow
def test_a_section_of_300_mb_is_refused_unread(tmp_path: Path) -> None:
    whole = io.BytesIO()
    package = zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with package, package.open("Contents/section0.xml", "w") as section:
        for _ in range(300):
            section.write(bytes(2**20))
    assert reason_of(hangul, whole.getvalue(), HWPX, tmp_path) is Reason.TOO_LARGE


def test_a_table_as_large_as_it_says_is_not_laid_out(tmp_path: Path) -> None:
    wide = table(60_000, 60_000, cell("한 칸", 0, 0, rows=60_000, columns=60_000))
    assert reason_of(hangul, hwpx(wide), HWPX, tmp_path) is Reason.TOO_LARGE


def test_a_stream_of_hwp_5_is_unpacked_to_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = tmp_path / "bomb.hwp"
    bomb.write_bytes(shared("hwp/press-release.hwp").read_bytes())
    with olefile.OleFileIO(str(bomb), write_mode=True) as ole:
        size = ole.get_size("BodyText/Section0")
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed_zeros = deflate.compress(bytes(2 * 2**20)) + deflate.flush()
        ole.write_stream("BodyText/Section0", packed_zeros.ljust(size, b"\0"))
    monkeypatch.setattr(hwp2md_bounds, "_MOST_BYTES", 2**20)
    assert reason_of(hangul, bomb, HWP, tmp_path) is Reason.TOO_LARGE


@pytest.mark.parametrize("flag", [0x2, 0x10, 0x400])
def test_hwp_5_with_a_password_or_rights_management_is_encrypted(flag: int, tmp_path: Path) -> None:
    locked = tmp_path / "locked.hwp"
    locked.write_bytes(shared("hwp/press-release.hwp").read_bytes())
    with olefile.OleFileIO(str(locked), write_mode=True) as ole:
        header = bytearray(ole.openstream("FileHeader").read())
        struct.pack_into("<I", header, 36, struct.unpack_from("<I", header, 36)[0] | flag)
        ole.write_stream("FileHeader", bytes(header))
    assert reason_of(hangul, locked, HWP, tmp_path) is Reason.ENCRYPTED


@pytest.mark.parametrize("kept", [8, 600, 5_000, 100_000, 200_000])
def test_a_document_that_was_cut_off_is_damaged(kept: int, tmp_path: Path) -> None:
    cut = shared("hwp/press-release.hwp").read_bytes()[:kept]
    assert reason_of(hangul, cut, HWP, tmp_path) is Reason.DAMAGED


def test_xml_that_is_broken_or_nested_without_end_is_damaged(tmp_path: Path) -> None:
    for text in ("<hp:t>열린 채로", "<hp:ctrl>" * 2000 + "</hp:ctrl>" * 2000, "<hp:t>&gone;</hp:t>"):
        assert reason_of(hangul, hwpx(text), HWPX, tmp_path) is Reason.DAMAGED


def test_what_was_deleted_while_changes_were_tracked_is_not_read(tmp_path: Path) -> None:
    first = "<hp:t>가격은 <hp:deleteBegin Id='1'/>100원<hp:lineBreak/>정도</hp:t><hp:t>이고 </hp:t>"
    second = "<hp:t>또<hp:deleteEnd Id='1'/>200원<hp:insertBegin Id='2'/>이다.<hp:insertEnd Id='2'/></hp:t>"
    (block,) = said_of(hangul, hwpx(first + second), HWPX, tmp_path)
    assert block.text == "가격은 200원이다."


def test_ruby_and_overlaid_letters_are_text(tmp_path: Path) -> None:
    ruby = "<hp:dutmal><hp:mainText>約款</hp:mainText><hp:subText>약관</hp:subText></hp:dutmal>"
    overlaid = "<hp:compose composeText='印'/>"
    (block,) = said_of(hangul, hwpx(f"<hp:t>보험 </hp:t>{ruby}<hp:t>에 </hp:t>{overlaid}"), HWPX, tmp_path)
    assert block.text == "보험 約款(약관)에 印"


def test_a_section_that_declares_entities_is_refused(tmp_path: Path) -> None:
    section = b"<!DOCTYPE a [<!ENTITY b 'c'>]><hs:sec xmlns:hs='http://www.hancom.co.kr/hwpml/2011/section'/>"
    assert reason_of(hangul, packed({"Contents/section0.xml": section}), HWPX, tmp_path) is Reason.DAMAGED


def test_hwp2md_is_as_it_was_when_the_file_is_read(tmp_path: Path) -> None:
    def replaced() -> tuple[object, ...]:
        return hwp5.body._place_cells, hwpx_of.body._place_grid, hwp5.reader._inflate, hwpx_of.reader.parse_section_xml

    before = replaced()
    reason_of(hangul, hwpx("<"), HWPX, tmp_path)
    assert replaced() == before
