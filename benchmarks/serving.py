"""How much `arcana serve` bears: `python benchmarks/serving.py`.

    python benchmarks/serving.py                  # 100,000 chunks, about eight minutes on two cores
    python benchmarks/serving.py --scale 0.1      # a tenth: a look
    python benchmarks/serving.py growth           # memory from 10,000 to 100,000 requests, about fifteen minutes

The server, the database and what asks are on this machine; the processor time of the latter is told apart. Searches
are hybrid, with the small embedder. Exit code 1: a target was missed.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index_build import (
    CHUNKS,
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
from search_speed import questions

from arcana_pipelines import installation_secrets
from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.engine import Database
from arcana_pipelines.embedding import local_small
from arcana_pipelines.embedding.catalogue import SMALL_MODEL
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Permission
from arcana_pipelines.workspaces import workspaces

SLUG = "served"
CLIENTS = 8
SECONDS = 30.0
LEAST_RATE, MOST_P99_MS, MOST_GROWTH = 55.0, 150.0, 1.05
PUBLISHES = 5
MARK = "walrus"  # a word of one document alone
SECRETS = {name: installation_secrets.make() for name in ("API_KEY_SALT", "SECRET_KEY")}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to measure (default: all but growth)")
    parser.add_argument("--scale", type=float, default=1.0, help="of 100,000 chunks (%(default)s)")
    parser.add_argument("--ask", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.ask:
        ask(*given.ask)
        return 0
    print_machine()
    parts = given.parts or ["rate", "publish"]
    # What memory grows by does not depend on how much is indexed, and small answers come faster.
    chunks = int(CHUNKS * given.scale) if parts != ["growth"] else 1000
    with installation() as database:
        texts = made_up(SLUG, chunks // CHUNKS_OF_A_DOCUMENT, Writer(1))
        index = IndexSettings(SMALL_MODEL, local_small.DIMENSIONS, ChunkerSettings(), "auto")
        registered_with(database, SLUG, [*texts, ("mark", "Mark", f"# Mark\n\n{MARK} 1")], index)
        run_stages(database, SLUG)
        with database.connect() as connection:
            connection.execute("VACUUM ANALYZE")
        is_met = []
        for part in parts:
            # How fast searches are is asked, and not how fast what is kept is given (`answers_kept.py`).
            with serving(database, **(UNKEPT if part == "rate" else {})) as server:
                is_met.append(PARTS[part](server, chunks))
    return 0 if all(is_met) else 1


@dataclass
class Server:
    """`arcana serve` in a process of its own."""

    process: subprocess.Popen[str]
    port: int
    key: str
    database: Database

    def megabytes(self) -> float:
        """What it holds of memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", status)
        assert found is not None
        return int(found[1]) / 1024


