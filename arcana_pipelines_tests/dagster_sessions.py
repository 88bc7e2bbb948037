"""Dagster's storage in PostgreSQL connects for each statement, 350 times in a sync: a third of the time that one takes.

Here it keeps its sessions, of the database that was asked for last.
"""

from __future__ import annotations

from typing import Any

from dagster_postgres.event_log import event_log
from dagster_postgres.run_storage import run_storage
from dagster_postgres.schedule_storage import schedule_storage
from dagster_postgres.utils import create_pg_engine
from sqlalchemy import Engine, NullPool, QueuePool

_engines: dict[str, Engine] = {}


def _engine(url: str, *tokens: Any, **told: Any) -> Engine:
    if told.get("poolclass") is not NullPool:
        return create_pg_engine(url, *tokens, **told)
    if url not in _engines:
        while _engines:
            _engines.popitem()[1].dispose()
        # A test may have ended the sessions.
        kept = {"poolclass": QueuePool, "max_overflow": -1, "pool_pre_ping": True}
        _engines[url] = create_pg_engine(url, *tokens, **{**told, **kept})
    return _engines[url]


def keep_sessions() -> None:
    """From now on, in this process."""
    for module in (event_log, run_storage, schedule_storage):
        module.create_pg_engine = _engine  # type: ignore[attr-defined]
