"""The sample's Word document: what is checked of an HR-450 each day. Headings, lists, a table."""

from __future__ import annotations

from collections.abc import Sequence

from arcana_pipelines_tests.sample_files.packages import document, escaped, package

_NAMESPACES = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_WIDTHS = (3200, 2400, 3426)  # twentieths of a point
_NUMBERS, _BULLETS = 1, 2

_INTRODUCTION = (
    "Form SC-450 of the HR-450, version 3. One sheet a robot. A robot that fails one check gets the red card R-3, and "
    "윤가람 is told."
)
_DAILY = (
    "Walk once around the robot: no oil on the floor, no loose cover, no cable hanging out more than 5 cm.",
    "Wipe the cover of the lidar with a lint-free cloth. A scratch longer than 15 mm means a new cover.",
    "Press the front bumper. It has to release at 60 N or less.",
    "Load the latch of the roll container with 250 N for five seconds.",
    "Measure the horn: at least 72 dB at one metre.",
    "Drive ten stops from 1.0 m/s. Each has to end within 0.75 m.",
    "Press the radio stop from 40 m away.",
    "Put the sheet into the blue folder at the dock.",
)
_LIMITS = (
    ("Check", "Limit", "When it fails"),
    ("Tread of the drive wheels", "3 mm", "replace both wheels"),
    ("Release force of the bumper", "60 N", "lock the robot out"),
    ("Stopping distance from 1.0 m/s", "0.75 m", "brake service the same day"),
    ("Loudness of the horn", "72 dB", "new horn within 24 hours"),
    ("Load test of the latch", "250 N for 5 s", "no containers until repaired"),
    ("Resistance of the dock contacts", "20 mΩ", "clean them and measure again"),
)
_WEEKLY = (
    "Tighten the eight bolts of the mast to 45 Nm.",
    "Compare the map with the markings on the floor: they may differ by 5 cm.",
    "Shake the fork carriage: play above 2 mm goes to Quality.",
)
_KOREAN = (
    "일일 점검표는 로봇마다 하루 한 장씩 작성합니다. 한 항목이라도 불합격이면 그날은 운행하지 않고 "
    "빨간 카드 R-3을 걸고 열쇠를 뺍니다. 같은 로봇이 한 주에 세 번 불합격하면 품질팀으로 보냅니다. "
    "작성한 점검표는 현장에서 3년 동안 보관합니다."
)


def safety_checklist() -> bytes:
    """The file."""
    body = [
        _paragraph("Daily safety checklist", "Title"),
        _paragraph(_INTRODUCTION),
        _paragraph("Before the first run", "Heading1"),
        *(_paragraph(line, numbering=_NUMBERS) for line in _DAILY),
        _paragraph("Limits", "Heading1"),
        _table(_LIMITS),
        _paragraph("Once a week", "Heading1"),
        *(_paragraph(line, numbering=_BULLETS) for line in _WEEKLY),
        _paragraph("현장 담당자를 위한 요약", "Heading1"),
        _paragraph(_KOREAN),
        '<w:sectPr><w:pgSz w:w="11906" w:h="16838"/></w:sectPr>',
    ]
    inner = "\n".join(["<w:body>", *body, "</w:body>"])
    return package("docx", {"word/document.xml": document("w:document", _NAMESPACES, inner)})


def _paragraph(text: str, style: str = "", numbering: int = 0) -> str:
    properties = f'<w:pStyle w:val="{style}"/>' if style else ""
    if numbering:
        properties += f'<w:numPr><w:ilvl w:val="0"/><w:numId w:val="{numbering}"/></w:numPr>'
    return f'<w:p><w:pPr>{properties}</w:pPr><w:r><w:t xml:space="preserve">{escaped(text)}</w:t></w:r></w:p>'


def _table(rows: Sequence[Sequence[str]]) -> str:
    grid = "".join(f'<w:gridCol w:w="{width}"/>' for width in _WIDTHS)
    lines = [f"<w:tr>{''.join(map(_cell, cells, _WIDTHS))}</w:tr>" for cells in rows]
    properties = f'<w:tblPr><w:tblStyle w:val="Grid"/><w:tblW w:w="{sum(_WIDTHS)}" w:type="dxa"/></w:tblPr>'
    return "\n".join([f"<w:tbl>{properties}<w:tblGrid>{grid}</w:tblGrid>", *lines, "</w:tbl>"])


def _cell(text: str, width: int) -> str:
    return f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/></w:tcPr>{_paragraph(text)}</w:tc>'
