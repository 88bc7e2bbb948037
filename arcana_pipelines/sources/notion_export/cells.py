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

# A column has a type if at most a third of its cells is not of it, or half where they are not lists either. Notion has
# no mixed columns: then a person wrote into the CSV, or it is a text, or we do not know how Notion wrote it. So it is
# told, also of a text of which a fifth reads as something else.
_UNREAD_BESIDE_LISTS = 1 / 3
_UNREAD = 1 / 2
_UNREAD_IN_TEXT = 4 / 5
_LONGEST_OPTION = 60
_MOST_WORDS = 4  # of an option; a longer one is a phrase with a comma in it
_PHRASE_ENDS = (".", "!", "?", ":", ";", "니다", "어요", "세요")
_LEADING_ZERO = re.compile(r"[-+]?0\d")
_LISTED = re.compile(r"\(\d+\)")  # (1), (2): the numbers of a list, or less than nothing beside other amounts
_PLAIN = re.compile(r"-?(\d+)(?:\.(\d+))?")
_LONG_ID = 9  # digits: a telephone number or an id
_KINDS = {"text": "texts", "date": "dates", "number": "numbers", "checkbox": "check boxes", "multi_select": "lists"}


@dataclass(frozen=True, slots=True)
class Column:
    """How the cells of a column are read.

    Attributes:
        type: what they are.
        day_first: whether 05/03/2026 is the fifth of March.
        decimal_comma: whether 1.200 is more than a thousand.
        is_guess: no cell tells which of day and month comes first.
        count: how many cells hold something.
        unread: how many of these are not of the type, and stay text.
        resembles: of a text, the type that all but `unread` of its cells are of.
    """

    type: CellType = "text"
    day_first: bool = False
    decimal_comma: bool = False
    is_guess: bool = False
    count: int = 0
    unread: int = 0
    resembles: Literal["date", "number"] | None = None

    def remarks(self) -> list[str]:
        """What of the column cannot be read as what it is, in words that follow its name."""
        said = []
        if self.resembles is not None:
            some = _of(self.count - self.unread, self.count, f"a {self.resembles}", f"{self.resembles}s")
            said.append(f"{some} and the others are not; all are taken as text")
        elif self.unread:
            said.append(
                f"of {_KINDS[self.type]}, {_of(self.unread, self.count, 'none')}; --where finds such cells as text only"
            )
        if self.is_guess:
            said.append("of dates, no cell tells whether the day or the month is first; the month is taken for it")
        return said


TEXT = Column()


def read_column(texts: Iterable[str]) -> Column:
    """Decide what a column is, from all its cells that hold something. A column that is nothing clearly is text."""
    cells = list(texts)
    if not cells:
        return TEXT
    if all(read_checkbox(cell) is not None for cell in cells):
        return Column("checkbox", count=len(cells))
    columns = [column for column in (_dates(cells), _numbers(cells)) if column is not None]
    best = min(columns, key=lambda column: column.unread, default=TEXT)
    share = best.unread / len(cells) if columns else 1.0
    if share <= _UNREAD_BESIDE_LISTS:
        return best
    if (lists := _lists(cells)) is not None:
        return lists
    if share <= _UNREAD:
        return best
    if best.type in ("date", "number") and share <= _UNREAD_IN_TEXT:
        return Column(count=len(cells), unread=best.unread, resembles=best.type)
    return TEXT


def unread_in(column: Column, texts: Iterable[str]) -> Column:
    """The column as far as it concerns cells that had no part in deciding what it is."""
    cells = [text for text in texts if text]
    unread = sum(read_value(column, cell)["type"] != column.type for cell in cells)
    return Column(column.type, count=len(cells), unread=unread)


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


def _dates(cells: Sequence[str]) -> Column | None:
    orders: set[bool] = set()
    doubtful = read = 0
    for cell in cells:
        period = read_period(cell, True)
        if period is None:
            continue
        read += 1
        for moment in (period.start, period.end):
            if moment is not None and moment.day_first is not None:
                if moment.is_proven:
                    orders.add(moment.day_first)
                else:
                    doubtful += 1
    day_first = orders == {True}
    if doubtful:
        # A range of which one order turns the ends about cannot be of that order.
        read = sum(read_period(cell, day_first) is not None for cell in cells)
    if not read:
        return None
    is_guess = bool(doubtful) and len(orders) != 1
    return Column("date", day_first=day_first, is_guess=is_guess, count=len(cells), unread=len(cells) - read)


def _numbers(cells: Sequence[str]) -> Column | None:
    read = listed = 0
    commas: set[bool | None] = set()
    plain: list[re.Match[str]] = []
    for cell in map(halfwidth, cells):
        if _LEADING_ZERO.match(cell):
            return None  # 007, 010-1234-5678: a name made of digits
        if read_number(cell) is None and read_number(cell, True) is None:
            continue
        read += 1
        listed += _LISTED.fullmatch(cell) is not None
        if not is_formatted(cell) and (match := _PLAIN.fullmatch(cell)):
            plain.append(match)
        commas.add(is_decimal_comma(cell))
    decimal_comma = True in commas and False not in commas
    if read == listed or (not decimal_comma and _are_names(plain, read)):
        return None
    return Column("number", decimal_comma=decimal_comma, count=len(cells), unread=len(cells) - read)


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
    return Column("multi_select", count=len(cells)) if several else None


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


def _of(some: int, count: int, one: str, several: str | None = None) -> str:
    cells = "cell" if count == 1 else "cells"
    return f"{some} of {count} {cells} is {one}" if some == 1 else f"{some} of {count} {cells} are {several or one}"


def _json_number(number: Decimal | None) -> int | float | None:
    if number is None:
        return None
    return int(number) if number == number.to_integral_value() else float(number)
