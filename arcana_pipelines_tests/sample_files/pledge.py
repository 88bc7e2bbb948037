"""The sample's document of Hangul (HWPX): the pledge that everybody signs. A Korean form with tables.

The parts and their names: KS X 6101 (OWPML).
"""

from __future__ import annotations

from collections.abc import Sequence

from arcana_pipelines_tests.sample_files.packages import document, escaped, package

_NAMESPACES = (
    'xmlns:hs="http://www.hancom.co.kr/hwpml/2011/section" xmlns:hp="http://www.hancom.co.kr/hwpml/2011/paragraph"'
)
_WIDTH, _ROW = 42_520, 1_800  # hundredths of a point, as all lengths of Hangul
_BODY, _TITLE, _HEADING = range(3)  # letters, as `header.xml` has them
_LEFT, _CENTRE, _OUTLINE = range(3)  # paragraphs, likewise
_PAGE = """<hp:secPr textDirection="HORIZONTAL" spaceColumns="1134" tabStop="8000" outlineShapeIDRef="1">
<hp:pagePr landscape="WIDELY" width="59528" height="84188" gutterType="LEFT_ONLY">
<hp:margin header="4252" footer="4252" gutter="0" left="8504" right="8504" top="5668" bottom="4252"/>
</hp:pagePr></hp:secPr>
<hp:ctrl><hp:colPr type="NEWSPAPER" layout="LEFT" colCount="1" sameSz="1" sameGap="0"/></hp:ctrl>"""

_FORM = (
    ("성명", "", "소속", ""),
    ("직위", "", "입사일", ""),
    ("구분", "입사 / 재직 / 퇴사", "보관", "퇴사 후 5년"),
)
_PROMISES = (
    "본인은 하늘로보틱스의 구성원으로서 다음을 지킬 것을 서약합니다.",
    "1. 재직하면서 알게 된 회사와 고객의 비밀을 퇴사하고 2년 동안 다른 사람에게 알리지 않습니다.",
    "2. 업무용으로 등록하는 개인 휴대폰은 두 대까지로 하고, 분기마다 점검을 받습니다.",
    "3. 테스트 존에서 사진을 찍기 전에 촬영 허가 번호(PH로 시작하는 다섯 자리)를 받습니다.",
    "4. 인쇄한 업무 자료는 열흘 안에 세절합니다.",
    "5. 퇴사할 때에는 가지고 있는 자료를 사흘 안에 모두 반납하고 삭제 확인서 SP-05에 서명합니다.",
)
_BREACHES = (
    ("등급", "보기", "조치"),
    ("경미", "세절하지 않은 인쇄물", "구두 경고"),
    ("보통", "허가 번호 없는 촬영", "서면 경고와 교육 6시간"),
    ("중대", "비밀을 밖에 알림", "징계 위원회 회부"),
)
_ENGLISH = (
    "In English: secrets are kept for two years after leaving. Two private phones at most are registered for work. "
    "Taking photographs in a test zone needs a permit number that begins with PH. Printed papers are shredded within "
    "ten days. The signed pledge is kept for five years after somebody has left."
)


def pledge() -> bytes:
    """The file."""
    lines = [
        _paragraph("정보보안 서약서", _TITLE, _CENTRE, before=_PAGE),
        _paragraph("서식 SP-03 · 2026년 3월 2일 시행 · 보안 책임자 오태경"),
        _paragraph(before=_table(1, _FORM)),
        *map(_paragraph, _PROMISES),
        _paragraph("서약을 어겼을 때", _HEADING, _OUTLINE),
        _paragraph(before=_table(2, _BREACHES)),
        _paragraph(_ENGLISH),
        _paragraph("2026년      월      일        서약자                    (서명)"),
    ]
    return package("hwpx", {"Contents/section0.xml": document("hs:sec", _NAMESPACES, "\n".join(lines))})


def _paragraph(text: str = "", letters: int = _BODY, form: int = _LEFT, before: str = "") -> str:
    style = 1 if form == _OUTLINE else 0
    run = f'<hp:run charPrIDRef="{letters}">{before}<hp:t>{escaped(text)}</hp:t></hp:run>'
    return f'<hp:p id="0" paraPrIDRef="{form}" styleIDRef="{style}">{run}</hp:p>'


def _table(number: int, rows: Sequence[Sequence[str]]) -> str:
    columns = len(rows[0])
    width = _WIDTH // columns
    lines = [
        f"<hp:tr>{''.join(_cell(cell, column, row, width) for column, cell in enumerate(cells))}</hp:tr>"
        for row, cells in enumerate(rows)
    ]
    return "\n".join(
        [
            f'<hp:tbl id="{number}" zOrder="{number}" numberingType="TABLE" textWrap="TOP_AND_BOTTOM" pageBreak="CELL" '
            f'rowCnt="{len(rows)}" colCnt="{columns}" cellSpacing="0" borderFillIDRef="2">',
            f'<hp:sz width="{width * columns}" height="{_ROW * len(rows)}" widthRelTo="ABSOLUTE" '
            'heightRelTo="ABSOLUTE"/>',
            '<hp:pos treatAsChar="1" flowWithText="1" vertRelTo="PARA" horzRelTo="PARA" vertAlign="TOP" '
            'horzAlign="LEFT"/>',
            '<hp:outMargin left="283" right="283" top="283" bottom="283"/>',
            '<hp:inMargin left="510" right="510" top="141" bottom="141"/>',
            *lines,
            "</hp:tbl>",
        ]
    )


def _cell(text: str, column: int, row: int, width: int) -> str:
    return (
        '<hp:tc borderFillIDRef="2"><hp:subList textDirection="HORIZONTAL" lineWrap="BREAK" vertAlign="CENTER">'
        f'{_paragraph(text)}</hp:subList><hp:cellAddr colAddr="{column}" rowAddr="{row}"/>'
        f'<hp:cellSpan colSpan="1" rowSpan="1"/><hp:cellSz width="{width}" height="{_ROW}"/>'
        '<hp:cellMargin left="510" right="510" top="141" bottom="141"/></hp:tc>'
    )
