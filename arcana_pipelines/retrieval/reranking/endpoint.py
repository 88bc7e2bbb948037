"""A reranking endpoint over HTTP."""

from __future__ import annotations

import json
import math
import time
import weakref
from collections.abc import Sequence
from http import HTTPStatus

from urllib3.exceptions import HTTPError, ProtocolError

from arcana_pipelines.errors import InvalidSetting, RerankingFailed
from arcana_pipelines.net.answer_size import AnswerTooLarge, check_values
from arcana_pipelines.net.failures import quiet, timed_out
from arcana_pipelines.net.http_client import Server
from arcana_pipelines.settings import Settings

DEADLINE_SECONDS = 5.0  # for the whole answer; a reader waits for it
AT_ONCE_SECONDS = 0.5
# After an answer that was too late the reranker is not asked for so long, so that not every reader waits for nothing.
REST_SECONDS = 30.0
CONNECTIONS = 10
MOST_BYTES = 16 * 2**20  # of an answer; some endpoints send the documents back
MOST_VALUES = 100_000  # of a thousand documents, with what an endpoint says of each


class EndpointReranker:
    """A reranking endpoint in the form that Cohere, Jina, vLLM and llama.cpp share.

    Only what all of them know is sent; without `top_n` every document comes back. Results come best first and name
    their document by its `index`; some repeat its text. https://docs.cohere.com/reference/rerank,
    https://jina.ai/reranker, https://docs.vllm.ai/en/stable/examples/pooling/score/.
    """

    def __init__(self, settings: Settings) -> None:
        assert settings.reranker_url is not None
        self._url = settings.reranker_url
        self._model = settings.reranker_model
        self._key = settings.reranker_api_key.get_secret_value().strip() if settings.reranker_api_key else ""
        if not self._key.isascii() or any(character.isspace() for character in self._key):
            raise InvalidSetting("RERANKER_API_KEY holds characters that no key has. Copy it again.")
        self._server = Server(
            self._url,
            timeout=DEADLINE_SECONDS,
            seconds=DEADLINE_SECONDS,
            most_bytes=MOST_BYTES,
            connections=CONNECTIONS,
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
        )
        self._rests_until = 0.0
        weakref.finalize(self, self._server.close)

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """Ask the endpoint (see `Reranker.scores`); once more when the connection broke, never after the deadline."""
        rest = self._rests_until - time.monotonic()
        if rest > 0:
            raise RerankingFailed(f"The reranker was too slow and is left alone for another {rest:.0f} s.")
        body = {"query": query, "documents": list(texts)} | ({"model": self._model} if self._model else {})
        try:
            answer = self._ask(json.dumps(body).encode())
        except AnswerTooLarge as error:
            raise RerankingFailed(f"The reranker failed: {error}.") from error
        except HTTPError as error:
            if timed_out(error):
                self._rests_until = time.monotonic() + REST_SECONDS
                raise RerankingFailed(f"The reranker did not answer within {DEADLINE_SECONDS:.0f} s.") from error
            said = quiet(f"{type(error).__name__}: {error}", self._key)
            raise RerankingFailed(f"The reranker failed: {said}") from error
        return _scores(answer, len(texts))

    def _ask(self, body: bytes) -> bytes:
        began = time.monotonic()
        try:
            return self._answer(body)
        except ProtocolError:
            # A server closes idle connections without a word: the next request finds out, at once.
            if time.monotonic() - began > AT_ONCE_SECONDS:
                raise
            return self._answer(body)

    def _answer(self, body: bytes) -> bytes:
        answer = self._server.send("POST", self._url, body, {"Content-Type": "application/json"})
        if answer.status != HTTPStatus.OK:
            said = quiet(answer.data[:2000].decode(errors="replace"), self._key)
            raise RerankingFailed(f"The reranker failed: HTTP {answer.status} {said}".rstrip())
        check_values(answer.data, MOST_VALUES)
        return answer.data


def _scores(answer: bytes, texts: int) -> list[float]:
    """One score a text.

    Raises:
        RerankingFailed: a text has none, or what is there is no finite number.
    """
    try:
        results = json.loads(answer)["results"]
        by_number = {number: float(each["relevance_score"]) for each in results if type(number := each["index"]) is int}
        scores = [by_number[number] for number in range(texts)]
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
        raise RerankingFailed(
            "The reranker answered with something else than "
            f'{{"results": [{{"index", "relevance_score"}}]}} for each of {texts} documents.'
        ) from error
    if not all(map(math.isfinite, scores)):
        raise RerankingFailed("The reranker answered with NaN or infinite scores.")
    return scores
