"""An index in a SQLite file: how long its export and searches take, and whether they find what PostgreSQL finds.

    python benchmarks/portable_file.py                # the sample, and 20,000 made-up chunks: about five minutes
    python benchmarks/portable_file.py --scale 0.1    # a tenth of these: a look

The sample has the default model, and is asked the questions that tuning may read. The large index has it with made-up
vectors around a thousand topics (see `search_speed.py`). Exit code 1: a target was missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch
from uuid import UUID

from index_build import (
    CHUNKS_OF_A_DOCUMENT,
    Writer,
    installation,
    made_up,
    met,
    percentile,
    registered_with,
    run_stages,
)
from machine import print_machine
from search_speed import made_up_vectors

from arcana_pipelines.db.engine import Database
from arcana_pipelines.embedding.catalogue import MULTILINGUAL_MODEL, dimensions_of
from arcana_pipelines.embedding.multilingual import MultilingualEmbedder
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.operations.export_index import export_index
from arcana_pipelines.retrieval import Searcher
from arcana_pipelines.workspaces.workspaces import find
from arcana_pipelines_tests.evaluation.__main__ import own_database
from arcana_pipelines_tests.evaluation.asking import SLUG, IndexedPages
from arcana_pipelines_tests.evaluation.baseline import HANDBOOK, TUNING_SETS
from arcana_pipelines_tests.evaluation.question_file import read_questions

CHUNKS = 20_000
HITS = 10
LEAST_SHARED = 0.98
MOST_P50_MS = 100.0


def compared(
    database: Database, slug: str, workspace_id: UUID, questions: Sequence[str], most_ms: float | None = None
) -> bool:
    """Export, export again, and ask both. Without `most_ms` questions are embedded, which takes most of a search."""
    with tempfile.TemporaryDirectory() as folder, database.connection() as connection:
        file = Path(folder) / "index.sqlite"
        started, used = time.perf_counter(), time.process_time()
        first = export_index(connection, workspace_id, slug, file)
        seconds, used = time.perf_counter() - started, time.process_time() - used
        started = time.perf_counter()
        again = export_index(connection, workspace_id, slug, file)
        renewed = time.perf_counter() - started
        print(
            f"{first.chunks:,} chunks of {first.documents:,} documents: {seconds:.1f} s, "
            f"{used:.1f} of a processor beside the database; {first.bytes / 1e6:.1f} MB; "
            f"again, {again.put + again.taken} rows that differ: {renewed:.1f} s"
        )
        started, used = time.perf_counter(), time.process_time()
        with Searcher(slug, database=database) as ours, Searcher.from_file(file) as theirs:
            seconds, used = time.perf_counter() - started, time.process_time() - used
            print(f"opened and checked: {seconds:.2f} s, {used:.2f} of a processor")
            times: dict[str, list[float]] = {"PostgreSQL": [], "file": []}
            shared = same = asked = 0
            for question in questions:
                found = []
                for name, searcher in (("PostgreSQL", ours), ("file", theirs)):
                    searcher.search(question, HITS)  # neither pays for what the other has embedded
                    started = time.perf_counter()
                    hits = searcher.search(question, HITS, min_score=0.0).hits
                    times[name].append(1000 * (time.perf_counter() - started))
                    found.append([(hit.document_id, hit.position) for hit in hits])
                shared += len(set(found[0]) & set(found[1]))
                asked += len(found[0])
                same += found[0] == found[1]
        for name, each in times.items():
            print(f"{name}: p50 {percentile(each, 50):.1f} ms, p99 {percentile(each, 99):.1f} ms")
        print(f"the same ten in the same order: {same} of {len(questions)} questions\n")
        is_met = met(f"share of the first {HITS} hits that both find", shared / asked, LEAST_SHARED, at_least=True)
        if most_ms is not None:
            is_met &= met("p50 of a search in the file, ms", percentile(times["file"], 50), most_ms)
        return is_met


def sample() -> bool:
    """The sample handbook, as `arcana workspace add --sample` has it."""
    with own_database() as database:
        IndexedPages(database, HANDBOOK, MULTILINGUAL_MODEL)
        questions = [question.query for path in TUNING_SETS for question in read_questions(path)]
        with database.connection() as connection:
            workspace_id = find(connection, SLUG).workspace_id
        print(f"\n## The sample, {len(questions)} questions\n")
        return compared(database, SLUG, workspace_id, questions)


def large(chunks: int) -> bool:
    """Made-up documents."""
    with installation() as database, patch.object(MultilingualEmbedder, "embed", made_up_vectors):
        texts = made_up("large", chunks // CHUNKS_OF_A_DOCUMENT, Writer(1, sentences=7, words=12))
        index = IndexSettings.of_model(MULTILINGUAL_MODEL, dimensions_of(MULTILINGUAL_MODEL))
        workspace_id = registered_with(database, "large", texts, index)
        run_stages(database, "large")
        with database.connect() as connection:
            connection.execute("VACUUM ANALYZE")
        writer = Writer(11)
        print("\n## A large index\n")
        return compared(database, "large", workspace_id, [writer.query() for _ in range(200)], MOST_P50_MS)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="of 20,000 chunks (%(default)s)")
    given = parser.parse_args()
    print_machine()
    return 0 if all([sample(), large(int(CHUNKS * given.scale))]) else 1


if __name__ == "__main__":
    sys.exit(main())
