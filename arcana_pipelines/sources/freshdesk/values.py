"""What stands in Freshdesk's JSON, read without trust: nothing here raises."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from arcana_pipelines.markdown.characters import clean

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


LONGEST_NAME = 500
LARGEST = 10**18 - 1
"""Of ids and codes."""


def number(value: object) -> int | None:
    """An id or a code; None for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST else None


def line(value: object) -> str:
    """A text on one line; empty for what is none."""
    return " ".join(clean(value).split()) if isinstance(value, str) else ""


def name(value: object) -> str:
    """What somebody or something is called; empty for what is none. Longer ones than an index takes are cut."""
    return line(value)[:LONGEST_NAME]


def text(value: object) -> str:
    """A text as it stands; empty for what is none."""
    return value if isinstance(value, str) else ""


def mapping(value: object) -> Mapping[str, Any]:
    """An object; empty for what is none."""
    return value if isinstance(value, Mapping) else {}


def listed(value: object) -> list[Any]:
    """A list; empty for what is none. Fields that hold lists hold a text now and then: that is a list of one."""
    if isinstance(value, str):
        return [value] if value.strip() else []
    return value if isinstance(value, list) else []


def moment(value: object) -> datetime:
    """A time with any offset as aware UTC; something unreadable is long ago, so that it never hides an edit."""
    try:
        when = datetime.fromisoformat(text(value))
        when = when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return LONG_AGO
    return max(when, LONG_AGO)


def iso(value: object) -> str:
    """A time as ISO 8601 in UTC."""
    return moment(value).isoformat()
