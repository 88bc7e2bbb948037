"""Titles that mention a day. The CSV has `@May 5, 2026 9:00 AM`; the file counts from the day of the export and has
`@Today 9:00 AM`, `@Last Friday` or `@지난주 화요일`.

No export says its own day, but days that would be the right one for many files at once tell which file is which row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta

from arcana_pipelines.documents.values import halfwidth, read_period
from arcana_pipelines.sources.notion_export.names import loose_key

# Notion counts within a week. Whether "last Friday" may be that of the week before, no two people agree.
_FARTHEST = 13
_NAMED = {
    "yesterday": -1, "today": 0, "tomorrow": 1, "그저께": -2, "그제": -2, "어제": -1, "오늘": 0, "내일": 1, "모레": 2,
}  # fmt: skip
_WEEKDAYS = {
    name: number
    for number, names in enumerate(
        (
            "monday 월요일", "tuesday 화요일", "wednesday 수요일", "thursday 목요일", "friday 금요일",
            "saturday 토요일", "sunday 일요일",
        )
    )
    for name in names.split()
}  # fmt: skip
_BEFORE = ("last", "past", "previous", "지난")
_AFTER = ("next", "다음")
_CLOCK = (
    r"(?:(?:\s*,?\s+(?:at\s+)?|\s*)(?P<clock>(?:오전|오후)?\s*\d{1,2}:\d{2}(?::\d{2})?(?:\s*[AaPp]\.?[Mm]\.?)?)"
    r"(?:\s*\([A-Za-z]{2,5}[+−-]?[\d:]*\))?)?"
)
_RELATIVE = (
    rf"(?P<named>{'|'.join(_NAMED)})(?![A-Za-z])"
    r"|(?:(?P<side>last|past|previous|next|this|지난\s*주?|다음\s*주?|이번\s*주?)\s+)?"
    rf"(?P<weekday>{'|'.join(_WEEKDAYS)})(?![A-Za-z])"
)
_ABSOLUTE = (
    r"[A-Za-z]{3,9}\.? \d{1,2}(?:st|nd|rd|th)?,? \d{4}(?!\d)|\d{1,2}\.? [A-Za-z]{3,9}\.?,? \d{4}(?!\d)"
    r"|\d{4}(?:년\s?|[-/.]\s?)\d{1,2}(?:월\s?|[-/.]\s?)\d{1,2}일?(?!\d)|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}(?!\d)"
)
_MENTION = re.compile(rf"(?:(?:@|→)\s*(?:{_RELATIVE})|@?\s*(?P<absolute>{_ABSOLUTE})){_CLOCK}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mention:
    """One day in a title.

    Attributes:
        days: the day, or both that `05/03/2026` may be; empty for one that is counted.
        counted: how many days it may lie after the day of the export; empty for one that is not counted.
        weekday: what day of the week it is, as far as its name says so; Monday is 0.
        clock: the time of day, if it has one.
    """

    days: tuple[date, ...] = ()
    counted: range = range(0)
    weekday: int | None = None
    clock: time | None = None


@dataclass(frozen=True, slots=True)
class DatedTitle:
    """A title taken apart.

    Attributes:
        words: what stands before, between and after the mentions, in comparable form: one more than there are mentions.
        mentions: the days in it, in their order.
    """

    words: tuple[str, ...]
    mentions: tuple[Mention, ...]


def read_title(title: str) -> DatedTitle:
    """Take a title apart."""
    words: list[str] = []
    mentions: list[Mention] = []
    at = 0
    for match, mention in _mentions(halfwidth(title)):
        words.append(loose_key(title[at : match.start()]))
        mentions.append(mention)
        at = match.end()
    return DatedTitle((*words, loose_key(title[at:])), tuple(mentions))


def _mentions(title: str) -> Iterator[tuple[re.Match[str], Mention]]:
    for match in _MENTION.finditer(title):
        clock = read_period(f"2000-01-01 {match['clock']}") if match["clock"] else None
        at = clock.start.at.time() if clock else None
        if match["absolute"]:
            periods = [read_period(match["absolute"], day_first) for day_first in (True, False)]
            days = dict.fromkeys(period.start.at.date() for period in periods if period)
            # Of the first and the last days of all times there is no day before or after.
            if days and all(1 < day.year < 9999 for day in days):
                yield match, Mention(tuple(days), clock=at)
        elif match["named"]:
            yield match, _counted(_NAMED[match["named"].lower()], at)
        else:
            side = (match["side"] or "").lower()
            first = 1 if side.startswith(_AFTER) else -_FARTHEST
            last = -1 if side.startswith(_BEFORE) else _FARTHEST
            weekday = _WEEKDAYS[match["weekday"].lower()]
            yield match, Mention(counted=range(first, last + 1), weekday=weekday, clock=at)


def _counted(days: int, clock: time | None) -> Mention:
    return Mention(counted=range(days, days + 1), clock=clock)


def days_of_export(file: DatedTitle, row: DatedTitle) -> frozenset[date] | None:
    """The days on which the export may have been made if the file is the row.

    Returns:
        None where the titles cannot be one; nothing where every day will do.
    """
    if not file.mentions:
        # Counted in words of another language: the words before it are all that can be compared.
        return frozenset() if row.mentions and file.words[0].startswith(row.words[0]) else None
    if file.words != row.words:
        return None
    possible: frozenset[date] | None = None
    for here, there in zip(file.mentions, row.mentions, strict=True):
        if here.clock is not None and there.clock is not None and here.clock != there.clock:
            return None
        if not there.days:
            if here != there:
                return None
            continue
        if here.days:
            if not set(here.days) & set(there.days):
                return None
            continue
        days = frozenset(
            day - timedelta(days=count)
            for day in there.days
            if here.weekday is None or day.weekday() == here.weekday
            for count in here.counted
        )
        possible = days if possible is None else possible & days
        if not possible:
            return None
    return possible or frozenset()
