"""What the database, the disk or Dagster said, in one line, where it is no fault of ours."""

from __future__ import annotations

import sys

from arcana_pipelines.db.engine import NO_SPACE

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_DISK_FULL = "53100"


def in_a_line(error: BaseException) -> str | None:
    """The sentence for what such a party said; None for an error that is a fault of ours."""
    import psycopg

    kinds: list[type[Exception]] = [psycopg.Error, OSError]
    for module, name in (("sqlalchemy.exc", "SQLAlchemyError"), ("dagster", "DagsterError")):
        if module in sys.modules:
            kinds.append(getattr(sys.modules[module], name))
    if not isinstance(error, tuple(kinds)):
        return None
    if _is_disk_full(error):
        return f"The database {NO_SPACE}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no reason given'}"


def _is_disk_full(error: BaseException | None) -> bool:
    """Whatever speaks to the database (psycopg, or psycopg2 for Dagster), and whatever wrapped what that raised."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        if _DISK_FULL in (getattr(error, "sqlstate", None), getattr(error, "pgcode", None)):
            return True
        error = getattr(error, "orig", None) or error.__cause__
    return False
