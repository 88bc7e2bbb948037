"""The sample's PDF: what journeys to Berlin and Busan cost. Four pages in Korean and English, with ruled tables.

No font is in it. Latin letters are of Helvetica, which each reader of PDFs has; Hangul is of the character set
Adobe-Korea1 (ISO 32000-1, 9.7.5.2), for which each takes a Korean font that it finds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_WIDTH, _HEIGHT = 595, 842
_LEFT, _TOP = 62, 770
_LATIN = "€–·"
# Latin letters or Hangul, each with the blanks behind it: one at the end of a line says that a word ends there.
_RUNS = re.compile(rf"[\x21-\x7e{_LATIN}][\x20-\x7e{_LATIN}]*|[^\x21-\x7e{_LATIN}]+")
_COLUMNS = (_LEFT, 306, 396, 533)
_ROW = 23

_BERLIN = (
    ("항목 Item", "금액 Amount", "비고 Note"),
    ("공항 열차(편도) Airport train, one way", "€4.90", "구역 ABC"),
    ("짐 보관함 Luggage locker, one day", "€8", "공항에서만"),
    ("주간 교통권 Weekly transit ticket", "€44", "4일 이상 머물 때"),
    ("세탁 Laundry, one load", "€9", "일주일에 한 번"),
    ("현지 유심 Local SIM card, 20 GB", "€15", "한 사람에 하나"),
    ("부품 운송 100 kg Freight from Incheon", "€640", "배터리 제외"),
    ("통역 반나절 Interpreter, half a day", "€310", "고객 방문만"),
)
_BUSAN = (
    ("항목 Item", "금액 Amount", "비고 Note"),
    ("KTX 서울–부산 왕복 Return ticket", "119,600원", "일반실"),
    ("항만 순환 버스 Shuttle of the port", "1,500원", "편도"),
    ("승합차 대여 Rental van, one day", "88,000원", "장비 50 kg 이상"),
    ("로봇 운송 Robot haulage from Seoul", "410,000원", "한 대"),
    ("지게차 두 시간 Fork-lift, two hours", "150,000원", "하역할 때만"),
    ("항만 식권 Canteen ticket of the port", "8,500원", "한 끼"),
)
# A line that ends with a blank goes on in the next one.
_PAGES: tuple[tuple[str | tuple[tuple[str, ...], ...], ...], ...] = (
    (
        "# 여비 기준표 2026",
        "## Travel cost tables 2026",
        "문서 번호 TC-2026-01 · 담당 임도윤 · 2026년 12월 31일까지",
        "",
        "## 1. 쓰는 방법 How to use the tables",
        "표의 금액은 예산을 짤 때 쓰는 예상 금액이고, 실제로 쓴 돈은 영수증으로 ",
        "정산합니다. 표보다 20% 넘게 더 들 것 같으면 출발하기 전에 알려 주세요.",
        "",
        "The amounts are estimates for the budget of a journey; receipts decide what is paid.",
        "",
        "## 2. 가지급금 Cash advance",
        "예상 비용의 70%까지 출발 5일 전에 가지급금으로 받을 수 있습니다. 한 사람이 ",
        "한 번에 받을 수 있는 가지급금은 2,500,000원까지입니다. 남은 돈은 복귀하고 ",
        "10일 안에 돌려줍니다.",
        "",
        "Up to 70 % of the estimate is paid as a cash advance, 2,500,000 won a person at most, ",
        "five days before departure. The rest is returned within ten days.",
    ),
    (
        "# 3. 베를린 Berlin",
        "",
        _BERLIN,
        "",
        "비행기표와 숙박비를 뺀 6일 동안의 예상 비용은 한 사람에 €400입니다.",
        "",
        "Without flight and bed, six days in Berlin are estimated at €400 a person.",
    ),
    (
        "# 4. 부산 Busan",
        "",
        _BUSAN,
        "",
        "로봇은 트럭으로만 옮깁니다. 트럭 한 대에 로봇 세 대를 실을 수 있고, 트럭은 ",
        "9일 전에 예약합니다.",
        "",
        "Robots travel by truck only. One truck takes three robots; it is booked nine days ahead.",
    ),
    (
        "# 5. 전시회와 서식 Trade fairs and forms",
        "",
        "## 전시회 Trade fairs",
        "전시회 입장권은 한 사람에 €39, 전시대 운반 수레는 하루 €27입니다.",
        "",
        "A ticket to a trade fair is €39, a cart for the stand €27 a day.",
        "",
        "## 영수증이 없을 때 Without a receipt",
        "영수증이 없으면 양식 TR-7을 씁니다. 한 번에 45,000원까지, 한 해에 세 번만 ",
        "인정합니다.",
        "",
        "Without a receipt use form TR-7: up to €30 a journey, and three times a year.",
    ),
)


def travel_costs() -> bytes:
    """The file."""
    first = 6
    kids = " ".join(f"{first + 2 * number} 0 R" for number in range(len(_PAGES)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R /Lang (ko-KR) >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(_PAGES)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        "<< /Type /Font /Subtype /Type0 /BaseFont /HYGoThic-Medium /Encoding /UniKS-UCS2-H /DescendantFonts [5 0 R] >>",
        "<< /Type /Font /Subtype /CIDFontType0 /BaseFont /HYGoThic-Medium /DW 1000 /W [1 [300]] "
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (Korea1) /Supplement 1 >> "
        "/FontDescriptor << /Type /FontDescriptor /FontName /HYGoThic-Medium /Flags 6 /FontBBox [0 -148 1000 880] "
        "/ItalicAngle 0 /Ascent 880 /Descent -148 /CapHeight 737 /StemV 60 >> >>",
    ]
    for number, lines in enumerate(_PAGES):
        content = _page(lines)
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {_WIDTH} {_HEIGHT}] /Contents {first + 2 * number + 1} 0 R "
            "/Resources << /Font << /Latin 3 0 R /Hangul 4 0 R >> >> >>",
            f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        ]
    return _written(objects)


def _page(lines: Sequence[str | tuple[tuple[str, ...], ...]]) -> str:
    out, y = [], float(_TOP)
    for line in lines:
        if isinstance(line, tuple):
            out.append(_table(line, y + 14))
            y -= _ROW * len(line) + 2
            continue
        size = {"# ": 18, "##": 12.5}.get(line[:2], 10.5)
        out.append(_text(_LEFT, y, size, line.lstrip("# ")))
        y -= size * 1.62 if line else 9
    return "".join(out)


def _table(rows: Sequence[Sequence[str]], top: float) -> str:
    bottom = top - _ROW * len(rows)
    lines = [
        f"0.7 w {_COLUMNS[0]} {top - _ROW * n} m {_COLUMNS[-1]} {top - _ROW * n} l S\n" for n in range(len(rows) + 1)
    ]
    lines += [f"{x} {top} m {x} {bottom} l S\n" for x in _COLUMNS]
    lines += [
        _text(x + 6, top - _ROW * n - 15, 10, cell)
        for n, row in enumerate(rows)
        for x, cell in zip(_COLUMNS, row, strict=False)
    ]
    return "".join(lines)


def _text(x: float, y: float, size: float, line: str) -> str:
    """A line that begins at a place, in runs of one font."""
    runs = []
    for run in _RUNS.findall(line):
        if run[0].isascii() or run[0] in _LATIN:
            letters = "".join(
                f"\\{code:03o}" if code in b"()\\" or code > 126 else chr(code) for code in run.encode("cp1252")
            )
            runs.append(f"/Latin {size} Tf ({letters}) Tj")
        else:
            runs.append(f"/Hangul {size} Tf <{run.encode('utf-16-be').hex()}> Tj")
    return f"BT {x:g} {y:g} Td {' '.join(runs)} ET\n" if line else ""


def _written(objects: Sequence[str]) -> bytes:
    out = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, each in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{each}\nendobj\n".encode("ascii")
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += "".join(f"{offset:010d} 00000 n \n" for offset in offsets).encode()
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)
