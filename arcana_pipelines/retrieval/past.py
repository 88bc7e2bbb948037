"""The past of an index: what stands for a build's tables in a search of what they showed at a time.

A retired chunk keeps the times from which and until which it was seen, and its words (`retired_chunk_terms`), until
the purge. So the tables of that time are a condition on those of today, written once in `past_chunks.sql`
and `past_versions.sql`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, LiteralString

from psycopg import sql

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import NotRemembered, WrongUse
from arcana_pipelines.indexes.builds import chunk_table, terms_table

load_sql = statements_beside(__file__)


def chunks_then(build: int) -> sql.Composable:
    """What a build's chunks were at the time in the parameter `as_of`; also wants the parameter `build`."""
    return _inner(load_sql("past_chunks"), chunks=sql.Identifier(chunk_table(build)))


def versions_then() -> sql.Composable:
    """Which version of each document the build in the parameter `build` served then, with the chunks of each."""
    return _inner(load_sql("past_versions"))


def versions_remembered() -> sql.Composable:
    """Which versions of the document in the parameter `document_id` the index in the parameter `index` served."""
    return _inner(load_sql("remembered_versions"))


def terms_then(build: int) -> sql.Composable:
    """What their words were."""
    return _inner(load_sql("past_terms"), chunks=chunks_then(build), words=words(build))


def words(build: int) -> sql.Composable:
    """The words of all chunks of a build: for the scores of known chunks, where looking twice would be slow."""
    return _inner(load_sql("past_words"), terms=sql.Identifier(terms_table(build)))


def refusal(connection: Connection, index: str, key: Mapping[str, Any]) -> WrongUse:
    """Why no build of an index tells what it showed at a time; `key` has the parameters of `past_serving.sql`."""
    row = connection.execute(load_sql("past_known"), key).fetchone()
    assert row is not None
    is_future, now, since = row
    asked = _shown(key["as_of"])
    if is_future:
        return WrongUse(f"{asked} is still to come: by the database's clock it is {_shown(now)}.")
    known = f"It can be asked for times since {_shown(since)}." if since else "It can be asked for no earlier time."
    return NotRemembered(
        f"What the index '{index}' showed at {asked} is not known: it did not serve yet, or what was replaced or "
        f"removed has been purged. {known} Older versions of pages are kept (table document_content), but not "
        "searchable."
    )


def _inner(statement: LiteralString, **names: sql.Composable) -> sql.Composable:
    return sql.SQL("({})").format(sql.SQL(statement).format(**names))


def _shown(time: datetime) -> str:
    return time.isoformat(sep=" ")
