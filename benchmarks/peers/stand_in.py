"""The corpus and the server that all contestants read from, in a process of its own.

Behind it is the stand-in Notion server. It takes 0.3 ms of CPU for a page that it has rendered before and 9 ms for a
hundred listed pages, which would be a large part of a fast contestant's time. So a small server stands in front of
it, records each answer, and gives it again (0.08 ms, 0.2 ms), at once or after a set time, as long as the world
stays as it is. It counts the requests.

Orders come as lines of JSON on standard input, and each is answered by a line on standard output; see `main`.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import threading
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import httpx

from arcana_pipelines.demo.vocabulary import ENGLISH, KOREAN, Vocabulary
from arcana_pipelines.testing.notion_server import NotionWorld, serve
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.testing.notion_server.model.blocks import BlockSpec

NESTED = 0.75  # of the pages stand in another page
IN_KOREAN = 0.4
SECONDS_APART = 61.0
LONG_AFTER = 3600.0  # seconds of world time between an edit and the sync: no page's edit minute is open
MARKED = 10  # the block that holds the page's own word, by which an edit is told


# The corpus


class Corpus:
    """Pages of 20 blocks each, most of them nested, none of which has blocks below blocks."""

    def __init__(self, pages: int, seed: int = 1) -> None:
        self.world = NotionWorld(seed=seed)
        self._random = Random(seed)
        self.pages: list[str] = []
        for at in range(pages):
            parent = self._random.choice(self.pages) if self.pages and self._random.random() < NESTED else None
            words = KOREAN if self._random.random() < IN_KOREAN else ENGLISH
            self.world.clock.advance(SECONDS_APART)
            title = f"{self._random.choice(words.topics)} {at + 1}"
            self.pages.append(self.world.add_page(title, parent, self._content(words, at)))
        self.world.clock.advance(LONG_AFTER)

    def edit(self, percent: float) -> dict[str, dict[str, str]]:
        """Change one paragraph on so many pages; returns each page's old and new word."""
        count = max(1, round(len(self.pages) * percent / 100))
        changed = {}
        for at in range(0, count * (len(self.pages) // count), len(self.pages) // count):
            page = self.pages[at]
            marked = self.world.live_children(self.world.nodes[page])[MARKED]
            self.world.set_block_text(marked.id, _marked(f"edited{at:06}"))
            changed[page] = {"old": f"marked{at:06}", "new": f"edited{at:06}"}
        self.world.clock.advance(LONG_AFTER)
        return changed

    def trash(self) -> dict[str, str]:
        """Trash the newest page, which has no page in it; returns its id and its word."""
        at = len(self.pages) - 1
        page = self.pages.pop()
        self.world.trash(page)
        self.world.clock.advance(LONG_AFTER)
        return {"page": page, "word": f"marked{at:06}"}

    def truth(self) -> dict[str, list[str]]:
        """What a person reads on each page that is there."""
        return {page: self.world.visible_text(page) for page in self.world.visible_pages()}

    def _content(self, words: Vocabulary, at: int) -> list[BlockSpec]:
        def sentence() -> str:
            return self._random.choice(words.sentences).format(
                team=self._random.choice(words.teams),
                thing=self._random.choice(words.things),
                reason=self._random.choice(words.reasons),
                day=self._random.choice(words.days),
                number=self._random.randrange(2, 9_999),
            )

        def heading() -> BlockSpec:
            return blocks.heading(self._random.choice(words.headings), 2)

        mention = [blocks.mention_page(self._random.choice(self.pages))] if self.pages else []
        address = f"https://example.com/{at}"
        return [
            heading(),
            blocks.paragraph(f"{sentence()} {sentence()}"),
            blocks.paragraph(f"{sentence()} {sentence()}"),
            *(blocks.bulleted(sentence()) for _ in range(3)),
            heading(),
            blocks.callout(sentence()),
            *(blocks.numbered(sentence()) for _ in range(2)),
            blocks.paragraph(_marked(f"marked{at:06}")),
            *(blocks.todo(sentence()) for _ in range(2)),
            heading(),
            blocks.quote(sentence()),
            blocks.code(f'deploy("{at}")', "python"),
            blocks.bookmark(address, sentence()),
            blocks.paragraph([words.see, *mention]),
            blocks.paragraph(f"{sentence()} {sentence()}"),
            blocks.paragraph(sentence()),
        ]


def _marked(word: str) -> str:
    return f"What belongs to this matter is filed under {word}."


# The server


class Request(NamedTuple):
    """What decides about an answer. The body of a GET does not."""

    method: str
    target: str
    version: str
    token: str
    body: str


class Front:
    """Answers once made, the requests that were asked, and how many since the last count."""

    def __init__(self, address: str) -> None:
        self.latency = 0.0
        self.requests = self.made = 0
        self._answers: dict[Request, bytes] = {}
        self._asked: set[Request] = set()
        self._behind = httpx.Client(base_url=address, timeout=60, headers={"Accept-Encoding": "identity"})

    def known(self, request: Request) -> bytes | None:
        """The recorded answer, if there is one; counts the request."""
        self.requests += 1
        return self._answers.get(request)

    def make(self, request: Request) -> bytes:
        """Ask the server behind, record what it says, and return it."""
        self.made += 1
        self._asked.add(request)
        headers = {"Authorization": request.token, "Notion-Version": request.version}
        answer = self._behind.request(request.method, request.target, content=request.body, headers=headers)
        head = [f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}"]
        head += [f"{name}: {answer.headers[name]}" for name in ("content-type", "date") if name in answer.headers]
        head += [f"content-length: {len(answer.content)}", "", ""]
        self._answers[request] = "\r\n".join(head).encode() + answer.content
        return self._answers[request]

    def refresh(self) -> None:
        """Forget the answers, which the world has outgrown, and make all of them anew, listings to their ends."""
        asked, self._asked, self._answers = self._asked, set(), {}
        for request in asked:
            if "start_cursor" in request.body:
                continue  # the world of that cursor is gone
            following: Request | None = request
            while following is not None:
                following = _following(following, self.make(following))
        self.made = 0

    def count(self) -> dict[str, int]:
        """The requests since the last count, and how many of their answers had to be made."""
        counted = {"requests": self.requests, "made": self.made}
        self.requests = self.made = 0
        return counted


def _following(request: Request, answer: bytes) -> Request | None:
    if request.method != "POST":
        return None
    cursor = json.loads(answer.partition(b"\r\n\r\n")[2]).get("next_cursor")
    body = json.dumps({**json.loads(request.body or "{}"), "start_cursor": cursor}, sort_keys=True)
    return request._replace(body=body) if cursor else None


LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
VERSION = re.compile(rb"(?i)\r\nnotion-version: *([^\r]*)")
TOKEN = re.compile(rb"(?i)\r\nauthorization: *([^\r]*)")


class Connection(asyncio.Protocol):
    """One client's connection; a request comes after the answer to the one before."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._buffer = bytearray()
        self._making: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where to write."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer as soon as a whole request is here."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        length = LENGTH.search(self._buffer, 0, end) if end >= 0 else None
        whole = end + 4 + (int(length[1]) if length else 0)
        if end < 0 or len(self._buffer) < whole:
            return
        request = _request(bytes(self._buffer[: end + 4]), bytes(self._buffer[end + 4 : whole]))
        self._buffer.clear()
        answer = self._front.known(request)
        if answer is None:
            task = asyncio.create_task(self._make(request))
            self._making.add(task)
            task.add_done_callback(self._making.discard)
        else:
            self._answer(answer)

    async def _make(self, request: Request) -> None:
        self._answer(await asyncio.to_thread(self._front.make, request))

    def _answer(self, answer: bytes) -> None:
        if self._front.latency:
            asyncio.get_running_loop().call_later(self._front.latency, self._transport.write, answer)
        else:
            self._transport.write(answer)


def _request(head: bytes, body: bytes) -> Request:
    method, target, _ = head.split(b" ", 2)
    version, token = VERSION.search(head), TOKEN.search(head)
    said = json.dumps(json.loads(body or b"{}"), sort_keys=True) if method == b"POST" else ""
    return Request(
        method.decode(),
        target.decode(),
        version[1].decode() if version else "",
        token[1].decode() if token else "",
        said,
    )


def listen(front: Front) -> str:
    """Serve from a thread; returns the address."""
    address: list[str] = []
    started = threading.Event()

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: Connection(front), "127.0.0.1", 0)
        address.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        started.set()
        await server.serve_forever()

    threading.Thread(target=lambda: asyncio.run(run()), name="front", daemon=True).start()
    started.wait()
    return address[0]


def main() -> None:
    """Serve until standard input ends, which it does however the parent ends."""
    corpus = Corpus(int(sys.argv[1]))
    with serve(corpus.world) as behind:
        front = Front(behind.base_url)

        def changed(change: Callable[..., Any]) -> Callable[..., Any]:
            def order(**given: Any) -> Any:
                result = change(**given)
                front.refresh()
                return result

            return order

        orders: dict[str, Callable[..., Any]] = {
            "edit": changed(corpus.edit),
            "trash": changed(corpus.trash),
            "truth": corpus.truth,
            "count": front.count,
            "latency": lambda seconds: setattr(front, "latency", seconds),
        }
        print(json.dumps(listen(front)), flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            print(json.dumps(orders[order.pop("do")](**order)), flush=True)


if __name__ == "__main__":
    main()
