"""What PostgreSQL can store: JSON without what its text cannot hold, and rows of which one may be refused."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg.errors import CardinalityViolation, CheckViolation, NotNullViolation, ProgramLimitExceeded

from arcana_pipelines.db.engine import Connection

log = logging.getLogger(__name__)

Row = TypeVar("Row")

# What a source says twice, leaves out, or names as nobody does.
_OF_A_ROW = (psycopg.DataError, ProgramLimitExceeded, CardinalityViolation, CheckViolation, NotNullViolation)
_ESCAPED_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def storable_json(value: Any) -> str:
    """JSON that PostgreSQL can store: no NUL and no lone surrogates, which its text cannot hold."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if "\\u0000" in text:
        text = _ESCAPED_NUL.sub(r"\1", text)
    try:
        text.encode()  # several times as fast as a search
    except UnicodeEncodeError:
        return text.encode(errors="ignore").decode()
    return text


def each_alone(
    connection: Connection, rows: Sequence[Row], write: Callable[[Sequence[Row]], None]
) -> list[tuple[Row, str]]:
    """Write rows together; where that fails because of what is in one of them, each by itself.

    Returns those that cannot be written, with the reason.
    """
    if not rows:
        return []
    try:
        with connection.transaction():
            write(rows)
    except (*_OF_A_ROW, ValueError, TypeError, RecursionError) as error:
        if len(rows) == 1:
            # PostgreSQL shows the row besides: its text is nobody's business here.
            said = error.diag.message_primary if isinstance(error, psycopg.Error) else error
            reason = f"cannot be stored: {type(error).__name__}: {said}"
            log.warning("a page %s", reason)
            return [(rows[0], reason)]
        return [refused for row in rows for refused in each_alone(connection, [row], write)]
    return []