@contextlib.contextmanager
def serving(database: Database, **environment: str) -> Iterator[Server]:
    """Serve a database to a key. `environment` is set for the server besides."""
    with database.connection() as connection:
        workspace = workspaces.find(connection, SLUG)
        granted = [Permission("search", workspace.workspace_id, None)]
        key = keys.create(connection, SECRETS["API_KEY_SALT"], workspace.company_id, granted, "benchmark").key
    url = database.url.replace(f"{lease.WRITER}@", f"{lease.SERVER}@")
    process = subprocess.Popen(
        [sys.executable, "-m", "arcana_pipelines.cli", "serve", "--port", "0"],
        env={**os.environ, **SECRETS, **UNLIMITED, "DATABASE_URL": url, "ARCANA_HOME": str(database.settings.home),
             **environment},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        port = next(
            int(found[1]) for line in process.stderr if (found := re.search(r"Serving at http://\S+:(\d+)/", line))
        )
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield Server(process, port, key, database)
    finally:
        process.terminate()
        process.wait(30)


UNKEPT = {"SEARCH_CACHE_TTL": "0", "EMBEDDING_CACHE_TTL": "0"}
# Limits of a key would be measured in place of the server.
UNLIMITED = {"KEY_REQUESTS_PER_MINUTE": "1000000"}


class Asking:
    """A process that asks; a line for each request says when it was sent, its milliseconds, and what it found."""

    def __init__(self, server: Server, clients: int, rate: float) -> None:
        """`rate` in requests a second of all clients together; 0: each asks as soon as it has its answer."""
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--ask", str(server.port), server.key, str(clients), str(rate)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def stop(self) -> tuple[list[dict[str, Any]], float]:
        """The requests, and the seconds that a processor worked for whoever asked."""
        said, _ = self._process.communicate("\n")
        *lines, last = said.splitlines()
        return [json.loads(line) for line in lines], float(last)


def ask(port: str, key: str, clients: str, rate: str) -> None:
    """Ask until a line is read."""
    over = threading.Event()
    done: list[dict[str, Any]] = []
    print("ready", flush=True)
    begun = time.monotonic()
    threads = [
        threading.Thread(target=_client, args=(int(port), key, number, int(clients), float(rate), begun, over, done))
        for number in range(int(clients))
    ]
    for thread in threads:
        thread.start()
    sys.stdin.readline()
    over.set()
    for thread in threads:
        thread.join()
    worked = time.process_time()
    for each in done:
        print(json.dumps(each))
    print(worked)


def _client(
    port: int, key: str, number: int, clients: int, rate: float, begun: float, over: threading.Event,
    done: list[dict[str, Any]],
) -> None:  # fmt: skip
    writer = Writer(number)
    kinds = list(questions(writer).values())
    chance = random.Random(number)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    sent = 0
    while not over.is_set():
        due = begun + (sent * clients + number) / rate if rate else time.monotonic()
        if over.wait(max(0.0, due - time.monotonic())):
            break
        sent += 1
        query = MARK if chance.random() < 0.1 else chance.choice(kinds)()
        # From when it was due: an answer that is late makes the next ones late, and that counts.
        started = due if rate else time.monotonic()
        sent_at = time.monotonic()
        try:
            connection.request("POST", f"/v1/workspaces/{SLUG}/search", json.dumps({"query": query, "k": 5}), headers)
            answer = connection.getresponse()
            body = json.loads(answer.read())
            status = answer.status
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            body, status = {"error": repr(error)}, 0
        version = body["hits"][0]["version"] if status == 200 and query == MARK and body["hits"] else None
        took = time.monotonic() - started
        done.append({"at": sent_at, "ms": took * 1000, "status": status, "version": version, "mark": query == MARK})


def during(
    server: Server, seconds: float, clients: int = CLIENTS, rate: float = 0.0
) -> tuple[list[dict[str, Any]], float]:
    """What is asked in so many seconds, and the processor seconds of whoever asked."""
    asking = Asking(server, clients, rate)
    time.sleep(seconds)
    return asking.stop()


def rate(server: Server, chunks: int) -> bool:
    """As much as it bears, and half of the target."""
    during(server, 5.0)  # caches are warm
    found, worked = during(server, SECONDS)
    per_second = len(found) / SECONDS
    calm, _ = during(server, 2 * SECONDS, rate=LEAST_RATE / 2)
    alone, _ = during(server, 10.0, clients=1)
    print(f"\n## Searches over HTTP, {chunks:,} chunks\n")
    print("| | searches | a second | p50 ms | p99 ms |\n| --- | --- | --- | --- | --- |")
    for name, held, seconds in (
        ("one client", alone, 10.0), (f"{CLIENTS} clients", found, SECONDS),
        (f"{LEAST_RATE / 2:g} a second", calm, 2 * SECONDS),
    ):  # fmt: skip
        times = [each["ms"] for each in held]
        print(
            f"| {name} | {len(held)} | {len(held) / seconds:.1f} | {percentile(times, 50):.1f} "
            f"| {percentile(times, 99):.1f} |"
        )
    print(f"\nWhoever asked with {CLIENTS} clients worked a processor for {worked / SECONDS:.2f} s a second.")
    failed = sum(each["status"] != 200 for each in (*found, *calm, *alone))
    return all(
        [
            met("searches a second", per_second, LEAST_RATE, at_least=True),
            met("p99 at half of the target's rate, ms", percentile([each["ms"] for each in calm], 99), MOST_P99_MS),
            met("failed", failed, 0),
        ]
    )


def publish(server: Server, chunks: int) -> bool:
    """New versions are published while it is asked: who asks after a publish finds that version or a later one."""
    asking = Asking(server, CLIENTS, LEAST_RATE / 2)
    published = [(0.0, 1)]
    time.sleep(3.0)
    for version in range(2, PUBLISHES + 2):
        _write(server.database, version)
        run_stages(server.database, SLUG)
        published.append((time.monotonic(), version))
        time.sleep(2.0)
    found, _ = asking.stop()
    marked = [each for each in found if each["mark"]]
    stale = [each for each in marked if (each["version"] or 0) < max(v for at, v in published if at <= each["at"])]
    failed = sum(each["status"] != 200 for each in found)
    print(f"\n## {PUBLISHES} publishes beside {len(found)} searches, {len(marked)} of them for what changed\n")
    return all([met("stale answers", len(stale), 0), met("failed", failed, 0)])


def _write(database: Database, version: int) -> None:
    """A new version of the document with the mark."""
    with database.connection() as connection, connection.transaction():
        connection.execute(
            "WITH d AS (SELECT document_id FROM source_page WHERE external_id = 'mark'), c AS ("
            "INSERT INTO document_content (document_content_id, document_id, contents, version) "
            "SELECT gen_random_uuid(), c.document_id, jsonb_set(c.contents, '{text}', to_jsonb(%(text)s::text)), "
            "%(version)s FROM document_content c JOIN d USING (document_id) WHERE c.version = 1 "
            "RETURNING document_id, document_content_id) "
            "UPDATE document SET latest_content_id = c.document_content_id FROM c "
            "WHERE document.document_id = c.document_id",
            {"text": f"# Mark\n\n{MARK} {version}", "version": version},
        )


def growth(server: Server, chunks: int) -> bool:
    """Memory after 10,000 and after 100,000 requests."""
    print(f"\n## Memory, {chunks:,} chunks\n\n| requests | MB |\n| --- | --- |")
    done, held = 0, {}
    for until in (10_000, 100_000):
        while done < until:
            found, _ = during(server, SECONDS)
            assert all(each["status"] == 200 for each in found)
            done += len(found)
        held[until] = server.megabytes()
        print(f"| {done:,} | {held[until]:.1f} |", flush=True)
    print()
    return met("memory after 100,000 requests, of that after 10,000", held[100_000] / held[10_000], MOST_GROWTH)


PARTS: dict[str, Callable[[Server, int], bool]] = {"rate": rate, "publish": publish, "growth": growth}


if __name__ == "__main__":
    sys.exit(main())
