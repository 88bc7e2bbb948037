"""What a help desk costs to read: `python benchmarks/tickets_first_load.py`.

    python benchmarks/tickets_first_load.py                  # 5,000 tickets, 20,000 messages, a quarter of them private
    python benchmarks/tickets_first_load.py --files on       # files are fetched: each ticket costs two credits

A stand-in of Freshdesk in a process of its own counts requests and credits; it answers at once and limits nothing.
`arcana sync` runs in a process of its own, too. Then nothing happens and the sensor looks, then one reply comes.
Exit code 1: a target was missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from first_load import memory_of
from index_build import met
from machine import print_machine
from own_server import own_server

from arcana_pipelines.db.engine import Database
from arcana_pipelines.ledger.polling import poll_and_record
from arcana_pipelines.settings import Settings
from arcana_pipelines.sources.freshdesk.api import PER_PAGE
from arcana_pipelines.testing.freshdesk_server import FreshdeskServer, FreshdeskWorld
from arcana_pipelines.testing.freshdesk_server.texts import CUSTOMERS, TOPICS
from arcana_pipelines.workspaces import workspaces

SLUG = "desk"
MESSAGES = 4
LOOKS = 8


def make_world(tickets: int) -> FreshdeskWorld:
    """Tickets that came in ten minutes apart, each with three answers and a private note."""
    world = FreshdeskWorld()
    customers = [world.add_contact(name, address) for name, address in CUSTOMERS]
    for number in range(1, tickets + 1):
        world.clock.advance(600)
        topic, customer = TOPICS[number % len(TOPICS)], customers[number % len(customers)]
        ticket = world.add_ticket(
            topic.subject.format(n=number), topic.question.format(n=number), requester=customer,
            responder=world.agent, type=topic.type, tags=(topic.tag,),
        )  # fmt: skip
        for turn in range(MESSAGES - 1):
            text = topic.talk[turn] if turn < len(topic.talk) else f"Anything else, {{n}}? {turn}"
            world.reply(ticket, text.format(n=number), by=world.agent if turn % 2 == 0 else customer)
        world.add_note(ticket, topic.note.format(n=number))
    world.clock.advance(3600)
    return world


def serve(tickets: int) -> int:
    """Serve until the input ends; each line of it is answered by what was asked for since the one before."""
    with FreshdeskServer(make_world(tickets)) as server:
        print(json.dumps({"url": server.url, "key": server.world.key}), flush=True)
        for line in sys.stdin:
            asked = {"requests": server.requests.total(), "credits": server.credits.total(), **server.requests}
            server.reset_log()
            if line.strip() == "reply":
                server.world.reply(tickets // 2, "We have looked again: the part was replaced yesterday.")
                server.world.clock.advance(300)
            print(json.dumps(asked), flush=True)
    return 0


class Desk:
    """The stand-in in its own process."""

    def __init__(self, tickets: int) -> None:
        command = [sys.executable, __file__, "--serve", "--tickets", str(tickets)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.told = self._read()

    def asked(self, word: str = "") -> dict[str, int]:
        """Requests and credits since the last call; then what the word says happens."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found


def synced(environment: dict[str, str]) -> tuple[dict[str, Any], float, int]:
    """The report of `arcana sync`, its seconds, and the most bytes that its processes had resident."""
    started, memory = time.monotonic(), 0
    command = [sys.executable, "-m", "arcana_pipelines.cli", "sync", SLUG, "--json"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    while process.poll() is None:
        memory = max(memory, memory_of(process))
        time.sleep(0.3)
    assert process.stdout is not None
    return json.loads(process.stdout.read()), time.monotonic() - started, memory


def measure(home: Path, url: str, desk: Desk, tickets: int, files: str) -> bool:
    """Load, look, answer one ticket, and report."""
    ours = {
        "ARCANA_HOME": str(home), "DATABASE_URL": url, "EMBEDDING_PROVIDER": "local-small", "FILES": files,
        "FRESHDESK_DOMAIN": "acme", "FRESHDESK_API_KEY": desk.told["key"], "FRESHDESK_BASE_URL": desk.told["url"],
        "FRESHDESK_REQUESTS_PER_MINUTE": "0", "ARCANA_ENV_FILE": os.devnull,
    }  # fmt: skip
    environment = {name: os.environ.get(name, "") for name in ("PATH", "HOME", "PYTHONPATH")} | ours
    os.environ.update(ours)
    arcana = [sys.executable, "-m", "arcana_pipelines.cli"]
    options = ["--source", "freshdesk", "--private-notes"]
    subprocess.run([*arcana, "workspace", "add", SLUG, *options], env=environment, check=True)
    desk.asked()

    report, seconds, memory = synced(environment)
    load = desk.asked()
    chunks = report["chunks"]["published"]
    print(f"{tickets:,} tickets, {tickets * MESSAGES:,} messages: {load}")
    print(f"{chunks:,} chunks, {report['embeddings']}; {seconds:.0f} s, {memory / 1e6:.0f} MB in all processes")
    formula = tickets / PER_PAGE + tickets

    database = Database(Settings())
    for _ in range(LOOKS):
        with database.connection() as connection:
            workspace = workspaces.find(connection, SLUG)
        poll_and_record(database, workspace)
    quiet = desk.asked("reply")
    with database.connection() as connection:
        needed = connection.execute("SELECT sync_needed FROM workspace").fetchone()
    database.close()

    again, reply_seconds, _ = synced(environment)
    reply = desk.asked()
    nothing, _, _ = synced(environment)
    still = desk.asked()
    print(f"{LOOKS} quiet looks: {quiet} ({needed}); one reply: {reply}, {again['embeddings']}, {reply_seconds:.0f} s")
    print(f"a sync without news: {still}, {nothing['embeddings']}")
    return all(
        [
            met("pages", report["pages"]["added"], 2 * tickets, at_least=True),
            met("requests of the load / (N/100 + N)", load["requests"] / formula, 1.02),
            met("credits of the load / (N/100 * 5 + N)", load["credits"] / (5 * tickets / PER_PAGE + tickets),
                1.02 if files == "off" else 2.02),
            met("requests of a quiet look", quiet["requests"] / LOOKS, 2),
            met("requests of a sync with one reply", reply["requests"], 9),
            met("embeddings of one reply", again["embeddings"]["computed"], 1),
            met("requests of a sync without news", still["requests"], 3),
            met("embeddings of a sync without news", nothing["embeddings"]["computed"], 0),
        ]
    )  # fmt: skip


def main() -> int:
    """Run and report; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickets", type=int, default=5000, help="each with four messages (%(default)s)")
    parser.add_argument("--files", choices=("on", "off"), default="off", help="FILES (%(default)s)")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        return serve(given.tickets)
    print_machine()
    desk = Desk(given.tickets)
    try:
        with own_server() as (home, url):
            return 0 if measure(home, url, desk, given.tickets, given.files) else 1
    finally:
        desk.close()


if __name__ == "__main__":
    sys.exit(main())
