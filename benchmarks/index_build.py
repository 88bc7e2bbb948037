"""How fast, how large and how undisturbed an index is made: `python benchmarks/index_build.py`.

    python benchmarks/index_build.py                  # everything, about 25 minutes on two cores
    python benchmarks/index_build.py rate memory      # only these parts: rate, memory, change, search
    python benchmarks/index_build.py --scale 0.1      # a tenth of each size: a look

Each part has an embedded PostgreSQL of its own in a temporary folder. Exit code 1: a target was missed.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import itertools
import json
import random
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import wordllama
from machine import print_machine
from own_server import own_server
from pgvector.psycopg import register_vector
from sync_requests import peak_megabytes

from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.db import schema
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.demo import vocabulary
from arcana_pipelines.embedding import local_small
from arcana_pipelines.embedding.catalogue import SMALL_MODEL
from arcana_pipelines.indexes import lifecycle
from arcana_pipelines.indexes.builds import Ann, IndexSettings, builds_of
from arcana_pipelines.indexes.targets.pgvector import ann
from arcana_pipelines.ledger import generations
from arcana_pipelines.pipeline import registration, sync
from arcana_pipelines.pipeline.purpose import Purpose
from arcana_pipelines.pipeline.session import workspace_session
from arcana_pipelines.settings import Settings
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.openai_server import EmbeddingServer
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.companies import DEFAULT

CHUNKS = 100_000
CHUNKS_OF_A_DOCUMENT = 10
LEAST_RATE = 0.60
MOST_GROWTH = 1.2
MOST_P99 = 2.0
LEAST_RECALL = 0.99
MOST_P50_MS = 5.0
SEARCHED_SECONDS = 20.0


# The corpus: documents whose chunks are all different, with words as frequent as words are


class Writer:
    """Makes paragraphs of sentences; of one with about 900 characters where nothing else is said."""

    def __init__(self, seed: int, sentences: int = 1, words: int = 130) -> None:
        self.random = random.Random(seed)
        self._sentences, self._length = sentences, words
        syllables = ["ka", "ro", "mi", "ten", "sol", "ver", "dan", "lu", "pre", "shi", "or", "gan", "tel", "ba", "con"]
        made = {"".join(self.random.choices(syllables, k=self.random.choice((2, 2, 3)))) for _ in range(30_000)}
        self._words = [*_sample_words(), *sorted(made)]
        self.random.shuffle(self._words)
        # Zipf's law: the n-th word is 1/n as frequent as the first.
        weights = [1 / (rank + 3) for rank in range(len(self._words))]
        self._cumulated = list(itertools.accumulate(weights))

    def document(self, number: int, sections: int = CHUNKS_OF_A_DOCUMENT) -> str:
        """Markdown of so many sections, each a chunk of its own."""
        return "\n\n".join(f"## Section {number}-{section}\n\n{self._paragraph()}" for section in range(sections))

    def query(self) -> str:
        """Four words."""
        return " ".join(self.random.choices(self._words, cum_weights=self._cumulated, k=4))

    def common(self, words: int) -> list[str]:
        """The most frequent words."""
        return self._words[:words]

    def rare(self, words: int) -> list[str]:
        """The least frequent words."""
        return self._words[-words:]

    def _paragraph(self) -> str:
        return " ".join(
            " ".join(self.random.choices(self._words, cum_weights=self._cumulated, k=self._length)).capitalize() + "."
            for _ in range(self._sentences)
        )


def _sample_words() -> list[str]:
    text = " ".join(str(getattr(vocabulary, name)) for name in dir(vocabulary) if name.isupper())
    return sorted(set(re.findall(r"[a-z]{3,}|[가-힣]{2,}", text)))


def fill_documents(connection: Connection, slug: str, documents: Iterable[tuple[str, str, str]]) -> None:
    """Documents (external id, title, Markdown) with one version each, as the stage `document_content` leaves them."""
    workspace = workspaces.find(connection, slug)
    generations.begin(connection, workspace.workspace_id, Mode.FULL)
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE made (number int, contents jsonb) ON COMMIT DROP")
        with cursor.copy("COPY made FROM STDIN") as copy:
            for number, (external_id, title, text) in enumerate(documents):
                contents = {"external_id": external_id, "title": title, "url": None, "properties": {}, "text": text}
                copy.write_row((number, json.dumps(contents)))
        cursor.execute(
            "WITH made AS (SELECT number, contents, gen_random_uuid() AS document_id, gen_random_uuid() AS content_id "
            "FROM made), d AS (INSERT INTO document "
            "(document_id, workspace_id, company_id, platform, user_id, path, latest_content_id) "
            "SELECT document_id, %(w)s, %(c)s, %(p)s, %(u)s, text2ltree('w.p' || number), content_id FROM made), "
            "c AS (INSERT INTO document_content (document_content_id, document_id, contents, version) "
            "SELECT content_id, document_id, contents, 1 FROM made) "
            "INSERT INTO source_page (workspace_id, external_id, kind, parent_kind, title, revision, state, "
            "seen_generation, document_id, last_edited_at) "
            "SELECT %(w)s, contents->>'external_id', 'page', 'workspace', contents->>'title', '1', 'unchanged', 1, "
            "document_id, timestamptz '2026-01-01' + number * interval '1 minute' FROM made",
            {"w": workspace.workspace_id, "c": workspace.company_id, "p": workspace.platform, "u": workspace.user_id},
        )


def made_up(
    slug: str, documents: int, writer: Writer, chunks: int = CHUNKS_OF_A_DOCUMENT
) -> Iterator[tuple[str, str, str]]:
    """Documents of so many chunks."""
    for number in range(documents):
        yield f"{slug}-{number}", f"Document {number}", writer.document(number, chunks)


@contextlib.contextmanager
def installation(**settings: Any) -> Iterator[Database]:
    """A migrated database on an embedded server of our own."""
    with own_server() as (home, url):
        database = Database(Settings(arcana_home=home, database_url=url, **settings))
        schema.upgrade(database)
        yield database
        database.close()


def registered(database: Database, slug: str, documents: int, seed: int = 1, kind: Ann = "auto") -> UUID:
    """A workspace with so many documents, nothing of it indexed yet."""
    index = IndexSettings(SMALL_MODEL, local_small.DIMENSIONS, ChunkerSettings(), kind)
    return registered_with(database, slug, made_up(slug, documents, Writer(seed)), index)


def registered_with(
    database: Database,
    slug: str,
    documents: Iterable[tuple[str, str, str]],
    index: IndexSettings,
    company: str = DEFAULT,
) -> UUID:
    """A workspace with these documents, nothing of it indexed yet."""
    found = registration.register(
        database, slug, "notion_export", index, lambda _: None, lambda _: None, company=company
    )
    with database.connection() as connection:
        fill_documents(connection, slug, documents)
    return found.workspace_id


def run_stages(database: Database, slug: str, purpose: Purpose = Purpose.SYNC) -> dict[str, Any]:
    """The last three stages as a run executes them; seconds of each, and the peak of this process."""
    seconds: dict[str, float] = {}
    reports: dict[str, Any] = {}
    settings = database.settings.model_copy(update={"batch_size": 100})
    stages = {"chunk": sync.cut_chunks, "embed": sync.embed_chunks, "publish": sync.publish_indexes}
    with workspace_session(database, slug, settings=settings) as session:
        for name, stage in stages.items():
            started = time.monotonic()
            reports[name] = stage(session, purpose)
            seconds[name] = time.monotonic() - started
    return {"seconds": seconds, "megabytes": peak_megabytes(), "embedded": reports["embed"].computed}


# The parts


def rate(scale: float) -> bool:
    """Embedding and publishing, against the bare embedder and a bare COPY one after the other.

    The bare embedder is the library's own `WordLlama.embed`. Ours gives the same vectors sooner; beside it alone, what
    the stages add is seen best.
    """
    with installation() as database:
        # The approximate index is made apart, to be seen apart.
        registered(database, "rate", int(CHUNKS * scale / CHUNKS_OF_A_DOCUMENT), kind="none")
        local_small.SmallEmbedder().embed(["the model is loaded"])
        seconds = run_stages(database, "rate")["seconds"]
        with database.connection() as connection:
            texts = [
                row[0]
                for row in connection.execute(
                    "SELECT c.contents->>'title' || ' > ' || array_to_string(k.heading_path, ' > ') || E'\\n' || "
                    "k.chunk_content FROM document_chunk k JOIN document_content c USING (document_content_id)"
                )
            ]
            (build,) = builds_of(connection, workspaces.find(connection, "rate").workspace_id)
            started = time.monotonic()
            ann.ensure_ann(connection, replace(build, ann_setting="auto"), len(texts))
            approximate = time.monotonic() - started
            # The weights are in the package; without `cache_dir` it looks for them in the home directory.
            library = wordllama.WordLlama.load(
                cache_dir=Path(wordllama.__file__).parent,
                disable_download=True,
                dim=local_small.SmallEmbedder.dimensions,
            )
            library.embed(["the model is loaded"])
            started = time.monotonic()
            library.embed(texts, norm=True)
            bare_embedding = time.monotonic() - started
            embedder = local_small.SmallEmbedder()
            started = time.monotonic()
            vectors = [row for at in range(0, len(texts), 100) for row in embedder.embed(texts[at : at + 100]).vectors]
            own_embedding = time.monotonic() - started
            register_vector(connection)
            connection.execute("CREATE TABLE bare (id int, text text, embedding vector)")
            started = time.monotonic()
            with connection.cursor().copy("COPY bare FROM STDIN WITH (FORMAT BINARY)") as copy:
                copy.set_types(["int4", "text", "vector"])
                for at, (text, vector) in enumerate(zip(texts, vectors, strict=True)):
                    copy.write_row((at, text, vector))
            copying = time.monotonic() - started
    ours, bare, own = seconds["embed"] + seconds["publish"], bare_embedding + copying, own_embedding + copying
    print(f"\n## Rate, {len(texts):,} chunks of {local_small.DIMENSIONS} dimensions\n")
    print("| | seconds | chunks a second |\n| --- | --- | --- |")
    for name, took in (
        ("bare embedder: WordLlama.embed", bare_embedding), ("bare COPY", copying),
        ("our embedder alone", own_embedding), ("the stage chunk_embeddings", seconds["embed"]),
        ("the stage rag_indexes, with its words", seconds["publish"]),
        ("its approximate index, and measuring that", approximate),
        ("beside them: the stage document_chunks", seconds["chunk"]),
    ):  # fmt: skip
        print(f"| {name} | {took:.1f} | {len(texts) / took:,.0f} |")
    return all(
        [
            met("embedding and publishing, of the bare rate", bare / (ours + approximate), LEAST_RATE, at_least=True),
            met("the same without the approximate index", bare / ours, LEAST_RATE, at_least=True),
            met("the first, with our embedder as the bare one", own / (ours + approximate), LEAST_RATE, at_least=True),
            met("the second, likewise", own / ours, LEAST_RATE, at_least=True),
        ]
    )


def memory(scale: float) -> bool:
    """The peak of a run over ten times as many chunks."""
    peaks = []
    for chunks in (int(CHUNKS * scale / 10), int(CHUNKS * scale)):
        done = subprocess.run(
            [sys.executable, __file__, "--one-run", str(chunks)], stdout=subprocess.PIPE, text=True, check=True
        )
        peaks.append(json.loads(done.stdout.splitlines()[-1])["megabytes"])
        print(f"\nPeak of a run over {chunks:,} chunks: {peaks[-1]:.0f} MB")
    return met("growth of the peak", peaks[1] / peaks[0], MOST_GROWTH)


def one_run(chunks: int) -> None:
    """A whole run in this process, whose documents another one made."""
    with installation() as database:
        script = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import index_build as b; "
        script += (
            f"d = b.Database(b.Settings(arcana_home={str(database.settings.home)!r}, database_url={database.url!r})); "
        )
        script += f"b.registered(d, 'one', {chunks // CHUNKS_OF_A_DOCUMENT})"
        subprocess.run([sys.executable, "-c", script], check=True)
        print(json.dumps(run_stages(database, "one")))


def change(scale: float) -> bool:
    """Another model for 20,000 chunks, while people search."""
    chunks = int(CHUNKS * scale / 5)
    with EmbeddingServer(dimensions=256) as server:
        settings = {"openai_api_key": "sk-stand-in", "openai_base_url": server.base_url, "batch_size": 2048}
        with installation(**settings) as database:
            workspace_id = registered(database, "change", chunks // CHUNKS_OF_A_DOCUMENT)
            run_stages(database, "change")
            load = SearchLoad(database.url, str(database.settings.home), server.base_url)
            before = load.during(SEARCHED_SECONDS)
            with database.connection() as connection:
                lifecycle.rebuild_index(
                    connection, workspace_id, "default",
                    lambda held: lifecycle.changed_settings(
                        held, "text-embedding-3-small", 256, chunk_tokens=held.chunker.target_tokens // 2
                    ),
                    promote=True,
                )  # fmt: skip
            started = time.monotonic()
            computed = run_stages(database, "change", Purpose.FILL)["embedded"]
            took = time.monotonic() - started
            during = load.since()
            after = load.during(5.0)
            with database.connection() as connection:
                failed, old, new, mixed = load.stop(connection)
                row = connection.execute(
                    "SELECT count(DISTINCT text_hash) FROM document_chunk WHERE rag_index_build_id = "
                    "(SELECT active_build_id FROM rag_indexes)"
                ).fetchone()
    assert row is not None
    print(f"\n## Another model and other chunks for {chunks:,} chunks, under a constant search load\n")
    print("| | searches | p50 ms | p99 ms |\n| --- | --- | --- | --- |")
    for name, times in (("before", before), ("while the new build was made", during), ("after", after)):
        print(f"| {name} | {len(times)} | {percentile(times, 50):.1f} | {percentile(times, 99):.1f} |")
    print(
        f"\nThe build took {took:.0f} s. {old} searches saw the old build, {new} the new one, {mixed} both; {failed} "
        f"failed. {computed:,} texts were embedded, {row[0]:,} are distinct."
    )
    return all(
        [
            met("failed searches", failed, 0),
            met("searches that saw both builds", mixed, 0),
            met("texts embedded, of the distinct ones", computed / row[0], 1.0),
            met("p99 while the build was made, of before", percentile(during, 99) / percentile(before, 99), MOST_P99),
        ]
    )


class SearchLoad:
    """A process that searches one query after the other, as an application would."""

    def __init__(self, url: str, home: str, base_url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--search-load", url, home, base_url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self._process.stdout.readline()
        self._lines: list[dict[str, Any]] = []
        self._seen = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def during(self, seconds: float) -> list[float]:
        """Milliseconds of the searches of so many seconds from now."""
        self.since()
        time.sleep(seconds)
        return self.since()

    def since(self) -> list[float]:
        """Milliseconds of the searches since the last call."""
        found = self._lines[self._seen :]
        self._seen += len(found)
        return [line["ms"] for line in found]

    def stop(self, connection: Connection) -> tuple[int, int, int, int]:
        """(failed, saw the old build, saw the new one, saw chunks that no one build has all of)."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._reader.join(10)
        builds: dict[str, set[int]] = {}
        for digest, build in connection.execute("SELECT md5(chunk_content), rag_index_build_id FROM document_chunk"):
            builds.setdefault(digest, set()).add(build)
        old, new = sorted(set().union(*builds.values()))
        seen = [set.intersection(*(builds[digest] for digest in line["hits"])) for line in self._lines if line["hits"]]
        return (
            sum(line["failed"] for line in self._lines),
            sum(old in found for found in seen),
            sum(new in found and old not in found for found in seen),
            sum(not found for found in seen),
        )

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(json.loads(line))


