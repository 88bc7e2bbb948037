"""What searches by words need of a build: an index of its chunks' keys, and how many chunks have each key.

Both are made once, after the first load, at a fraction of what it takes to keep them up row by row; from then on
each publish keeps them.
"""

from __future__ import annotations

from psycopg import sql

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import scalar
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.indexes.builds import Build, terms_table

load_sql = statements_beside(__file__)

# So many chunks leave a list that every search would read from end to end.
CLEAN_FROM = 500


def is_loaded(connection: Connection, build: Build) -> bool:
    """False until the build's first load is finished."""
    return bool(scalar(connection, "SELECT to_regclass(%s) IS NOT NULL", [keys_index_of(build)]))


def is_half_loaded(connection: Connection, build: Build) -> bool:
    """True when a first load was interrupted behind its last row."""
    is_half: bool = scalar(
        connection,
        "SELECT to_regclass(%s) IS NULL AND EXISTS (SELECT 1 FROM chunk_terms WHERE rag_index_build_id = %s)",
        [keys_index_of(build), build.rag_index_build_id],
    )
    return is_half


def finish_load(connection: Connection, build: Build) -> None:
    """Count and index the words of a build that has been loaded. Readers go on."""
    table = sql.Identifier(terms_table(build.rag_index_build_id))
    with connection.transaction():
        connection.execute("DELETE FROM term_count WHERE rag_index_build_id = %s", [build.rag_index_build_id])
        connection.execute(load_sql("term_counts"), build.params)
        connection.execute(
            sql.SQL("CREATE INDEX {} ON {} USING gin (keys)").format(sql.Identifier(keys_index_of(build)), table)
        )
    connection.execute(sql.SQL("ANALYZE {}, {}, term_count").format(table, sql.Identifier(build.table)))


def tidy(connection: Connection, build: Build, published: int) -> None:
    """Sort what a large publish has left for later."""
    if published >= CLEAN_FROM:
        connection.execute("SELECT gin_clean_pending_list(%s::regclass)", [keys_index_of(build)])


def keys_index_of(build: Build) -> str:
    """The name of a build's index of keys."""
    return f"{terms_table(build.rag_index_build_id)}_keys_idx"
