"""What grows with what: `python benchmarks/scale.py`.

    python benchmarks/scale.py                        # 10,000 and 100,000 chunks in one workspace, half an hour
    python benchmarks/scale.py --chunks 1000000       # an hour or two on two cores, 25 GB of disk
    python benchmarks/scale.py --chunks 100000 --workspaces 100

Chunks are of the default model's size (384 dimensions), with their passages. Texts are made of words as frequent as
words are, vectors are made up around a thousand topics and not computed. Told are: the rates of cutting and of
publishing, with the making of the indexes told apart, the size of each table, searches, the recall of the approximate
index, a sync without news, memory, the time of a promotion, and what a tenth of the documents edited adds, each by a
word, twice. Nothing is a target but the searches of a million chunks.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

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
from search_speed import TimedCursor, Times, made_up_vectors, mark
from search_speed import filters as made_filters
from sync_requests import peak_megabytes

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.embedding.catalogue import MULTILINGUAL_MODEL, dimensions_of
from arcana_pipelines.embedding.multilingual import MultilingualEmbedder
from arcana_pipelines.indexes import lifecycle, promotion
from arcana_pipelines.indexes.builds import IndexSettings, builds_of
from arcana_pipelines.indexes.targets.pgvector import ann, terms
from arcana_pipelines.operations.status import workspace_status
from arcana_pipelines.pipeline.purpose import Purpose
from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.workspaces import workspaces

MOST_P50_MS, MOST_P99_MS = 30.0, 150.0
MILLION = 1_000_000
QUESTIONS = 200


def load(database: Database, chunks: int, number: int) -> list[str]:
    """So many workspaces of equal size, cut, embedded and published; returns their slugs."""
    index = IndexSettings.of_model(MULTILINGUAL_MODEL, dimensions_of(MULTILINGUAL_MODEL))
    documents = max(1, chunks // number // CHUNKS_OF_A_DOCUMENT)
    slugs = [f"scale{each}" for each in range(number)]
    seconds: dict[str, float] = {}
    with told_apart(seconds, lifecycle, "ensure_ann"), told_apart(seconds, terms, "finish_load"):
        for seed, slug in enumerate(slugs):
            registered_with(database, slug, made_up(slug, documents, Writer(seed, sentences=7, words=12)), index)
            for stage, took in run_stages(database, slug)["seconds"].items():
                seconds[stage] = seconds.get(stage, 0.0) + took
    for stage in ("chunk", "embed", "publish"):
        print(f"| {stage} | {seconds[stage]:.0f} s | {chunks / seconds[stage]:,.0f} chunks a second |")
    print(f"| of publish: the index of the words | {seconds['finish_load']:.0f} s |")
    print(f"| of publish: the index of the vectors, and measuring that | {seconds['ensure_ann']:.0f} s |", flush=True)
    with database.connection() as connection:
        for slug in slugs:
            mark(connection, workspaces.find(connection, slug).workspace_id)
    return slugs


@contextlib.contextmanager
def told_apart(seconds: dict[str, float], module: Any, name: str) -> Iterator[None]:
    """Add up the seconds of a function that the stages call."""
    real = getattr(module, name)
    seconds[name] = 0.0

    def measured(*args: Any) -> Any:
        started = time.monotonic()
        try:
            return real(*args)
        finally:
            seconds[name] += time.monotonic() - started

    with patch.object(module, name, measured):
        yield


def sizes(database: Database, chunks: int) -> dict[str, int]:
    """Print what each table takes a chunk, its indexes and its TOAST with it; returns the bytes by table."""
    with database.connect() as connection:
        timed("VACUUM ANALYZE of everything", lambda: connection.execute("VACUUM ANALYZE"))
        rows = connection.execute(
            "SELECT regexp_replace(relname, '_b[0-9]+$', ''), sum(pg_total_relation_size(oid))::bigint FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace GROUP BY 1 ORDER BY 2 DESC"
        ).fetchall()
    for name, size in rows[:10]:
        print(f"| {name} | {size / 1e6:,.0f} MB | {size / chunks:,.0f} bytes a chunk |", flush=True)
    return dict(rows)


def searches(database: Database, slug: str) -> Times:
    """Searches of each kind; returns the times of the hybrid ones."""
    writer = Writer(11)
    with database.connection() as connection:
        workspace_id = workspaces.find(connection, slug).workspace_id
        (documents,) = connection.execute(
            "SELECT count(*) FROM document WHERE workspace_id = %s", [workspace_id]
        ).fetchone() or (0,)
        (now,) = connection.execute("SELECT clock_timestamp()").fetchone() or (None,)
        searcher = ConnectionSearcher(connection, database.settings, workspace_id)
        connection.cursor_factory = TimedCursor
        found = made_filters(max(documents, 20), writer)
        kinds: dict[str, tuple[int, dict[str, Any]]] = {
            "hybrid": (QUESTIONS, {}),
            "words": (QUESTIONS, {"ranking": "lexical"}),
            "meaning": (QUESTIONS, {"ranking": "dense"}),
            "filtered to 20 chunks": (50, {"filters": found["a property equals"]}),
            "of the past": (5, {"as_of": now}),
        }
        print("| search | p50 ms in the database | p99 | p50 ms as a whole | p99 | longest |")
        all_times: dict[str, Times] = {}
        for name, (number, options) in kinds.items():
            times = all_times[name] = Times()
            for _ in range(10 if number > 5 else 1):
                Times().search(searcher, writer.query(), **options)
            for _ in range(number):
                times.search(searcher, writer.query(), **options)
            print(times.row(name), flush=True)
    return all_times["hybrid"]


def tell_recall(database: Database, slug: str) -> None:
    """What the approximate index finds, and how hard it looks for that."""
    with database.connection() as connection:
        (build,) = builds_of(connection, workspaces.find(connection, slug).workspace_id)
        recall = ann.recall(connection, build)
    print(f"index of the vectors: {build.ann}, effort {build.ann_effort}, recall@10 {recall:.4f}", flush=True)


def edit(database: Database, slugs: list[str]) -> None:
    """Change a word in every tenth document, as a version of its own, and index that."""
    with database.connection() as connection:
        edited = connection.execute(
            """
            WITH changed AS (
                SELECT d.document_id, c.contents, c.version, gen_random_uuid() AS content_id
                FROM document d JOIN document_content c ON c.document_content_id = d.latest_content_id
                WHERE hashtext(d.document_id::text) % 10 = 0
            ), made AS (
                INSERT INTO document_content (document_content_id, document_id, contents, version)
                SELECT content_id, document_id, jsonb_set(contents, '{text}', to_jsonb(regexp_replace(
                    contents->>'text', '(Section [0-9]+-5\\n\\n)', '\\1Edited. '))), version + 1
                FROM changed
            )
            UPDATE document d SET latest_content_id = changed.content_id FROM changed
            WHERE d.document_id = changed.document_id
            """
        ).rowcount
    started = time.monotonic()
    for slug in slugs:
        run_stages(database, slug)
    took = time.monotonic() - started
    with database.connection() as connection:
        (retired,) = connection.execute("SELECT count(*) FROM chunk WHERE deleted_at IS NOT NULL").fetchone() or (0,)
    print(f"{edited:,} documents edited and indexed in {took:.1f} s; {retired:,} chunks retired so far", flush=True)


def status(database: Database, slug: str) -> None:
    """What `arcana status` reads, of a source that is there."""
    with database.connection() as connection:
        connection.execute(
            "UPDATE workspace SET source_config = jsonb_build_object('path', %s::text) WHERE slug = %s",
            [str(database.settings.home), slug],
        )
        workspace_status(connection, workspaces.find(connection, slug))


def promote(database: Database, slug: str) -> None:
    """Fill a new build beside the one that serves, and tell how long it takes to let it serve."""
    with database.connection() as connection:
        workspace_id = workspaces.find(connection, slug).workspace_id
        lifecycle.rebuild_index(connection, workspace_id, "default")
    timed("filling a new build, nothing to embed", lambda: run_stages(database, slug, Purpose.FILL))
    with database.connection() as connection:
        (build,) = [each for each in builds_of(connection, workspace_id) if each.state == "verifying"]
        timed("letting it serve", lambda: promotion.switch(connection, build, "index.promoted"))


def timed(what: str, do: Callable[[], object]) -> None:
    """Do it, and tell how long it took."""
    started = time.monotonic()
    do()
    print(f"{what}: {time.monotonic() - started:.2f} s", flush=True)


class ServerMemory:
    """The most that the processes of the server take, looked at every second."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.most = 0.0

    def __enter__(self) -> ServerMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        with self._database.own_connection() as connection:
            while not self._stop.wait(1.0):
                self.most = max(self.most, server_megabytes(connection))


