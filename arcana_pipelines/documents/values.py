"""Numbers, dates and check boxes as people and Notion write them, in English and Korean: what they mean.

The forms are those of Notion's exports: `March 5, 2026 9:00 AM (GMT+9) → 10:00 AM`, `2026년 3월 5일 오후 3:30`,
`2026/03/05`, `05/03/2026`, `$1,200.50`, `1.200,50 €`, `₩1,000,000`, `50%`, `Yes`. Digits and signs may be wide ones
(`￥５，０００`). Whatever is none gives None.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal

LONGEST = 120  # characters of a number or a date with its end; a longer text is neither

_SIGNS = "[$£¥元֏؋৳฿៛₠-⃀﷼]"
_CODES = (
    "USD|EUR|GBP|JPY|KRW|CNY|CAD|AUD|NZD|HKD|SGD|TWD|INR|CHF|SEK|NOK|DKK|PLN|CZK|HUF|RON|BRL|MXN|CLP|COP|ARS|UYU|PEN|ZAR|"
    "TRY|RUB|THB|IDR|MYR|PHP|VND|AED|SAR|ILS|RM|Fr"
)
_LETTERS = "kr|zł|Kč|Ft|lei|Rp|S/"
_UNITS = "원|엔|유로|달러|위안|파운드|루피|바트|페소|프랑|루블|円"
_BEFORE = rf"(?:(?:[A-Z]{{1,3}})?\s*{_SIGNS}|(?:{_CODES})\s|(?P<glued>{_CODES})|(?:{_LETTERS})\.?)\s*"
_AFTER = rf"\s*(?:(?:[A-Z]{{1,3}})?{_SIGNS}(?:[A-Z]{{2}})?|{_CODES}|{_LETTERS}|{_UNITS})\.?"
_AMOUNT = re.compile(
    rf"(?P<minus>[-−+]?)\s*(?P<before>{_BEFORE})?(?P<minus2>[-−]?)\s*"
    rf"(?P<digits>\d(?:[\d.,'’ \u00a0\u202f]*\d)?|\.\d+)(?:[eE](?P<exponent>[+-]?\d{{1,2}}))?"
    rf"(?:(?P<percent>\s*(?:%|퍼센트))|(?P<after>{_AFTER}))?"
)
_BLANKS = re.compile(r"\s{2,}")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})*,\d{3}")  # the second is India's
# 1억 2,000만원, 300만 원, 3천만원, 1만 5천원
_COUNT = r"\d[\d,]*(?:\.\d+)?"
_BELOW_10000 = rf"(?:(?:{_COUNT})?천)?\s*(?:\d?백)?\s*(?:\d?십)?\s*(?:{_COUNT})?"
_KOREAN_AMOUNT = re.compile(
    rf"(?P<minus>[-−]?)(?:(?P<trillions>{_BELOW_10000})조)?\s*(?:(?P<hundreds>{_BELOW_10000})억)?\s*"
    rf"(?:(?P<tens>{_BELOW_10000})만)?\s*(?P<ones>{_BELOW_10000})\s*(?P<unit>원)?"
)
_KOREAN_PART = re.compile(rf"(?P<count>{_COUNT})?\s*(?P<unit>[천백십])?")
_KOREAN_UNITS = {"trillions": 10**12, "hundreds": 10**8, "tens": 10**4, "ones": 1}
_KOREAN_DIGITS = {"천": 1000, "백": 100, "십": 10, None: 1}
# Signs as wide as a Korean letter, other dashes that stand for a minus, and invisible marks.
_HALFWIDTH = {
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
    **dict(zip(map(ord, "\u3000￡￥￦﹣﹩﹪\u2010\u2011\u2012\u2013"), " £¥₩-$%----", strict=True)),
    **dict.fromkeys((0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF)),
}

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
            "september sept sep", "october oct", "november nov", "december dec",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH = rf"(?P<month_name>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})\.?"
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+)?"
_DATE_FORMS = [
    re.compile(form, re.IGNORECASE)
    for form in (
        r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})(?!\d)",
        r"(?P<year>\d{4})\s*[년年]\s*(?P<month>\d{1,2})\s*[월月]\s*(?P<day>\d{1,2})\s*[일日]"
        r"(?:\s*\(?[월화수목금토일](?:요일)?\)?(?=\s|$))?",
        r"(?P<year>\d{4})\.\s(?P<month>\d{1,2})\.\s(?P<day>\d{1,2})\.?",
        rf"{_WEEKDAY}{_MONTH}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}})(?!\d)",
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\.?\s+{_MONTH},?\s+(?P<year>\d{{4}})(?!\d)",
        r"(?P<first>\d{1,2})(?P<mark>[-/.])(?P<second>\d{1,2})(?P=mark)(?P<year>\d{4})(?!\d)",
    )
]
_HALF = r"(?:a\.?m\.?|p\.?m\.?|오전|오후)"
_TIME = re.compile(
    rf"(?:at\s+)?(?:(?P<before>{_HALF})\s*)?(?P<hour>\d{{1,2}})"
    r"(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?|시(?:\s*(?P<minutes>\d{1,2})분)?)?"
    rf"(?:\s*(?P<after>{_HALF}))?\s*(?P<zone>Z|[+-]\d{{2}}:?\d{{2}})?(?![\w:])",
    re.IGNORECASE,
)
_ZONE = re.compile(r"\(\s*(?:(?P<known>GMT|UTC|Z)?(?P<offset>[+−-]\d{1,2}(?::?\d{2})?)?|[A-Za-z_/+-]{2,40})\s*\)")
_KST = {"KST": "+9", "JST": "+9"}
_MONTH_ALONE = re.compile(r"(?P<year>\d{4})(?:[-/.](?P<month>\d{1,2})|\s*년(?:\s*(?P<month2>\d{1,2})\s*월)?)?")

_TRUE = {"yes", "true", "예", "네", "참", "checked", "__yes__", "✓", "✔", "✅", "☑", "☑️", "y", "t"}
_FALSE = {"no", "false", "아니요", "아니오", "거짓", "unchecked", "__no__", "☐", "⬜", "n", "f"}


@dataclass(frozen=True, slots=True)
class Moment:
    """A day, or a time of one.

    Attributes:
        at: the time; midnight of a day alone. It has a zone only where the text names one.
        has_time: False for a day alone.
        day_first: the order of `05/03/2026` that was read: True is the fifth of March. None where the form leaves no
            doubt.
        is_proven: only one order is possible.
    """

    at: datetime
    has_time: bool
    day_first: bool | None = None
    is_proven: bool = True

    @property
    def iso(self) -> str:
        """As the API writes it: `2026-03-05`, or `2026-03-05T09:00:00.000+09:00`."""
        return self.at.isoformat(timespec="milliseconds") if self.has_time else self.at.date().isoformat()


@dataclass(frozen=True, slots=True)
class Period:
    """A date, or a range of two.

    Attributes:
        end: the last day or time of a range, which belongs to it; None of a single date.
    """

    start: Moment
    end: Moment | None = None

    @property
    def value(self) -> dict[str, str | None]:
        """As the API has it."""
        return {"start": self.start.iso, "end": self.end.iso if self.end else None, "time_zone": None}


def halfwidth(text: str) -> str:
    """Digits, signs and letters of East Asian width (`￥５，０００`) as a keyboard has them; invisible marks go."""
    return text if text.isascii() else text.translate(_HALFWIDTH)


def read_checkbox(text: str) -> bool | None:
    """`Yes`, `No`, `예`, `아니요`, `true` and the like."""
    word = halfwidth(text).strip().casefold()
    return True if word in _TRUE else False if word in _FALSE else None


def read_number(text: str, decimal_comma: bool = False) -> Decimal | None:
    """A number, an amount of money, or a percentage (`50%` is 0.5, as in the API). `(5.00)` is less than nothing.

    A single separator before three digits separates thousands if it is a comma, and decimals if it is a point; with
    `decimal_comma` the other way about.
    """
    text = _plain(text).strip()
    if not text or len(text) > LONGEST:
        return None
    negative = text.startswith("(") and text.endswith(")")
    parts = _AMOUNT.fullmatch(text[1:-1].strip() if negative else text)
    if parts is None:
        return _korean_amount(text)
    digits = _digits(parts["digits"], decimal_comma)
    signs = bool(parts["minus"]) + bool(parts["minus2"]) + negative
    if digits is None or signs > 1 or (parts["glued"] and not signs and parts["digits"].isdigit()):
        return None  # PEN5, TRY2 may be names; PEN5.00, PEN 5 and -PEN5 are money
    number = Decimal(digits)
    if parts["exponent"]:
        number = number.scaleb(int(parts["exponent"]))
    if parts["percent"]:
        number /= 100
    return -number if negative or (parts["minus"] + parts["minus2"]).strip("+") else number


def is_decimal_comma(text: str) -> bool | None:
    """Whether the decimals of a number stand behind a comma; None when it does not tell."""
    parts = _AMOUNT.fullmatch(_plain(text[:LONGEST]).strip("() "))
    if parts is None:
        return None
    digits = parts["digits"]
    comma, point = digits.rfind(","), digits.rfind(".")
    if comma >= 0 and point >= 0:
        return comma > point
    if comma >= 0:
        return None if _GROUPED.fullmatch(digits) and digits.count(",") == 1 else digits.count(",") == 1
    if point >= 0:
        return True if digits.count(".") > 1 else None if len(digits) - point == 4 else False
    return None


def is_formatted(text: str) -> bool:
    """Whether a number says by a currency, a percent sign or separators of thousands that it is one."""
    parts = _AMOUNT.fullmatch(_plain(text[:LONGEST]).strip("() "))
    return parts is None or bool(parts["before"] or parts["after"] or parts["percent"] or "," in parts["digits"])


def _plain(text: str) -> str:
    """Half as wide, and with single blanks: the pattern of amounts tries each way to share out a run of them."""
    return _BLANKS.sub(" ", halfwidth(text))


def _digits(written: str, decimal_comma: bool) -> str | None:
    """Digits with a point before the decimals."""
    written = re.sub(r"(?<=\d)['’ \u00a0\u202f](?=\d{3}(?:\D|$))", "", written)
    if not re.fullmatch(r"[\d.,]+", written):
        return None
    comma, point = written.rfind(","), written.rfind(".")
    if comma < 0 and point < 0:
        return written
    if comma >= 0 and point >= 0:
        decimal = "," if comma > point else "."
    else:
        mark = "," if comma >= 0 else "."
        if written.count(mark) > 1:
            decimal = "." if mark == "," else ","
        elif re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", written):
            decimal = "," if decimal_comma else "."
        else:
            decimal = mark
    if decimal == ",":
        written = written.translate(str.maketrans(",.", ".,"))
    whole, _, fraction = written.partition(".")
    if "," in fraction or "." in fraction or ("," in whole and not _GROUPED.fullmatch(whole)):
        return None
    return f"{whole.replace(',', '') or '0'}.{fraction}" if fraction else whole.replace(",", "")


def _korean_amount(text: str) -> Decimal | None:
    # Many blanks between parts that may all be left out can be divided in millions of ways.
    match = _KOREAN_AMOUNT.fullmatch(" ".join(text.split()))
    if match is None:
        return None
    parts = {name: match[name] for name in _KOREAN_UNITS if match[name]}
    if not any(map(str.isdigit, text)) or (
        parts.keys() == {"ones"} and not match["unit"] and parts["ones"][-1].isdigit()
    ):
        return None
    number = sum((_below_10000(text) * _KOREAN_UNITS[name] for name, text in parts.items()), Decimal(0))
    return -number if match["minus"] else number


def _below_10000(text: str) -> Decimal:
    """`3천 5백` is 3500, `천` is 1000, `2,000` is what it says."""
    parts = (part for part in _KOREAN_PART.finditer(text) if part["count"] or part["unit"])
    return sum(
        (Decimal((part["count"] or "1").replace(",", "")) * _KOREAN_DIGITS[part["unit"]] for part in parts), Decimal(0)
    )


def read_period(text: str, day_first: bool | None = None) -> Period | None:
    """A date, with or without a time, or a range of two.

    Args:
        text: what is written.
        day_first: how `05/03/2026` is read where both orders are possible: True is the fifth of March; None reads none.
    """
    text = halfwidth(text).strip().removeprefix("@").strip()
    if not text or len(text) > LONGEST or not any(map(str.isdigit, text)):
        return None
    first, arrow, second = text.partition("→")
    named = _ZONE.search(text)
    zone = _offset(named) if named else None
    if named:
        first, second = _ZONE.sub(" ", first), _ZONE.sub(" ", second)
    start = _moment(first.strip(), day_first, zone)
    if start is None or not arrow:
        return Period(start) if start else None
    end = _moment(second.strip().removeprefix("@").strip(), day_first, zone)
    if end is None and start.has_time and (clock := _clock(second.strip())) is not None:
        end = Moment(start.at.replace(hour=clock[0], minute=clock[1], second=clock[2]), True)
    if end is None or end.at.replace(tzinfo=None) < start.at.replace(tzinfo=None):
        return None
    return Period(start, end)


def _moment(text: str, day_first: bool | None, zone: timezone | None) -> Moment | None:
    written = next((match for form in _DATE_FORMS if (match := form.match(text))), None)
    if written is None:
        return None
    parts = written.groupdict()
    order, proven = None, True
    if parts.get("first"):
        first, second = int(parts["first"]), int(parts["second"])
        proven = first > 12 or second > 12 or first == second
        # 5.3.2026 is German and the like: the day is always first.
        order = first > 12 if first > 12 or second > 12 else True if parts["mark"] == "." else day_first
        if order is None and first != second:
            return None
        day, month = (first, second) if order else (second, first)
    else:
        month = int(parts["month"]) if parts.get("month") else _MONTHS[parts["month_name"].lower()]
        day = int(parts["day"])
    rest = text[written.end() :].lstrip(", T\u00a0\u202f") if len(text) > written.end() else ""
    clock = _clock(rest)
    if rest and clock is None:
        return None
    hour, minute, second, own = clock or (0, 0, 0, None)
    try:
        at = datetime(int(parts["year"]), month, day, hour, minute, second)
        at = at.replace(tzinfo=own or zone) if clock else at
    except ValueError:
        return None
    return Moment(at, clock is not None, order, proven)


def _clock(text: str) -> tuple[int, int, int, timezone | None] | None:
    """Hour, minute, second and zone."""
    parts = _TIME.fullmatch(text)
    if parts is None:
        return None
    half = (parts["before"] or parts["after"] or "").replace(".", "").lower()
    minute = int(parts["minute"] or parts["minutes"] or 0)
    hour = int(parts["hour"])
    is_clock = parts["minute"] or half or "시" in text
    if not is_clock or hour > (12 if half else 23) or minute > 59 or int(parts["second"] or 0) > 59:
        return None
    if half in ("pm", "오후"):
        hour = hour % 12 + 12
    elif half:
        hour %= 12
    zone = _zone(parts["zone"]) if parts["zone"] else None
    return hour, minute, int(parts["second"] or 0), zone


def _offset(named: re.Match[str]) -> timezone | None:
    """`(GMT+9)`, `(UTC)`; a zone by another name has no offset that is known here."""
    name = named[0].strip("( )")
    if name.upper() in _KST:
        return _zone(_KST[name.upper()])
    if named["known"] or named["offset"]:
        return _zone(named["offset"] or "+0")
    return None


def _zone(text: str) -> timezone | None:
    if text in ("Z", "z"):
        return timezone.utc  # noqa: UP017 - the type of the others
    sign = -1 if text[0] in "-−" else 1
    digits = text[1:].replace(":", "")
    hours, minutes = (int(digits[:-2]), int(digits[-2:])) if len(digits) > 2 else (int(digits), 0)
    if hours > 14 or minutes > 59:
        return None
    return timezone(sign * timedelta(hours=hours, minutes=minutes))


def read_span(text: str) -> tuple[datetime, datetime] | None:
    """The time that a typed date means, from its beginning to its end: a year, a month, a day, a minute.

    Times are as the clock on the wall says, without a zone. `05/03/2026`, which may be March or May, is None.
    """
    text = halfwidth(text).strip()
    alone = _MONTH_ALONE.fullmatch(text)
    try:
        if alone is not None:
            year, month = int(alone["year"]), int(alone["month"] or alone["month2"] or 0)
            if not month:
                return datetime(year, 1, 1), datetime(year + 1, 1, 1)
            return datetime(year, month, 1), datetime(year + month // 12, month % 12 + 1, 1)
        period = read_period(text)
        return None if period is None or period.end else span_of(period.start)
    except (ValueError, OverflowError):
        return None


def span_of(moment: Moment) -> tuple[datetime, datetime]:
    """From its beginning to its end, without a zone."""
    at = moment.at.replace(tzinfo=None)
    return at, at + (timedelta(minutes=1) if moment.has_time else timedelta(days=1))
