"""What a database holds, so that a restored one can be compared with it: rows, sums over them, and searches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from psycopg import sql

from arcana_pipelines.backup.vault import Part, PartWriter, Vault
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.query import scalars
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.retrieval.query_embedders import QueryEmbedders
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.retrieval.searcher import Searcher
from arcana_pipelines.settings import Settings

load_sql = statements_beside(__file__)

PART = "facts"
SEARCHES = 20
HITS = 10
# An approximate index that is built anew may miss another one of ten.
_SAME_HITS = 8

# Rows as text: of every type, and the same on every machine.
_AS_TEXT = (
    "SELECT set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO, MDY', true), "
    "set_config('intervalstyle', 'iso_8601', true), set_config('bytea_output', 'hex', true), "
    "set_config('extra_float_digits', '1', true), set_config('statement_timeout', '0', true)"
)
_SUM = "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM ONLY {} t"

Sums = dict[str, list[Any]]


def sums(connection: Connection, schema: str) -> Sums:
    """Of each table of a schema how many rows it has, and a sum over all of them. In a transaction of the caller's."""
    connection.execute(_AS_TEXT)
    found: Sums = {}
    for name in scalars(connection, load_sql("tables_to_sum"), {"schema": schema}):
        row = connection.execute(sql.SQL(_SUM).format(sql.Identifier(schema, name))).fetchone()
        assert row is not None
        found[str(name)] = [int(row[0]), str(row[1])]
    return found


def searches(database: Database, settings: Settings) -> list[dict[str, Any]]:
    """Titles of pages, searched for: which documents were found, in their order. PostgreSQL answers, and no target."""
    with database.connection() as connection:
        asked = connection.execute(load_sql("titles_to_search"), {"most": SEARCHES}).fetchall()
    found: list[dict[str, Any]] = []
    embedders = QueryEmbedders(settings)
    for slug, title in asked:
        with closing(Searcher(slug, settings=settings, database=database, embedders=embedders)) as searcher:
            try:
                hits = searcher.search(SearchRequest(title[:500], k=HITS, target="pgvector", min_score=0)).hits
            except ArcanaError:  # its embedding provider does not answer, say: nothing is known of it then
                continue
        found.append({"workspace": slug, "query": title[:500], "documents": [str(hit.document_id) for hit in hits]})
    return found


def keep(vault: Vault, folder: str, facts: Mapping[str, Any]) -> Part:
    """Keep what a backup's database holds."""
    with PartWriter(vault, folder, PART) as writer:
        writer.write(json.dumps(facts).encode())
    return writer.part


def steady(before: Sums, after: Sums) -> Sums:
    """Of what two looks at a database found, what both did: it was so all the time."""
    return {name: found for name, found in before.items() if after.get(name) == found}


def differences(expected: Sums, found: Sums) -> list[str]:
    """By what tables differ, a line each."""
    lines = []
    for name, (rows, total) in expected.items():
        if name not in found:
            lines.append(f"{name} is missing")
        elif found[name][0] != rows:
            lines.append(f"{name} has {found[name][0]} rows, and had {rows}")
        elif found[name][1] != total:
            lines.append(f"{name} has other rows")
    return lines


def other_answers(expected: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[str]:
    """By what searches differ, a line each. No query is part of it."""
    answers = {(each["workspace"], each["query"]): each["documents"] for each in found}
    lines = []
    for number, each in enumerate(expected, start=1):
        before, now = each["documents"], answers.get((each["workspace"], each["query"]))
        if now is None:
            lines.append(f"search {number} in {each['workspace']} was not answered")
        elif before[:1] != now[:1] or len(set(before) & set(now)) < min(_SAME_HITS, len(set(before))):
            lines.append(f"search {number} in {each['workspace']} finds other documents")
    return lines
