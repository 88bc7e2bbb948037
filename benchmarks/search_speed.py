"""How long hybrid searches of a large index take: `python benchmarks/search_speed.py`.

    python benchmarks/search_speed.py                 # 100,000 chunks, about five minutes on two cores
    python benchmarks/search_speed.py --scale 0.1     # a tenth: a look
    python benchmarks/search_speed.py --default-model # with passages; made-up vectors around a thousand topics

Questions go through `ConnectionSearcher`, one after the other over one connection: of words as frequent as words are,
of the most common words only, of words that next to no chunk has, of sixty words, and with filters that leave 20
chunks. The index has the small model, or the default one. Exit code 1: a target was missed.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import cache
from typing import Any
from unittest.mock import patch
from uuid import UUID

import numpy as np
import psycopg
from index_build import (
    CHUNKS,
    CHUNKS_OF_A_DOCUMENT,
    Writer,
    installation,
    made_up,
    met,
    percentile,
    registered,
    registered_with,
    run_stages,
)
from machine import print_machine

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.embedding.catalogue import MULTILINGUAL_MODEL, dimensions_of
from arcana_pipelines.embedding.multilingual import MultilingualEmbedder
from arcana_pipelines.embedding.protocol import Embedded, Vectors
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.retrieval.filters import Filters, PropertyCondition
from arcana_pipelines.retrieval.search_request import SearchRequest

QUESTIONS = 200
MOST_P50_MS, MOST_P99_MS, MOST_MS = 15.0, 60.0, 500.0
MOST_P50_DEFAULT_MS, MOST_P99_DEFAULT_MS = 30.0, 90.0
TOPICS = 1000
MOST_FILTERED_MS = 20.0
LEFT = 20 // CHUNKS_OF_A_DOCUMENT  # documents that a filter leaves
_DOCUMENT = re.compile(r"Document (\d+)")


def mark(connection: Connection, workspace_id: UUID) -> None:
    """Give the documents what filters look at: a team, a number, a place."""
    connection.execute(
        """
        WITH numbered AS (
            SELECT document_id, split_part(external_id, '-', 2)::int AS number
            FROM source_page WHERE workspace_id = %(workspace)s
        ), property AS (
            INSERT INTO document_property (workspace_id, document_id, name, text, number)
            SELECT %(workspace)s, document_id, 'Team', 'Team ' || number / %(left)s, NULL FROM numbered
            UNION ALL SELECT %(workspace)s, document_id, 'Number', number::text, number FROM numbered
        ), place AS (
            UPDATE document d SET path = text2ltree(
                'w.p' || number - number %% %(left)s
                || CASE WHEN number %% %(left)s > 0 THEN '.p' || number ELSE '' END)
            FROM numbered n WHERE d.document_id = n.document_id
        )
        SELECT count(*) FROM numbered
        """,
        {"workspace": workspace_id, "left": LEFT},
    )


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


class TimedCursor(psycopg.Cursor[Any]):
    """Adds up the seconds of all statements."""

    seconds = 0.0

    def execute(self, *args: Any, **options: Any) -> Any:
        started = time.perf_counter()
        try:
            return super().execute(*args, **options)
        finally:
            TimedCursor.seconds += time.perf_counter() - started


class Times:
    """Milliseconds of searches: within statements, and as the caller waits."""

    def __init__(self) -> None:
        self.database: list[float] = []
        self.whole: list[float] = []

    def search(self, searcher: ConnectionSearcher, query: str, **options: Any) -> int:
        """Search once; returns the number of hits."""
        TimedCursor.seconds, started = 0.0, time.perf_counter()
        found = searcher.search(SearchRequest(query, 10, **options))
        self.whole.append(1000 * (time.perf_counter() - started))
        self.database.append(1000 * TimedCursor.seconds)
        return len(found.hits)

    def row(self, name: str) -> str:
        """A line of the table."""
        figures = [
            f"{percentile(times, 50):.1f} | {percentile(times, 99):.1f}" for times in (self.database, self.whole)
        ]
        return f"| {name} | {' | '.join(figures)} | {max(self.whole):.1f} |"


def made_up_vectors(_: MultilingualEmbedder, texts: Sequence[str]) -> Embedded:
    """In place of the model's, which would take hours: each passage is near the topic of its document, a question near
    any of them.
    """
    topics = _topics()
    vectors = np.empty((len(texts), topics.shape[1]), np.float32)
    for at, text in enumerate(texts):
        noise = np.random.default_rng(zlib.crc32(text.encode())).standard_normal(topics.shape[1] + 1, np.float32)
        document = _DOCUMENT.search(text)
        topic = int(document[1]) if document else int(abs(noise[-1]) * 1e6)
        vectors[at] = topics[topic % TOPICS] + 0.7 * noise[:-1] / np.sqrt(topics.shape[1])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Embedded(vectors, 100 * len(texts), [100] * len(texts))


@cache
def _topics() -> Vectors:
    made = np.random.default_rng(1).standard_normal((TOPICS, dimensions_of(MULTILINGUAL_MODEL)), np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def measure(database: Database, workspace_id: UUID, documents: int, p50_ms: float, p99_ms: float) -> bool:
    """Ask, and print a table."""
    writer = Writer(11)
    with database.connection() as connection:
        searcher = ConnectionSearcher(connection, database.settings, workspace_id)
        connection.cursor_factory = TimedCursor
        for _ in range(50):
            searcher.search(SearchRequest(writer.query()))
        print("| questions | p50 ms in the database | p99 | p50 ms as a whole | p99 | longest |")
        print("| --- | --- | --- | --- | --- | --- |")
        everything = Times()
        for name, ask in questions(writer).items():
            times = Times()
            for _ in range(QUESTIONS):
                times.search(searcher, ask())
            everything.database += times.database
            everything.whole += times.whole
            print(times.row(name))
        print(everything.row("all of these"))
        slowest, fewest = 0.0, 10
        for name in filters(documents, writer):
            times = Times()
            for _ in range(50):
                hits = times.search(searcher, writer.query(), filters=filters(documents, writer)[name])
                fewest = min(fewest, hits)
            slowest = max(slowest, percentile(times.whole, 50))
            print(times.row(f"where {name}: 20 chunks"))
    print()
    return all(
        [
            met("p50 in the database, ms", percentile(everything.database, 50), p50_ms),
            met("p99 in the database, ms", percentile(everything.database, 99), p99_ms),
            met("the longest as a whole, ms", max(everything.whole), MOST_MS),
            met("fewest hits behind a filter that leaves 20 chunks", fewest, 10, at_least=True),
            met("p50 of the slowest filter as a whole, ms", slowest, MOST_FILTERED_MS),
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="of 100,000 chunks (%(default)s)")
    parser.add_argument("--default-model", action="store_true", help="an index with passages, of the default model")
    given = parser.parse_args()
    documents = int(CHUNKS * given.scale / CHUNKS_OF_A_DOCUMENT)
    print_machine()
    made_up_model = patch.object(MultilingualEmbedder, "embed", made_up_vectors)
    with installation() as database, made_up_model if given.default_model else nullcontext():
        if given.default_model:
            index = IndexSettings.of_model(MULTILINGUAL_MODEL, dimensions_of(MULTILINGUAL_MODEL))
            texts = made_up("speed", documents, Writer(1, sentences=7, words=12))
            workspace_id = registered_with(database, "speed", texts, index)
        else:
            workspace_id = registered(database, "speed", documents)
        run_stages(database, "speed")
        with database.connection() as connection:
            mark(connection, workspace_id)
        with database.connect() as connection:
            connection.execute("VACUUM ANALYZE")
            (chunks,) = connection.execute("SELECT count(*) FROM document_chunk").fetchone() or (0,)
            (passages,) = connection.execute("SELECT count(*) FROM passage").fetchone() or (0,)
        print(f"\n## Searches of {chunks:,} chunks with {passages:,} passages\n")
        most = (MOST_P50_DEFAULT_MS, MOST_P99_DEFAULT_MS) if given.default_model else (MOST_P50_MS, MOST_P99_MS)
        return 0 if measure(database, workspace_id, documents, *most) else 1


if __name__ == "__main__":
    sys.exit(main())
