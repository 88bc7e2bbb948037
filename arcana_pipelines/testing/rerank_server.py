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
from typing import Any

from arcana_pipelines.testing.http_server import Answer, AnsweringServer, Request

_WORD = re.compile(r"\w+")


class RerankingServer(AnsweringServer):
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
        super().__init__()
        self.url = f"{self.address}/v1/rerank"

    def answer(self, request: Request) -> Answer | None:
        """Scores, or what stands next in `answers`."""
        body = json.loads(request.body)
        self.requests.append(body)
        self.authorizations.append(request.headers.get("authorization"))
        self._closing.wait(self.delay)
        if self.answers:
            status, text = self.answers.pop(0)
            return Answer(status, text.encode()) if status else None
        query = set(_words(body["query"]))
        scored = [
            {"index": index, "relevance_score": 1 - 1 / (1 + sum(word in query for word in _words(document)))}
            for index, document in enumerate(body["documents"])
        ]
        best_first = sorted(scored, key=lambda each: -each["relevance_score"])[: body.get("top_n")]
        answer = {"id": "rerank-1", "model": body.get("model"), "results": best_first}
        return Answer(200, json.dumps(answer).encode())

    def close(self) -> None:
        """Stop serving."""
        self._closing.set()
        super().close()


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
