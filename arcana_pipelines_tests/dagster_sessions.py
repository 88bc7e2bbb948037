"""Dagster's storage in PostgreSQL connects for each statement, 350 times in a sync: a third of the time that one takes.

Here it keeps its sessions, of the database that was asked for last. Of its files it makes an engine for each statement,
which knows no statement of before; here one for each file.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from dagster_postgres.event_log import event_log
from dagster_postgres.run_storage import run_storage
from dagster_postgres.schedule_storage import schedule_storage
from dagster_postgres.utils import create_pg_engine
from sqlalchemy import Engine, NullPool, QueuePool, create_engine

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


@cache
def _engine_of_file(url: str) -> Engine:
    return create_engine(url, poolclass=NullPool, connect_args={"timeout": 30})


def keep_sessions() -> None:
    """From now on, in this process."""
    for module in (event_log, run_storage, schedule_storage):
        module.create_pg_engine = _engine  # type: ignore[attr-defined]
    for module in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
        module.create_engine = lambda url, **_: _engine_of_file(url)  # type: ignore[attr-defined]
