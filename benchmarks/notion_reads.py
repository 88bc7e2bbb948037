"""What CPU a read of Notion costs: bare, through notion-client's endpoints, and with limit, retry and classification.

    python benchmarks/notion_reads.py [--reads 5000]

A server in a process of its own answers every request at once with the same page of 6 kB. The CPU counted is that of
the client's process, one thread. The ways take turns, a hundred reads each, and the best turn of each counts: what else
the machine does is in the others. Exit code 1: the endpoints cost more than `MOST_RATIO` of a bare read.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from machine import print_machine
from notion_client import Client
from pydantic import SecretStr

from arcana_pipelines.net.answer_size import check_values
from arcana_pipelines.net.http_client import Server
from arcana_pipelines.sources.client import MOST_BYTES, MOST_VALUES, Patience
from arcana_pipelines.sources.limiter import RateLimiter
from arcana_pipelines.sources.notion.api import NotionApi
from arcana_pipelines.sources.notion.endpoints import Endpoints

MOST_RATIO = 1.05
TURN = 100  # reads
PAGE_ID = "1f7effb2-9211-800a-af32-c10cd6f51abc"
TEXT = {"type": "text", "text": {"content": "회의록 minutes"}, "plain_text": "회의록 minutes", "href": None}
PAGE = {
    "object": "page",
    "id": PAGE_ID,
    "last_edited_time": "2026-11-28T03:00:00.000Z",
    "properties": {f"Column {number}": {"type": "rich_text", "rich_text": [TEXT, TEXT]} for number in range(19)},
}


def serve(listening: socket.socket) -> None:
    """Answer whatever is asked, connection after connection."""
    body = json.dumps(PAGE).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = head.encode() + body

    def answered(connection: socket.socket) -> None:
        asked = b""
        while piece := connection.recv(65_536):
            asked += piece
            while b"\r\n\r\n" in asked:
                _, _, asked = asked.partition(b"\r\n\r\n")
                connection.sendall(answer)

    while True:
        threading.Thread(target=answered, args=(listening.accept()[0],), daemon=True).start()


class Bare(Endpoints):
    """One request over our connections, and its JSON."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self._root = f"{base_url}/v1/"
        self._server = Server(base_url, timeout=60, seconds=120, most_bytes=MOST_BYTES)

    def request(
        self,
        path: str,
        method: str,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        form_data: None = None,
        auth: None = None,
    ) -> dict[str, Any]:
        """See `Endpoints.request`."""
        data = self._server.send(method, self._root + path).data
        check_values(data, MOST_VALUES)
        return cast(dict[str, Any], json.loads(data))


class Unlimited:
    """A limiter that lets everything pass: the limit of the product is in the database."""

    def acquire(self) -> None:
        """At once."""


def milliseconds(read: Callable[[], Any]) -> float:
    """CPU of this process a read, in one turn."""
    began = time.process_time()
    for _ in range(TURN):
        read()
    return (time.process_time() - began) / TURN * 1000


def main() -> int:
    """Print each way's figure; see the module."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--reads", type=int, default=5000)
    given = options.parse_args()
    print_machine()
    listening = socket.create_server(("127.0.0.1", 0))
    process = multiprocessing.get_context("fork").Process(target=serve, args=(listening,), daemon=True)
    process.start()
    base_url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    token = SecretStr("ntn_none")

    bare = Bare(base_url)
    api = NotionApi(token, base_url, cast(RateLimiter, Unlimited()), Patience())
    client = Client(auth=token.get_secret_value(), base_url=base_url)
    ways: dict[str, Callable[[], Any]] = {
        "bare": lambda: bare.request(f"pages/{PAGE_ID}", "GET"),
        "through the endpoints": lambda: bare.pages.retrieve(PAGE_ID),
        "the product's (endpoints, retry, classification)": lambda: api.pages.retrieve(PAGE_ID),
        "notion-client on httpx": lambda: client.pages.retrieve(PAGE_ID),
    }
    assert all(read()["id"] == PAGE_ID for read in ways.values())
    turns = [{name: milliseconds(read) for name, read in ways.items()} for _ in range(given.reads // TURN)]
    process.terminate()
    best = {name: min(turn[name] for turn in turns) for name in ways}
    for name, figure in best.items():
        print(f"{name}: {figure:.3f} ms of CPU a read")
    ratio = best["through the endpoints"] / best["bare"]
    print(f"endpoints / bare: {ratio:.2f} (at most {MOST_RATIO})")
    return int(ratio > MOST_RATIO)


if __name__ == "__main__":
    sys.exit(main())
