"""How long a server asks to wait: Retry-After (RFC 9110, 10.2.3)."""

from __future__ import annotations

import email.utils
import math
from datetime import UTC, datetime
from functools import lru_cache

# More than that is taken for that much: a later sync asks again, and a person reads the number.
LONGEST_NAMED_SECONDS = 86_400.0


def retry_after(value: str | None, date: str | None = None) -> float | None:
    """Seconds from a number or an HTTP date, or None when it is neither.

    A date is read against `date`, the answer's own `Date`: our clock may differ from the server's.
    """
    if (seconds := number_of_seconds(value)) is not None:
        return seconds
    if (when := http_date(value)) is None:
        return None
    return _bounded((when - (http_date(date) or datetime.now(UTC))).total_seconds())


def number_of_seconds(value: str | None, unit: float = 1.0) -> float | None:
    """Seconds from a number of such units (in seconds), or None when it is not a number."""
    try:
        number = float(value or "")
    except ValueError:
        return None
    return None if math.isnan(number) else _bounded(number * unit)


def _bounded(seconds: float) -> float:
    return min(max(0.0, seconds), LONGEST_NAMED_SECONDS)


@lru_cache(16)  # many answers of a second say the same
def http_date(value: str | None) -> datetime | None:
    """The time that a header says, or None when it says none."""
    if not value:
        return None
    try:
        when = email.utils.parsedate_to_datetime(value)
        return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
