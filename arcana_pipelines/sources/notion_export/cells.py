"""What the cells of an export's column mean. Notion writes all of them as text for people, and says no types.

A column has the type that its cells clearly are of, all together; then each cell is a property of the same shape as
the API's (`sources/notion/properties.py`). Text stays as it is written: only its meaning is added.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from arcana_pipelines.documents.values import (
    LONGEST,
    halfwidth,
    is_decimal_comma,
    is_formatted,
    read_checkbox,
    read_number,
    read_period,
)

CellType = Literal["text", "checkbox", "date", "number", "multi_select"]

# So much of a column has to be of a type. What is not is told.
_SHARE_READ = 2 / 3
_LONGEST_OPTION = 60
_MOST_WORDS = 4  # of an option; a longer one is a phrase with a comma in it
_PHRASE_ENDS = (".", "!", "?", ":", ";", "니다", "어요", "세요")
_LEADING_ZERO = re.compile(r"[-+]?0\d")
_LISTED = re.compile(r"\(\d+\)")  # (1), (2): the numbers of a list, or less than nothing beside other amounts
_PLAIN = re.compile(r"-?(\d+)(?:\.(\d+))?")
_LONG_ID = 9  # digits: a telephone number or an id


@dataclass(frozen=True, slots=True)
class Column:
    """How the cells of a column are read.

    Attributes:
        type: what they are.
        day_first: whether 05/03/2026 is the fifth of March.
        decimal_comma: whether 1.200 is more than a thousand.
        unread: how many cells are not of the type, and stay text.
        is_guess: no cell tells which of day and month comes first.
    """

    type: CellType = "text"
    day_first: bool = False
    decimal_comma: bool = False
    unread: int = 0
    is_guess: bool = False


TEXT = Column()


def read_column(texts: Iterable[str]) -> Column:
    """Decide what a column is, from all its cells that hold something. A column that is nothing clearly is text."""
    cells = list(texts)
    if not cells:
        return TEXT
    if all(read_checkbox(cell) is not None for cell in cells):
        return Column("checkbox")
    few = int(len(cells) * (1 - _SHARE_READ) + 1e-9)
    return _dates(cells, few) or _numbers(cells, few) or _lists(cells) or TEXT


def read_value(column: Column, text: str) -> dict[str, Any]:
    """A cell as `{"type", "text", "value"}`; one that is not of its column's type is text."""
    value: Any = None
    if column.type == "checkbox":
        value = read_checkbox(text)
    elif column.type == "date":
        period = read_period(text, column.day_first)
        value = period.value if period else None
    elif column.type == "number":
        value = _json_number(read_number(text, column.decimal_comma))
    elif column.type == "multi_select":
        value = _options(text)
    if value is None:
        return {"type": "text", "text": text, "value": text}
    return {"type": column.type, "text": text, "value": value}


def _dates(cells: Sequence[str], few: int) -> Column | None:
    orders: set[bool] = set()
    doubtful = unread = 0
    for cell in cells:
        period = read_period(cell, True)
        if period is None:
            unread += 1
            if unread > few:
                return None
            continue
        for moment in (period.start, period.end):
            if moment is not None and moment.day_first is not None:
                if moment.is_proven:
                    orders.add(moment.day_first)
                else:
                    doubtful += 1
    day_first = orders == {True}
    if doubtful:
        # A range of which one order turns the ends about cannot be of that order.
        unread = sum(read_period(cell, day_first) is None for cell in cells)
    return Column("date", day_first=day_first, unread=unread, is_guess=bool(doubtful) and len(orders) != 1)


def _numbers(cells: Sequence[str], few: int) -> Column | None:
    unread = 0
    commas: set[bool | None] = set()
    plain: list[re.Match[str]] = []
    listed = 0
    for cell in map(halfwidth, cells):
        listed += _LISTED.fullmatch(cell) is not None
        if _LEADING_ZERO.match(cell):
            return None  # 007, 010-1234-5678: a name made of digits
        if read_number(cell) is None and read_number(cell, True) is None:
            unread += 1
            if unread > few:
                return None
            continue
        if not is_formatted(cell) and (match := _PLAIN.fullmatch(cell)):
            plain.append(match)
        commas.add(is_decimal_comma(cell))
    decimal_comma = True in commas and False not in commas
    if listed + unread == len(cells) or (not decimal_comma and _are_names(plain, len(cells))):
        return None
    return Column("number", decimal_comma=decimal_comma, unread=unread)


def _are_names(plain: Sequence[re.Match[str]], count: int) -> bool:
    """Whether digits without any sign of a number are ids, telephone numbers or versions."""
    if 3 * sum(len(match[1]) >= _LONG_ID for match in plain) > count:
        return True
    fractions = [match[2] for match in plain if match[2]]
    if not any(fraction.endswith("0") for fraction in fractions):
        return False
    # Notion writes 1.1 for the number 1.10: this is either money with two decimals everywhere, or a version.
    is_money = {len(match[2] or "") for match in plain} == {2} and any(len(match[1]) >= 3 for match in plain)
    return not is_money


def _lists(cells: Sequence[str]) -> Column | None:
    several = 0
    for cell in cells:
        options = _options(cell)
        if options is None:
            return None
        several += len(options) > 1
    return Column("multi_select") if several else None


def _options(text: str) -> list[str] | None:
    """The options of a cell; None for one that is prose."""
    if len(text) > 20 * LONGEST or "\n" in text:
        return None
    if read_period(text, True) or read_number(text) is not None:
        return [text]  # March 5, 2026 is one
    options = [option.strip() for option in text.split(", ")]
    for option in options:
        if not option or len(option) > _LONGEST_OPTION or "," in option or len(option.split()) > _MOST_WORDS:
            return None
        if len(options) > 1 and option.endswith(_PHRASE_ENDS) and len(option.split()) > 1:
            return None
    return options if len(set(options)) == len(options) else None


def _json_number(number: Decimal | None) -> int | float | None:
    if number is None:
        return None
    return int(number) if number == number.to_integral_value() else float(number)
