"""The sample's workbook: what each department may spend, and what software costs. Titles stand above the headers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from arcana_pipelines_tests.sample_files.packages import document, escaped, package

_NAMESPACES = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_PLAIN, _BOLD, _THOUSANDS, _DAY = range(4)  # the styles of cells
_COLUMNS = "ABCDEF"
_EPOCH = date(1899, 12, 30)

_DEPARTMENTS = (
    ("하드웨어팀", 640, 710, "류건우"),
    ("Nuri팀", 420, 450, "백승아"),
    ("Motion팀", 310, 330, "조민재"),
    ("Perception팀", 380, 360, "Aylin Demir"),
    ("Platform팀", 290, 300, "Daniel Okoro"),
    ("품질·안전팀", 180, 210, "윤가람"),
    ("고객지원팀", 260, 280, "Lena Vogt"),
    ("피플팀", 150, 130, "한지우"),
    ("경영지원팀", 220, 215, "배수아"),
    ("베를린 법인", 510, 540, "Jonas Brandt"),
)
_SOFTWARE = (
    ("Formwerk CAD", "기구 설계", 14, 189_000, date(2026, 9, 30), "류건우"),
    ("Lagersim", "물류 시뮬레이션", 20, 75_000, date(2026, 6, 15), "조민재"),
    ("Farbton", "화면 디자인", 9, 24_000, date(2026, 4, 1), "백승아"),
    ("Satzbau", "번역과 맞춤법", 121, 6_500, date(2027, 1, 10), "신유나"),
    ("Anliegen", "고객 문의 관리", 32, 41_000, date(2026, 11, 2), "Lena Vogt"),
)


def budget() -> bytes:
    """The file."""
    sheets = {"xl/worksheets/sheet1.xml": _of_departments(), "xl/worksheets/sheet2.xml": _of_software()}
    return package("xlsx", sheets)


def _of_departments() -> str:
    first, last = 5, 4 + len(_DEPARTMENTS)
    sums = [sum(row[column] for row in _DEPARTMENTS) for column in (1, 2)]
    rows: list[Sequence[str]] = [
        [_text("2026년 부서별 예산(단위: 백만 원)", _BOLD)],
        [_text("재무팀 박서린, 2026년 1월 12일 확정")],
        [],
        [_text(name, _BOLD) for name in ("부서", "상반기", "하반기", "연간 합계", "예산 책임자")],
        *(
            [_text(name), _number(one), _number(two), _number(one + two, f"SUM(B{n}:C{n})"), _text(owner)]
            for n, (name, one, two, owner) in enumerate(_DEPARTMENTS, start=first)
        ),
        [
            _text("회사 전체", _BOLD),
            *(_number(each, f"SUM({column}{first}:{column}{last})") for each, column in zip(sums, "BC", strict=True)),
            _number(sum(sums), f"SUM(D{first}:D{last})"),
        ],
        [],
        [_text("쓰지 않은 예산은 다음 해로 넘기지 않습니다. 부서 사이의 이동은 반기마다 50백만 원까지 합니다.")],
    ]
    return _sheet(rows, (18, 12, 12, 14, 18))


def _of_software() -> str:
    titles = ("Service", "용도 Purpose", "Seats", "월 요금(원) Monthly fee", "갱신일 Renewal", "담당 Owner")
    rows: list[Sequence[str]] = [
        [_text("Software subscriptions 2026 (소프트웨어 구독, 한 자리의 월 요금)", _BOLD)],
        [],
        [_text(title, _BOLD) for title in titles],
        *(
            [_text(name), _text(purpose), _number(seats), _number(fee), _day(renewal), _text(owner)]
            for name, purpose, seats, fee, renewal, owner in _SOFTWARE
        ),
    ]
    return _sheet(rows, (18, 20, 8, 24, 18, 16))


def _sheet(rows: Sequence[Sequence[str]], widths: Sequence[int]) -> str:
    columns = "".join(f'<col min="{n}" max="{n}" width="{w}" customWidth="1"/>' for n, w in enumerate(widths, start=1))
    lines = []
    for number, row in enumerate(rows, start=1):
        cells = "".join(cell.format(at=f"{column}{number}") for column, cell in zip(_COLUMNS, row, strict=False))
        lines.append(f'<row r="{number}">{cells}</row>')
    data = "\n".join([f"<cols>{columns}</cols>", "<sheetData>", *lines, "</sheetData>"])
    return document("worksheet", _NAMESPACES, data)


def _text(text: str, style: int = _PLAIN) -> str:
    return f'<c r="{{at}}" s="{style}" t="inlineStr"><is><t>{escaped(text)}</t></is></c>'


def _number(value: int, formula: str = "", style: int = _THOUSANDS) -> str:
    return f'<c r="{{at}}" s="{style}">{f"<f>{formula}</f>" if formula else ""}<v>{value}</v></c>'


def _day(day: date) -> str:
    return _number((day - _EPOCH).days, style=_DAY)