def search_load(url: str, home: str, base_url: str) -> None:
    """Search until standard input ends; prints a line a search."""
    from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
    from arcana_pipelines.retrieval.search_request import SearchRequest

    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    settings = Settings(
        arcana_home=Path(home), database_url=url, openai_api_key="sk-stand-in", openai_base_url=base_url
    )
    database, writer = Database(settings), Writer(7)
    with database.connection() as connection:
        searcher = ConnectionSearcher(connection, settings, workspaces.find(connection, "change").workspace_id)
        searcher.search(SearchRequest("the model is loaded"))
        print("ready", flush=True)
        while not ended.is_set():
            started, failed, texts = time.monotonic(), False, list[str]()
            try:
                texts = [hit.text for hit in searcher.search(SearchRequest(writer.query())).hits]
                failed = not texts
            except Exception:  # whatever it is, it is counted
                failed = True
            took = 1000 * (time.monotonic() - started)
            digests = [hashlib.md5(text.encode()).hexdigest() for text in texts]
            print(json.dumps({"ms": took, "failed": failed, "hits": digests}), flush=True)
            time.sleep(0.02)


def search(scale: float) -> bool:
    """Dense search in ten workspaces, in the database: recall and time."""
    with installation() as database:
        times: list[float] = []
        found = wanted = 0
        embedder = local_small.SmallEmbedder()
        writer = Writer(3)
        for number in range(10):
            slug = f"tenant-{number}"
            workspace_id = registered(database, slug, int(CHUNKS * scale / 10 / CHUNKS_OF_A_DOCUMENT), seed=number)
            run_stages(database, slug)
        with database.connect() as connection:
            connection.execute("VACUUM ANALYZE chunk")
            for number in range(10):
                workspace_id = workspaces.find(connection, f"tenant-{number}").workspace_id
                (build,) = builds_of(connection, workspace_id)
                statement = ann.nearest_statement(build.rag_index_build_id, build.dimensions, build.ann)
                exact = ann.nearest_statement(build.rag_index_build_id, build.dimensions, "none")
                for query in [writer.query() for _ in range(30)]:
                    vector = "[" + ",".join(map(str, embedder.embed([query]).vectors[0])) + "]"
                    parameters = {"vector": vector, "candidates": 10}
                    with connection.transaction():
                        truth = connection.execute(exact, parameters).fetchall()
                        ann.tune(connection, build.ann, build.ann_effort)
                        started = time.monotonic()
                        got = connection.execute(statement, parameters).fetchall()
                        times.append(1000 * (time.monotonic() - started))
                    wanted += len(truth)
                    found += sum(score >= truth[-1][1] - 1e-6 for _, score in got)
    print(f"\n## Dense search, {int(CHUNKS * scale):,} chunks in 10 workspaces ({build.ann})\n")
    print(f"p50 {percentile(times, 50):.2f} ms, p99 {percentile(times, 99):.2f} ms, recall@10 {found / wanted:.4f}")
    return all(
        [
            met("recall@10 against exact search", found / wanted, LEAST_RECALL, at_least=True),
            met("p50, ms", percentile(times, 50), MOST_P50_MS),
        ]
    )


def percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def met(name: str, value: float, target: float, at_least: bool = False) -> bool:
    """Print a figure beside its target; True when it is met."""
    ok = value >= target if at_least else value <= target
    print(f"{'met   ' if ok else 'MISSED'} {name}: {value:.3g} (target: {'>=' if at_least else '<='} {target:g})")
    return ok


PARTS = {"rate": rate, "memory": memory, "change": change, "search": search}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to measure (default: everything)")
    parser.add_argument("--scale", type=float, default=1.0, help="of all sizes (%(default)s)")
    parser.add_argument("--one-run", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--search-load", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one_run:
        one_run(given.one_run)
        return 0
    if given.search_load:
        search_load(*given.search_load)
        return 0
    print_machine()
    outcomes = [PARTS[name](given.scale) for name in given.parts or PARTS]  # each, also after a missed target
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