def server_megabytes(connection: Connection) -> float:
    """What the processes of the server have for themselves, and what they share, counted once."""
    pids = [pid for (pid,) in connection.execute("SELECT pid FROM pg_stat_activity")]
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended meanwhile
            lines = dict(line.split()[:2] for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
            total += int(lines["Pss:"])
    return total / 1024


def measure(chunks: int, number: int) -> bool:
    """One size."""
    print(f"\n## {chunks:,} chunks in {number:,} workspaces\n")
    with installation() as database, patch.object(MultilingualEmbedder, "embed", made_up_vectors):
        with ServerMemory(database) as loading:
            slugs = load(database, chunks, number)
        print()
        before = sizes(database, chunks)
        print()
        with ServerMemory(database) as searching:
            hybrid = searches(database, slugs[0])
        tell_recall(database, slugs[0])
        print()
        timed("the stages of one workspace where nothing is to do", lambda: run_stages(database, slugs[0]))
        timed("status of one workspace", lambda: status(database, slugs[0]))
        for _ in range(2):
            edit(database, slugs)
            after = sizes(database, chunks)
            grown = sum(after.values()) - sum(before.values())
            print(f"grown by {grown / 1e6:,.0f} MB, {100 * grown / sum(before.values()):.1f} %, after VACUUM\n")
            before = after
        promote(database, slugs[0])
        print(
            f"peak of this process {peak_megabytes():.0f} MB; the server's processes: {loading.most:.0f} MB at most "
            f"while it was loaded, {searching.most:.0f} while it was searched"
        )
        if chunks < MILLION or number > 1:
            return True
        return all(
            [
                met("hybrid search, p50 in the database, ms", percentile(hybrid.database, 50), MOST_P50_MS),
                met("the same, p99", percentile(hybrid.database, 99), MOST_P99_MS),
            ]
        )


def main() -> int:
    """Run and report; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--workspaces", type=int, default=1, help="that have them (%(default)s)")
    given = parser.parse_args()
    print_machine()
    print(f"load average {os.getloadavg()[0]:.1f}")
    met_all = [measure(chunks, given.workspaces) for chunks in given.chunks]
    return 0 if all(met_all) else 1


if __name__ == "__main__":
    sys.exit(main())
