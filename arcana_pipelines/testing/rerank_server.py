"""A stand-in of a reranking endpoint (Cohere, Jina, vLLM), over real HTTP.

    with RerankingServer() as server:
        settings = Settings(reranker_url=server.url)

It scores a document by how often it has the words of the query, whole and in any case. Results come best first, as
they do from the originals, and name their document by its index. What it is to answer instead can be said
(`server.answers`), and how long it takes (`server.delay`).
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

_WORD = re.compile(r"\w+")


class RerankingServer:
    """Serves on a free port of the loopback interface until closed.

    Attributes:
        url: what `RERANKER_URL` takes.
        requests: the bodies of all requests so far.
        authorizations: their header `Authorization`, or None.
        answers: (status, body) of the next answers, instead of proper ones; status 0 ends the connection.
        delay: seconds before each answer.
    """

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.authorizations: list[str | None] = []
        self.answers: list[tuple[int, str]] = []
        self.delay = 0.0
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"stand_in": self}))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1/rerank"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.005,), name="reranking-stand-in", daemon=True
        )
        self._thread.start()

    def answer(self, body: dict[str, Any], authorization: str | None) -> tuple[int, str]:
        """(status, body) for a request."""
        self.requests.append(body)
        self.authorizations.append(authorization)
        self._closing.wait(self.delay)
        if self.answers:
            return self.answers.pop(0)
        query = set(_words(body["query"]))
        found = [
            {"index": index, "relevance_score": 1 - 1 / (1 + sum(word in query for word in _words(document)))}
            for index, document in enumerate(body["documents"])
        ]
        best_first = sorted(found, key=lambda each: -each["relevance_score"])[: body.get("top_n")]
        return 200, json.dumps({"id": "rerank-1", "model": body.get("model"), "results": best_first})

    def close(self) -> None:
        """Stop serving."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> RerankingServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Handler(BaseHTTPRequestHandler):
    stand_in: RerankingServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)))
        status, text = self.stand_in.answer(body, self.headers.get("authorization"))
        if status == 0:
            self.close_connection = True
            return
        answer = text.encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the caller did not wait

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
