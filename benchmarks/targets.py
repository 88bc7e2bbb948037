"""What copies of an index in other stores cost, beside pgvector: `python benchmarks/targets.py`.

    python benchmarks/targets.py                                # 20,000 chunks, every kind that is installed
    python benchmarks/targets.py --targets sqlite --chunks 2000 # a look
    python benchmarks/targets.py --targets chroma=http://127.0.0.1:8000
    python benchmarks/targets.py --data ../shared/data          # texts and questions of real documentation

Each target is filled from empty by a process of its own, whose memory is told, and then follows: one changed word,
nothing changed, and an hour in which it is down while pages are edited every minute. Questions are asked of each, and
of pgvector, in the same run, and what they find is compared with all vectors. `--data` names a folder with
`docs-corpus` (Markdown); without it texts are made up, and recall says little. Before that, what targets cost a
publish, in the database alone. Exit code 1: a target was missed.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from index_build import CHUNKS_OF_A_DOCUMENT, Writer, installation, made_up, met, registered_with, run_stages
from machine import print_machine
from sync_requests import peak_megabytes

from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.db.engine import Database
from arcana_pipelines.embedding import local_small
from arcana_pipelines.embedding.catalogue import SMALL_MODEL
from arcana_pipelines.embedding.registry import open_embedder
from arcana_pipelines.errors import ArcanaError, TargetUnreachable
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.indexes.targets.delivery import deliver, verify_target
from arcana_pipelines.indexes.targets.registry import kinds, location_of, open_store
from arcana_pipelines.indexes.targets.targets import Target, add_target, drop_target, targets_of
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.retrieval.searcher import Searcher
from arcana_pipelines.settings import Settings
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.targets.truth import watched_stores

CHUNKS = 20_000
SLUG = "copied"
# An hour in which some pages are edited every minute.
MINUTES, EDITED = 60, 5
QUESTIONS, HITS = 200, 10
LEAST_RECALL = 0.98
MOST_OVERHEAD = 1.5
# Kinds of `--targets`, and what each is: the kind, its location (None: below the workspace's directory).
Kind = tuple[str, str | None]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=CHUNKS)
    parser.add_argument("--targets", nargs="+", metavar="KIND[=LOCATION]", help="(default: all that are installed)")
    parser.add_argument("--data", type=Path, help="a folder with `docs-corpus`")
    parser.add_argument("--fill", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.fill:
        return _fill(Path(given.fill[0]), given.fill[1], given.fill[2])
    print_machine()
    logging.disable(logging.WARNING)  # a target that is down on purpose says so every time
    wanted = [_kind(each) for each in given.targets or kinds()]
    documents, questions = _corpus(given.data, given.chunks)
    with installation() as database:
        index = IndexSettings(SMALL_MODEL, local_small.DIMENSIONS, ChunkerSettings(), "auto")
        is_met = [_publishes(database, given.chunks // 10, index)]
        registered_with(database, SLUG, documents, index)
        with database.connection() as connection:
            # As pages have it that were read.
            connection.execute('UPDATE document_content SET contents = contents || \'{"kind": "page"}\'')
        run_stages(database, SLUG)
        bench = Bench(database)
        print(f"\n{bench.published():,} chunks\n")
        targets = [target for target in (bench.filled(kind, place) for kind, place in wanted) if target]
        is_met += [bench.follows(target) for target in targets]
        is_met.append(bench.catches_up(targets))
        is_met.append(bench.questions(targets, questions))
    return 0 if all(is_met) else 1


def _kind(said: str) -> Kind:
    kind, _, place = said.partition("=")
    return kind, place or None


def _corpus(folder: Path | None, chunks: int) -> tuple[Iterable[tuple[str, str, str]], list[str]]:
    """So many chunks of real sentences in an order of our own, and questions that are real sentences, too."""
    if folder is None or not (folder / "docs-corpus").is_dir():
        print("NO REAL TEXT (--data names a folder with docs-corpus): texts are made up, recall says little.")
        writer = Writer(1)
        return made_up(SLUG, chunks // CHUNKS_OF_A_DOCUMENT, writer), [writer.query() for _ in range(QUESTIONS)]
    texts = [path.read_text(encoding="utf-8") for path in sorted((folder / "docs-corpus").rglob("*.md"))]
    plain = [re.sub(r"[`*#>|\[\]]|\(http[^)]*\)", " ", text) for text in texts]
    sentences = sorted({each.strip() for text in plain for each in re.split(r"(?<=[.?!다요])\s+", text)})
    sentences = [each for each in sentences if 40 < len(each) < 250 and "```" not in each]
    chance = random.Random(1)
    asked = chance.sample(sentences, QUESTIONS)
    print(f"{len(sentences):,} sentences of {len(texts)} pages of documentation")
    return _shuffled(sentences, chunks, chance), asked


def _shuffled(sentences: list[str], chunks: int, chance: random.Random) -> Iterator[tuple[str, str, str]]:
    """Documents of sections in which four real sentences follow each other, as neighbours or not."""
    # Of two long sections in five another chunk comes.
    for number in range(chunks * 5 // (7 * CHUNKS_OF_A_DOCUMENT)):
        sections = []
        for section in range(CHUNKS_OF_A_DOCUMENT):
            at = chance.randrange(len(sentences) - 2)
            said = [*sentences[at : at + 2], *chance.sample(sentences, 2)]
            # Long enough for a chunk of its own.
            sections.append(f"## Section {number}-{section}\n\n" + "\n\n".join(said * (1 + 500 // len(" ".join(said)))))
        yield f"{SLUG}-{number}", f"Document {number}", "\n\n".join(sections)


def _publishes(database: Database, chunks: int, index: IndexSettings) -> bool:
    """What targets cost a publish: nobody delivers, and what is published is noted for each."""
    seconds: dict[int, list[float]] = {0: [], 1: [], 4: []}
    for turn in range(3):
        for number in seconds:
            slug = f"publish-{turn}-{number}"
            registered_with(database, slug, made_up(slug, chunks // CHUNKS_OF_A_DOCUMENT, Writer(turn)), index)
            with database.connection() as connection:
                workspace = workspaces.find(connection, slug).workspace_id
                for target in range(number):
                    add_target(connection, workspace, "sqlite", f"/nowhere/{slug}-{target}", f"target-{target}")
            seconds[number].append(run_stages(database, slug)["seconds"]["publish"])
    best = {number: min(taken) for number, taken in seconds.items()}
    print(f"\n## Publishing {chunks:,} chunks\n\n| targets | seconds | of none |\n| --- | --- | --- |")
    for number, taken in best.items():
        print(f"| {number} | {taken:.2f} | {taken / best[0]:.2f} |", flush=True)
    print()
    return met("a publish with four targets, of one with none", best[4] / best[0], MOST_OVERHEAD)


class Bench:
    """A published workspace, and its targets."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.connection() as connection:
            workspace = workspaces.find(connection, SLUG)
        self.workspace_id: UUID = workspace.workspace_id
        self.directory = Path(workspace.storage_path)
        self._version = 1
        self._has_begun = False

    def published(self) -> int:
        """How many chunks."""
        return int(self._one("SELECT published_vectors FROM rag_indexes WHERE workspace_id = %s", self.workspace_id))

    def target(self, name: str) -> Target:
        """As its rows say now."""
        with self.database.connection() as connection:
            return targets_of(connection, self.workspace_id, name)[0]

    def filled(self, kind: str, place: str | None) -> Target | None:
        """Fill a target from empty in a process of its own; None where its store does not open."""
        name = kind if place is None or "://" not in place else f"{kind}-server"
        location = location_of(self.database.settings, kind, self.directory, place, name)
        try:
            with open_store(self.database.settings, kind, location) as store:
                version = store.version()
        except ArcanaError as error:
            print(f"NOT MEASURED: {name}: {error}")
            return None
        with self.database.connection() as connection:
            add_target(connection, self.workspace_id, kind, location, name)
        given = ["--fill", str(self.database.settings.home), self.database.url, name]
        done = subprocess.run([sys.executable, __file__, *given], capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"NOT MEASURED: {name}: {done.stderr[-1000:]}")
            with self.database.connection() as connection:
                drop_target(connection, self.target(name))
            return None
        told = json.loads(done.stdout.splitlines()[-1])
        if not self._has_begun:
            print("\n## Filled from empty\n")
            print("| target | rows | s | rows/s | then proven, s | process MB, before | on disk MB |")
            print("| --- | --- | --- | --- | --- | --- | --- |")
        self._has_begun = True
        files = [*Path(location).parent.glob(f"{Path(location).name}*"), *Path(location).rglob("*")]
        size = sum(each.stat().st_size for each in files if each.is_file())
        print(
            f"| {name} ({version}) | {told['rows']:,} | {told['seconds']:.1f} | {told['rows'] / told['seconds']:,.0f} "
            f"| {told['proof']:.1f} | {told['megabytes']:.0f}, {told['bare']:.0f} | {size / 1e6:.0f} |",
            flush=True,
        )
        return self.target(name)

    def follows(self, target: Target) -> bool:
        """One word, nothing, and an hour without the store."""
        name, words = target.name, Words()
        print(f"\n## {name} follows\n")
        # What was changed for the targets before it.
        deliver(self.database, target, seconds=600)
        with words.counted():
            self._edit(1)
            started = time.perf_counter()
            deliver(self.database, target, seconds=600)
            milliseconds = 1000 * (time.perf_counter() - started)
            changed = (words.put, words.gone)
            words.clear()
            deliver(self.database, self.target(name), seconds=600)
            nothing = words.said
        print(f"one changed word: {changed[0]} row put, {changed[1]} taken out, {milliseconds:.0f} ms")
        print(f"nothing changed: {nothing} words to the store")
        return all([
            met(f"{name}: rows put for one word", changed[0], 1),
            met(f"{name}: rows taken out for one word", changed[1], 1),
            met(f"{name}: words for nothing", nothing, 0),
        ])  # fmt: skip

    def catches_up(self, targets: list[Target]) -> bool:
        """An hour in which no store answers."""
        print(f"\n## An hour down: {MINUTES} publishes of {EDITED} pages\n")
        for _ in range(MINUTES):
            self._edit(EDITED)
            with watched_stores(_down):
                for target in targets:
                    deliver(self.database, self.target(target.name), seconds=600)
        print("| target | documents waited | caught up, s | rows put |\n| --- | --- | --- | --- |")
        differs = 0
        for target in targets:
            behind = self.target(target.name)
            started = time.perf_counter()
            done = deliver(self.database, behind, seconds=3600)
            seconds = time.perf_counter() - started
            print(f"| {target.name} | {behind.waiting} | {seconds:.1f} | {done.put} |", flush=True)
            parity = verify_target(self.database, self.target(target.name)).parity
            differs += 1 if parity is None else parity.missing + parity.extra + parity.different
        print()
        return met("rows that differ in the end", differs, 0)

    def questions(self, targets: list[Target], questions: list[str]) -> bool:
        """How long each takes to find the nearest, and a search by it; and what each finds."""
        embedder = open_embedder(self.database.settings, SMALL_MODEL, local_small.DIMENSIONS)
        asked = embedder.embed(questions).vectors
        build = int(self._one("SELECT active_build_id FROM rag_indexes WHERE workspace_id = %s", self.workspace_id))
        numbers, vectors = self._vectors(build)
        exact = [set(numbers[np.argsort(-(vectors @ vector), kind="stable")[:HITS]].tolist()) for vector in asked]
        found: dict[str, list[set[int]]] = {"all vectors": exact}
        nearest: dict[str, float] = {}
        with self.database.connection() as connection:
            table = f"SELECT document_chunk_id FROM chunk_b{build} WHERE deleted_at IS NULL"
            statement = f"{table} ORDER BY chunk_embedding <=> %s::vector LIMIT {HITS}"
            found["pgvector"], nearest["pgvector"] = _timed(
                asked,
                lambda vector: [row for (row,) in connection.execute(statement, [str(vector.tolist())])],  # type: ignore[arg-type]
            )
        for target in targets:
            with open_store(self.database.settings, target.kind, target.location) as store:
                rows = self._rows("SELECT collection FROM target_collection WHERE index_target_id = %s "
                                  "AND rag_index_build_id = %s", target.index_target_id, build)  # fmt: skip
                collection = rows[0][0]
                found[target.name], nearest[target.name] = _timed(
                    asked,
                    lambda vector, store=store, collection=collection: [
                        row.chunk_id for row in store.nearest(collection, vector, HITS)
                    ],
                )
        print("\n## Questions\n\n| asked | nearest ten, p50 ms | search, p50 ms | of pgvector |")
        print("| --- | --- | --- | --- |")
        whole = {name: self._searches(name, questions) for name in nearest}
        for name, milliseconds in nearest.items():
            ratio = whole[name] / whole["pgvector"]
            print(f"| {name} | {milliseconds:.2f} | {whole[name]:.1f} | {ratio:.2f} |")
        print(f"\nrecall@{HITS} of the row in the column\n\n| | {' | '.join(found)} |\n|{' --- |' * (len(found) + 1)}")
        least = 1.0
        for name, ours in found.items():
            recalls = [
                sum(len(one & other) for one, other in zip(ours, theirs, strict=True)) / (HITS * len(ours))
                for theirs in found.values()
            ]
            least = min(least, *recalls)
            print(f"| {name} | {' | '.join(f'{recall:.4f}' for recall in recalls)} |")
        print()
        return met("the least recall between two", least, LEAST_RECALL, at_least=True)

    def _searches(self, name: str, questions: list[str]) -> float:
        with Searcher(SLUG, database=self.database) as searcher:
            for question in questions[:5]:
                searcher.search(SearchRequest(question, HITS, target=name))
            taken = []
            for question in questions:
                started = time.perf_counter()
                searcher.search(SearchRequest(question, HITS, target=name))
                taken.append(1000 * (time.perf_counter() - started))
        return statistics.median(taken)

    def _vectors(self, build: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        rows = self._rows(
            f"SELECT document_chunk_id, chunk_embedding::text FROM chunk_b{build} WHERE deleted_at IS NULL"
        )
        vectors = np.array([json.loads(vector) for _, vector in rows], dtype=np.float32)
        return np.array([chunk for chunk, _ in rows]), vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _edit(self, documents: int) -> None:
        """Change one word of so many documents, and publish them."""
        self._version += 1
        self._rows(
            "WITH edited AS (SELECT d.document_id, c.contents FROM document d "
            "JOIN document_content c ON c.document_content_id = d.latest_content_id "
            "WHERE d.workspace_id = %(workspace)s "
            "ORDER BY md5(d.document_id::text || %(version)s) LIMIT %(documents)s), "
            "content AS (INSERT INTO document_content (document_content_id, document_id, contents, version) "
            "SELECT gen_random_uuid(), document_id, jsonb_set(contents, '{text}', to_jsonb(regexp_replace("
            "contents ->> 'text', '(## Section [0-9]+-5\\n\\n)\\S+', '\\1Word' || %(version)s))), %(version)s "
            "FROM edited "
            "RETURNING document_id, document_content_id) "
            "UPDATE document SET latest_content_id = c.document_content_id FROM content c "
            "WHERE document.document_id = c.document_id RETURNING 1",
            workspace=self.workspace_id, version=self._version, documents=documents,
        )  # fmt: skip
        run_stages(self.database, SLUG)

    def _rows(self, statement: str, *parameters: Any, **named: Any) -> list[tuple[Any, ...]]:
        with self.database.connection() as connection:
            return connection.execute(statement, named or parameters).fetchall()  # type: ignore[arg-type]

    def _one(self, statement: str, *parameters: Any) -> Any:
        return self._rows(statement, *parameters)[0][0]


class Words:
    """What is said to stores, counted at them."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Nothing was said."""
        self.put = self.gone = self.said = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count what deliveries say."""
        with watched_stores(self._hear):
            yield

    def _hear(self, name: str, arguments: tuple[Any, ...]) -> None:
        self.said += 1
        if name == "apply":
            self.put += len(arguments[1].rows)
            self.gone += len(arguments[1].gone)


def _down(name: str, arguments: tuple[Any, ...]) -> None:
    raise TargetUnreachable("it is down on purpose")


def _timed(
    asked: np.ndarray[Any, Any], nearest: Callable[[np.ndarray[Any, Any]], list[int]]
) -> tuple[list[set[int]], float]:
    """What is found, and the median milliseconds."""
    for vector in asked[:5]:
        nearest(vector)
    found, taken = [], []
    for vector in asked:
        started = time.perf_counter()
        found.append(set(nearest(vector)))
        taken.append(1000 * (time.perf_counter() - started))
    return found, statistics.median(taken)


def _fill(home: Path, url: str, name: str) -> int:
    """In a process of its own: deliver everything, and tell."""
    database = Database(Settings(arcana_home=home, database_url=url))
    with database.connection() as connection:
        target = targets_of(connection, workspaces.find(connection, SLUG).workspace_id, name)[0]
    proof: list[float] = []

    def note(called: str) -> None:
        proof.append(time.monotonic()) if called in ("settle", "scan") else None

    bare, started = peak_megabytes(), time.monotonic()
    with watched_stores(after=note):
        done = deliver(database, target, seconds=3600)
    ended = time.monotonic()
    if done.error is not None or done.waiting:
        raise SystemExit(f"{done}")
    # The first time that it is settled all rows are there; then they are compared.
    seconds = proof[0] - started
    print(json.dumps({"rows": done.put, "seconds": seconds, "proof": ended - proof[0], "megabytes": peak_megabytes(),
                      "bare": bare}))  # fmt: skip
    database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
