"""The world's clock: every timestamp and the `Date` header come from here."""

from __future__ import annotations

from datetime import datetime

from arcana_pipelines.testing.clock import DEFAULT_START, Clock

__all__ = ["DEFAULT_START", "Clock", "expiry", "milliseconds", "minute"]


def minute(moment: datetime) -> str:
    """`moment` as Notion sends page, block and comment times: rounded down to the minute."""
    return moment.strftime("%Y-%m-%dT%H:%M:00.000Z")


def milliseconds(moment: datetime) -> str:
    """`moment` as Notion sends a database's times: with milliseconds and a numeric offset."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+00:00"


def expiry(moment: datetime) -> str:
    """`moment` as Notion sends the expiry of a signed URL."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
