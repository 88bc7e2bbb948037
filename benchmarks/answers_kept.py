"""What is kept of searches: `python benchmarks/answers_kept.py [rate] [zipf] [stale] [valkey] [together]`.

    rate    answers a second that one server gives of what it keeps, with key check and the log of use
    zipf    how many of 10,000 questions, some of which are asked much more often than others, had been answered before
    stale   10,000 searches beside publishes, removals and other filters of a key: each has to show what was so then
    valkey  searches while a Valkey is killed, started, stopped, filled and emptied: none may fail
    together  50 equal searches at once at each of two servers with one Valkey: the answer is to be made once

The server, the database and what asks are on this machine; the processor time of the latter is told apart. The corpus
is small: what is kept is given as fast from a large one. Exit code 1: a target was missed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psycopg
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
from search_speed import questions
from serving import MARK, SLUG, Server, _write, serving

from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.db.engine import Database
from arcana_pipelines.embedding import local_small
from arcana_pipelines.embedding.catalogue import SMALL_MODEL
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines_tests.caching.valkey import Valkey

CHUNKS = 2_000
CLIENTS = 8
SECONDS = 20.0
LEAST_RATE = 500.0
QUESTIONS, ASKED, EXPONENT = 10_000, 10_000, 1.0
SEARCHES = 10_000
TIMES, AT_ONCE = 10, 50
KEPT = ("--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")
PATH = f"/v1/workspaces/{SLUG}/search"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to measure (default: all)")
    parser.add_argument("--ask", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.ask:
        ask_the_same(int(given.ask[0]), given.ask[1], float(given.ask[2]))
        return 0
    print_machine()
    with installation() as database:
        texts = made_up(SLUG, CHUNKS // CHUNKS_OF_A_DOCUMENT, Writer(1))
        index = IndexSettings(SMALL_MODEL, local_small.DIMENSIONS, ChunkerSettings(), "auto")
        registered_with(database, SLUG, [*texts, ("mark", "Mark", f"# Mark\n\n{MARK} 1")], index)
        run_stages(database, SLUG)
        is_met = [PARTS[part](database) for part in given.parts or PARTS]
    return 0 if all(is_met) else 1


def search(connection: http.client.HTTPConnection, key: str, query: str, k: int = 5) -> tuple[int, dict[str, Any]]:
    """One search; the status is 0 where the server did not answer."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    try:
        connection.request("POST", PATH, json.dumps({"query": query, "k": k, "min_score": 0}), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        connection.close()
        return 0, {"error": repr(error)}


def ask_the_same(port: int, key: str, seconds: float) -> None:
    """Ask a few questions again and again, over bare connections, so that whoever asks costs little."""
    done: list[int] = []
    times: list[float] = []

    def client(number: int) -> None:
        body = json.dumps({"query": f"budget review {number % 4}", "k": 10})
        request = (
            f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()
        sent = 0
        with socket.create_connection(("127.0.0.1", port)) as connection:
            while time.monotonic() < until:
                began = time.monotonic()
                connection.sendall(request)
                held = b""
                while (end := held.find(b"\r\n\r\n")) < 0:
                    held += connection.recv(65536)
                assert held.startswith(b"HTTP/1.1 200"), held[:300]
                length = int(held[:end].lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                while len(held) < end + 4 + length:
                    held += connection.recv(65536)
                times.append(time.monotonic() - began)
                sent += 1
        done.append(sent)

    until = time.monotonic() + seconds
    threads = [threading.Thread(target=client, args=[number]) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"done": sum(done), "times": times, "worked": time.process_time()}))


def _asked(server: Server, seconds: float) -> dict[str, Any]:
    command = [sys.executable, __file__, "--ask", str(server.port), server.key, str(seconds)]
    told: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return told


def _processor(server: Server) -> float:
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def rate(database: Database) -> bool:
    """As much as one server gives of what it keeps: in its memory, and in a Valkey."""
    print("\n## Answers that are kept\n\n| kept in | a second | p50 ms | p99 ms | server, ms of a processor each "
          "| whoever asked, s a second |\n| --- | --- | --- | --- | --- | --- |")  # fmt: skip
    rates = []
    with valkey() as other:
        for name, environment in (("memory", {}), ("Valkey", {"REDIS_URL": other.url})):
            with serving(database, **environment) as server:
                _asked(server, 5.0)
                before = _processor(server)
                told = _asked(server, SECONDS)
                each = 1000 * (_processor(server) - before) / told["done"]
                rates.append(told["done"] / SECONDS)
                times = [1000 * took for took in told["times"]]
                print(f"| {name} | {rates[-1]:.0f} | {percentile(times, 50):.1f} | {percentile(times, 99):.1f} "
                      f"| {each:.2f} | {told['worked'] / SECONDS:.2f} |")  # fmt: skip
    print()
    return met("answers a second from memory", rates[0], LEAST_RATE, at_least=True)


def zipf(database: Database) -> bool:
    """The share of questions that had been answered, where the nth most popular one is asked 1/n as often."""
    writer, chance = Writer(2), random.Random(2)
    kinds = list(questions(writer).values())
    asked = [chance.choice(kinds)() + f" {number}" for number in range(QUESTIONS)]
    weights = [1 / (number + 1) ** EXPONENT for number in range(QUESTIONS)]
    took: dict[bool, list[float]] = {True: [], False: []}
    seen: set[str] = set()
    with serving(database) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        for query in chance.choices(asked, weights, k=ASKED):
            began = time.monotonic()
            status, _ = search(connection, server.key, query)
            assert status == 200
            took[query in seen].append(1000 * (time.monotonic() - began))
            seen.add(query)
        outcomes = _outcomes(database)
    hits = len(took[True])
    print(f"\n## {ASKED:,} searches of {QUESTIONS:,} questions, the nth asked 1/n as often\n")
    print(
        f"{hits / ASKED:.1%} had been asked before; the server notes that {outcomes:.1%} were kept. "
        f"p50 {percentile(took[True], 50):.1f} ms of those, {percentile(took[False], 50):.1f} of others.\n"
    )
    return True


def _outcomes(database: Database) -> float:
    """What the server notes of its answers, which takes it some seconds."""
    time.sleep(5)
    with database.connection() as connection:
        row = connection.execute("SELECT avg(is_cached::int) FROM search_answers").fetchone()
    assert row is not None
    return float(row[0])


class Truth:
    """What may be found, as it was at each time: changed by one, and looked up by many."""

    def __init__(self) -> None:
        self.held: list[tuple[float, float, Any]] = [(0.0, 0.0, ("all", 1))]

    def change(self, state: Any, make: Callable[[], None]) -> None:
        """From when the change begins, either may be found; from when it is done, the new one alone."""
        began = time.monotonic()
        make()
        self.held.append((began, time.monotonic(), state))

    def possible(self, sent: float, received: float) -> set[Any]:
        """What an answer may show that was asked for and received at these times."""
        held = list(self.held)
        first = max(number for number, (_, done, _) in enumerate(held) if done <= sent)
        return {state for began, _, state in held[first:] if began <= received}


def stale(database: Database) -> bool:
    """Searches for what is being changed: published anew, removed, restored, and left out by a filter of the key."""
    truth, over = Truth(), threading.Event()
    found: list[tuple[float, float, int, Any]] = []
    with serving(database) as server:
        changer = threading.Thread(target=_change, args=[database, server.key, truth, over])
        clients = [threading.Thread(target=_look, args=[server, over, found]) for _ in range(CLIENTS - 2)]
        for thread in (changer, *clients):
            thread.start()
        while len(found) < SEARCHES:
            time.sleep(0.2)
        over.set()
        for thread in (changer, *clients):
            thread.join()
    wrong = [each for each in found if each[2] == 200 and each[3] not in truth.possible(each[0], each[1])]
    failed = sum(status != 200 for _, _, status, _ in found)
    told = Counter(state[0] for _, _, state in truth.held)
    print(f"\n## {len(found):,} searches beside {len(truth.held) - 1:,} changes ({dict(told)})\n")
    for each in wrong[:5]:
        print("stale:", each, truth.possible(each[0], each[1]))
    return all([met("stale answers", len(wrong), 0), met("failed", failed, 0)])


def _look(server: Server, over: threading.Event, found: list[tuple[float, float, int, Any]]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    while not over.is_set():
        sent = time.monotonic()
        status, body = search(connection, server.key, MARK)
        hits = [hit for hit in body.get("hits", ()) if hit["external_id"] == "mark"]
        shown = ("all", hits[0]["version"]) if hits else ("none", 0)
        found.append((sent, time.monotonic(), status, shown))


def _change(database: Database, key: str, truth: Truth, over: threading.Event) -> None:
    chance, version, is_removed, is_filtered = random.Random(3), 1, False, False
    while not over.is_set():
        kind = chance.choice(["publish", "removal", "filter", "filter"])
        if kind == "publish" and not is_removed:
            version += 1
            make = lambda number=version: (_write(database, number), run_stages(database, SLUG))  # noqa: E731
        elif kind == "removal":
            is_removed = not is_removed
            make = lambda gone=is_removed: (_remove(database, gone), run_stages(database, SLUG))  # noqa: E731
        elif kind == "filter":
            is_filtered = not is_filtered
            make = lambda narrow=is_filtered: _filter(database, key, narrow)  # noqa: E731
        else:
            continue
        truth.change(("none", 0) if is_removed or is_filtered else ("all", version), make)
        # Long enough that what is kept is asked for, too.
        time.sleep(chance.choice([0.0, 0.02, 0.1]))


def _remove(database: Database, is_gone: bool) -> None:
    with database.connection() as connection:
        connection.execute(
            "UPDATE document d SET deleted_at = CASE WHEN %s THEN now() END FROM source_page p "
            "WHERE p.document_id = d.document_id AND p.external_id = 'mark'",
            [is_gone],
        )


def _filter(database: Database, key: str, is_narrow: bool) -> None:
    filters = psycopg.types.json.Jsonb({"kinds": ["row"]}) if is_narrow else None
    with database.connection() as connection:
        connection.execute(
            "UPDATE api_key_permissions SET filters = %s WHERE key_id = %s AND scope = 'search'", [filters, key[4:12]]
        )


@contextmanager
def valkey() -> Iterator[Valkey]:
    """A Valkey of our own, which drops what is old when it is full."""
    with tempfile.TemporaryDirectory() as folder:
        server = Valkey(Path(folder))
        server.start(*KEPT)
        yield server
        server.end()


def broken_valkey(database: Database) -> bool:
    """Searches while what is kept is lost in each way that there is."""
    with valkey() as held:

        def without_file() -> None:
            held.kill()
            for file in held.folder.glob("appendonlydir/*.incr.aof"):
                file.write_bytes(file.read_bytes()[:-40])
            held.start(*KEPT)

        def full() -> None:
            held.client().config_set("maxmemory-policy", "noeviction")
            held.client().config_set("maxmemory", "1")

        steps: list[tuple[str, Callable[[], object]]] = [
            ("as it is", lambda: None),
            ("killed", held.kill),
            ("started again", lambda: held.start(*KEPT)),
            ("stopped for 2 s at a time", lambda: _blink(held, 3)),
            ("emptied", lambda: held.client().flushall()),
            ("full, and keeping what is old", full),
            ("started with a file that was cut off", without_file),
        ]
        print("\n## Searches while a Valkey is\n\n| | searches | failed | p50 ms | p99 ms | longest ms |\n"
              "| --- | --- | --- | --- | --- | --- |")  # fmt: skip
        failed = 0
        with serving(database, REDIS_URL=held.url) as server:
            for name, change in steps:
                change()
                took, bad = _asked_for(server, 6.0)
                failed += bad
                print(f"| {name} | {len(took)} | {bad} | {percentile(took, 50):.1f} | {percentile(took, 99):.1f} "
                      f"| {max(took):.1f} |", flush=True)  # fmt: skip
    print()
    return met("failed", failed, 0)


def together(database: Database) -> bool:
    """How often a new question's answer is made that two servers are asked for 50 times each at once."""
    made: list[int] = []
    took: list[float] = []
    with valkey() as held, serving(database, REDIS_URL=held.url) as one, serving(database, REDIS_URL=held.url) as other:
        for server in (one, other):  # its model and its connections
            _asked_for(server, 3.0)
        before = _made(database)
        for number in range(TIMES):
            all_ask = threading.Barrier(2 * AT_ONCE)

            def ask(server: Server, query: str, begin: threading.Barrier) -> None:
                connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
                connection.connect()
                begin.wait()
                began = time.monotonic()
                status, _ = search(connection, server.key, query)
                took.append(1000 * (time.monotonic() - began))
                assert status == 200
                connection.close()

            threads = [
                threading.Thread(target=ask, args=[server, f"walrus budget {number}", all_ask])
                for server in (one, other)
                for _ in range(AT_ONCE)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            now = _made(database)
            made.append(now - before)
            before = now
    print(f"\n## {TIMES} new questions, each asked {AT_ONCE} times at once at each of two servers\n")
    print(f"Answers that were made: {dict(Counter(made))} (how many: how often). "
          f"p50 {percentile(took, 50):.0f} ms, longest {max(took):.0f} ms.\n")  # fmt: skip
    return met("answers made of one question", max(made), 1)


def _made(database: Database) -> int:
    """How many answers were made so far, as servers note them, which takes them some seconds."""
    time.sleep(5)
    with database.connection() as connection:
        row = connection.execute("SELECT count(*) FROM search_answers WHERE NOT is_cached").fetchone()
    assert row is not None
    return int(row[0])


def _blink(held: Valkey, times: int) -> None:
    """Let it stop for two seconds several times, beside what comes."""

    def blink() -> None:
        for _ in range(times):
            held.stop()
            time.sleep(2.0)
            held.go_on()
            time.sleep(0.2)

    threading.Thread(target=blink, daemon=True).start()


def _asked_for(server: Server, seconds: float) -> tuple[list[float], int]:
    took: list[float] = []
    bad: list[int] = []

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        chance = random.Random(number)
        while time.monotonic() < until:
            began = time.monotonic()
            status, _ = search(connection, server.key, f"budget review {chance.randrange(50)}")
            took.append(1000 * (time.monotonic() - began))
            if status != 200:
                bad.append(status)

    until = time.monotonic() + seconds
    threads = [threading.Thread(target=client, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took, len(bad)


PARTS: dict[str, Callable[[Database], bool]] = {"rate": rate, "zipf": zipf, "stale": stale, "valkey": broken_valkey,
         "together": together}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
