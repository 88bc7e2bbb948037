"""How long hybrid searches of a large index take: `python benchmarks/search_speed.py`.

    python benchmarks/search_speed.py                 # 100,000 chunks, about five minutes on two cores
    python benchmarks/search_speed.py --scale 0.1     # a tenth: a look

Questions go through `IndexSearcher`, one after the other over one connection: of words as frequent as words are, of the
most common words only, of words that next to no chunk has, of sixty words, and with filters that leave 20 chunks. The
embedding server is a stand-in whose answers come at once; with the local model the question is embedded in the process.
Exit code 1: a target was missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from index_build import (
    CHUNKS,
    CHUNKS_OF_A_DOCUMENT,
    Writer,
    _percentile,
    installation,
    met,
    registered,
    run_stages,
)

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.retrieval.filters import Filters, PropertyCondition
from arcana_pipelines.retrieval.index_searcher import IndexSearcher

QUESTIONS = 200
MOST_P50_MS, MOST_P99_MS, MOST_MS = 15.0, 60.0, 500.0
MOST_FILTERED_MS = 20.0
LEFT = 20 // CHUNKS_OF_A_DOCUMENT  # documents that a filter leaves


def mark(connection: Connection, workspace_id: UUID) -> None:
    """Give the documents what filters look at: an entry in the ledger, a team, a number, a place, an edit time."""
    connection.execute(
        """
        WITH numbered AS (
            SELECT d.document_id, split_part(c.contents->>'external_id', '-', 2)::int AS number,
                   c.contents->>'external_id' AS external_id
            FROM document d JOIN document_content c ON c.document_content_id = d.latest_content_id
            WHERE d.workspace_id = %(workspace)s
        ), property AS (
            INSERT INTO document_property (workspace_id, document_id, name, text)
            SELECT %(workspace)s, document_id, 'Team', 'Team ' || number / %(left)s FROM numbered
            UNION ALL SELECT %(workspace)s, document_id, 'Number', number::text FROM numbered
        ), place AS (
            UPDATE document d SET path = text2ltree(
                'w.p' || number - number %% %(left)s
                || CASE WHEN number %% %(left)s > 0 THEN '.p' || number ELSE '' END)
            FROM numbered n WHERE d.document_id = n.document_id
        )
        INSERT INTO source_page (workspace_id, external_id, kind, parent_kind, title, properties, state, document_id,
                                 last_edited_at, seen_generation, revision)
        SELECT %(workspace)s, external_id, 'row', 'data_source', external_id, '{}', 'unchanged', document_id,
               timestamptz '2026-01-01' + number * interval '1 minute', 1, ''
        FROM numbered
        """,
        {"workspace": workspace_id, "left": LEFT},
    )
    connection.commit()


def questions(writer: Writer) -> dict[str, Callable[[], str]]:
    """Kinds of questions."""
    common = writer.common(30)
    rare = writer.rare(2000)
    return {
        "four words": writer.query,
        "common words only": lambda: " ".join(writer.random.sample(common, 5)),
        "rare words": lambda: " ".join(writer.random.sample(rare, 3)),
        "sixty words": lambda: " ".join(writer.query() for _ in range(15)),
    }


def filters(documents: int, writer: Writer) -> dict[str, Filters]:
    """Filters that leave `LEFT` documents."""
    some = writer.random.randrange(documents // LEFT)
    low = some * LEFT
    return {
        "a property equals": Filters(properties=[PropertyCondition("Team", "=", f"Team {some}")]),
        "a property's range": Filters(
            properties=[PropertyCondition("Number", ">=", str(low)), PropertyCondition("Number", "<", str(low + LEFT))]
        ),
        "below a page": Filters(below=f"speed-{low}"),
    }


def timed(searcher: IndexSearcher, query: str, **options: Any) -> tuple[float, int]:
    """Milliseconds and hits."""
    started = time.perf_counter()
    found = searcher.search(query, 10, **options)
    return 1000 * (time.perf_counter() - started), len(found.hits)


def measure(database: Database, workspace_id: UUID, documents: int) -> bool:
    """Ask, and print a table."""
    writer = Writer(11)
    outcomes = []
    with database.connection() as connection:
        searcher = IndexSearcher(connection, database.settings, workspace_id)
        connection.commit()
        searcher.search("the model is loaded")
        print("| questions | p50 ms | p99 ms | longest |\n| --- | --- | --- | --- |")
        everything: list[float] = []
        for name, ask in questions(writer).items():
            times = [timed(searcher, ask())[0] for _ in range(QUESTIONS)]
            everything += times
            print(f"| {name} | {_percentile(times, 50):.1f} | {_percentile(times, 99):.1f} | {max(times):.1f} |")
        filtered: list[float] = []
        for name in filters(documents, writer):
            asked = [timed(searcher, writer.query(), filters=filters(documents, writer)[name]) for _ in range(50)]
            times = [took for took, _ in asked]
            filtered.append(_percentile(times, 50))
            outcomes.append(met(f"hits where {name}, of 10", min(hits for _, hits in asked) / 10, 1.0, at_least=True))
            print(f"| where {name} | {_percentile(times, 50):.1f} | {_percentile(times, 99):.1f} | {max(times):.1f} |")
    return all(
        [
            *outcomes,
            met("p50 of all questions, ms", _percentile(everything, 50), MOST_P50_MS),
            met("p99 of all questions, ms", _percentile(everything, 99), MOST_P99_MS),
            met("the longest, ms", max(everything), MOST_MS),
            met("p50 of the slowest filter, ms", max(filtered), MOST_FILTERED_MS),
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="of 100,000 chunks (%(default)s)")
    given = parser.parse_args()
    documents = int(CHUNKS * given.scale / CHUNKS_OF_A_DOCUMENT)
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    with installation() as database:
        workspace_id = registered(database, "speed", documents)
        run_stages(database, "speed")
        with database.connection() as connection:
            mark(connection, workspace_id)
        with database.connect(autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        print(f"\n## Searches of {documents * CHUNKS_OF_A_DOCUMENT:,} chunks with the local model\n")
        return 0 if measure(database, workspace_id, documents) else 1


if __name__ == "__main__":
    sys.exit(main())
