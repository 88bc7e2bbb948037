"""A reranking endpoint over HTTP."""

from __future__ import annotations

import json
import math
import time
import weakref
from collections.abc import Sequence
from typing import Any

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from arcana_pipelines.errors import InvalidSetting, RerankingFailed
from arcana_pipelines.settings import Settings

DEADLINE_SECONDS = 5.0  # for the whole answer; a reader waits for it
# After an answer that was too late the reranker is left alone for so long: not every reader shall wait in vain.
REST_SECONDS = 30.0
MOST_BYTES = 16 * 2**20  # of an answer; some endpoints send the documents back


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
        self._client = httpx.Client(
            timeout=DEADLINE_SECONDS, headers={"Authorization": f"Bearer {self._key}"} if self._key else {}
        )
        self._rests_until = 0.0
        weakref.finalize(self, self._client.close)

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """Ask the endpoint (see `Reranker.scores`); once more when the connection broke, never after the deadline."""
        rest = self._rests_until - time.monotonic()
        if rest > 0:
            raise RerankingFailed(f"The reranker was too slow and is left alone for another {rest:.0f} s.")
        deadline = time.monotonic() + DEADLINE_SECONDS
        body = {"query": query, "documents": list(texts)} | ({"model": self._model} if self._model else {})
        # A server closes idle connections without a word: the next request finds out.
        again = Retrying(
            retry=retry_if_exception_type(httpx.RemoteProtocolError), stop=stop_after_attempt(2), reraise=True
        )
        try:
            answer = again(self._answer, body, deadline)
        except httpx.TimeoutException as error:
            self._rests_until = time.monotonic() + REST_SECONDS
            raise RerankingFailed(f"The reranker did not answer within {DEADLINE_SECONDS:.0f} s.") from error
        except httpx.HTTPError as error:
            raise RerankingFailed(f"The reranker failed: {self._quiet(f'{type(error).__name__}: {error}')}") from error
        return _scores(answer, len(texts))

    def _answer(self, body: dict[str, Any], deadline: float) -> bytes:
        timeout = max(0.001, deadline - time.monotonic())
        with self._client.stream("POST", self._url, json=body, timeout=timeout) as response:
            answer = bytearray()
            for piece in response.iter_bytes():
                answer += piece
                # The client's own limit is for one piece; they may come one by one for ever.
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer goes on and on")
                if len(answer) > MOST_BYTES:
                    raise RerankingFailed(f"The reranker answered with more than {MOST_BYTES >> 20} MiB.")
            if response.status_code != httpx.codes.OK:
                said = self._quiet(answer.decode(errors="replace"))
                raise RerankingFailed(f"The reranker failed: HTTP {response.status_code} {said}".rstrip())
        return bytes(answer)

    def _quiet(self, text: str) -> str:
        return (text.replace(self._key, "***") if self._key else text)[:300]


def _scores(answer: bytes, texts: int) -> list[float]:
    """One score a text.

    Raises:
        RerankingFailed: a text has none, or what is there is no finite number.
    """
    try:
        found = {int(each["index"]): float(each["relevance_score"]) for each in json.loads(answer)["results"]}
        scores = [found[number] for number in range(texts)]
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise RerankingFailed(
            "The reranker answered with something else than "
            f'{{"results": [{{"index", "relevance_score"}}]}} for each of {texts} documents.'
        ) from error
    if not all(map(math.isfinite, scores)):
        raise RerankingFailed("The reranker answered with NaN or infinite scores.")
    return scores
