"""OpenAI's API as the embedder meets it: order, sizes, pauses, refusals and accounts without credit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from arcana_pipelines.embedding.openai.embedder import OpenAIEmbedder
from arcana_pipelines.errors import EmbeddingFailed, InputRejected
from arcana_pipelines.net.openai_client import pause_asked_for
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.openai_server import EmbeddingServer, tokens_of, vector_of
from arcana_pipelines_tests.conftest import Naps
from arcana_pipelines_tests.embedding.conftest import MODEL, paid

TEXTS = ["one", "두 번째", "three"]


def _embedder(provider: EmbeddingServer, model: str = MODEL, dimensions: int = 8, **settings: Any) -> OpenAIEmbedder:
    return OpenAIEmbedder(Settings().model_copy(update=paid(provider, **settings)), model, dimensions, patience=600)


class TestAnswers:
    @pytest.mark.parametrize("encoding", ["float", "base64"])
    def test_rows_are_put_in_order_whichever_way_they_come(self, provider: EmbeddingServer, encoding: Any) -> None:
        embedder = _embedder(provider)
        embedder.encoding = encoding
        answer = embedder.embed(TEXTS)
        np.testing.assert_allclose(answer.vectors, [vector_of(text, 8) for text in TEXTS], rtol=1e-6)
        assert answer.vectors.dtype == np.float32
        assert answer.tokens == provider.tokens == sum(map(tokens_of, TEXTS))

    def test_dimensions_are_asked_for_and_checked(self, provider: EmbeddingServer) -> None:
        assert _embedder(provider, dimensions=5).embed(TEXTS).vectors.shape == (3, 5)
        with pytest.raises(EmbeddingFailed, match="the index needs 1536 dimensions"):
            _embedder(provider, model="text-embedding-ada-002", dimensions=1536).embed(TEXTS)

    @pytest.mark.parametrize("texts", [["a"] * 2049, ["성수 " * 5000], [""]])
    def test_what_openai_does_not_take_is_a_refused_input(self, provider: EmbeddingServer, texts: list[str]) -> None:
        with pytest.raises(InputRejected):
            _embedder(provider).embed(texts)
        assert len(provider.requests) == 1


class TestRetries:
    @pytest.mark.parametrize("status", [0, 408, 409, 429, 500, 502, 503, 529])
    def test_what_may_pass_is_tried_again(self, provider: EmbeddingServer, naps: Naps, status: int) -> None:
        provider.fail("embeddings", status, times=2)
        assert len(_embedder(provider).embed(TEXTS).vectors) == 3
        assert len(naps.seconds) == 2 and len(provider.requests) == 3

    @pytest.mark.parametrize("status", [0, 429, 500])
    def test_but_not_for_ever(self, provider: EmbeddingServer, status: int) -> None:
        provider.fail("embeddings", status, times=99)
        with pytest.raises(EmbeddingFailed, match="next sync goes on"):
            _embedder(provider).embed(TEXTS)
        assert len(provider.requests) == 3

    @pytest.mark.parametrize("status", [401, 403, 404])
    def test_what_cannot_pass_is_asked_once(self, provider: EmbeddingServer, status: int) -> None:
        provider.fail("embeddings", status, message="Incorrect API key provided: sk-stand-in.")
        with pytest.raises(EmbeddingFailed, match=f"HTTP {status}") as error:
            _embedder(provider).embed(TEXTS)
        assert "sk-stand-in" not in str(error.value)
        assert len(provider.requests) == 1

    def test_the_server_may_say_whether_it_helps(self, provider: EmbeddingServer) -> None:
        provider.fail("embeddings", 500, headers={"x-should-retry": "false"})
        with pytest.raises(EmbeddingFailed):
            _embedder(provider).embed(TEXTS)
        provider.fail("embeddings", 404, headers={"x-should-retry": "true"})
        assert len(_embedder(provider).embed(TEXTS).vectors) == 3

    def test_an_account_without_credit_is_told_so_at_once(self, provider: EmbeddingServer, naps: Naps) -> None:
        provider.fail("embeddings", 429, type="insufficient_quota", code="insufficient_quota")
        with pytest.raises(EmbeddingFailed, match="no credit left"):
            _embedder(provider).embed(TEXTS)
        assert len(provider.requests) == 1 and not naps.seconds


class TestPauses:
    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({"retry-after-ms": "7000", "retry-after": "8"}, 7),
            ({"retry-after": "7.5"}, 7.5),
            ({"retry-after": "Wed, 21 Oct 2026 07:28:07 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 7),
            ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0.5s"}, 360.5),
            ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20ms"}, 0.02),
            ({"x-ratelimit-remaining-tokens": "12", "x-ratelimit-reset-tokens": "6m0s"}, None),
            ({"retry-after": "soon"}, None),
            ({"retry-after-ms": "nan", "retry-after": "nan"}, None),
            ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1" * 60_000}, 0),
            ({}, None),
        ],
    )
    def test_every_form_of_a_pause_is_understood(self, headers: dict[str, str], seconds: float | None) -> None:
        assert pause_asked_for(headers) == (None if seconds is None else pytest.approx(seconds))

    def test_a_pause_is_sat_out_in_full_and_does_not_count_as_a_failure(
        self, provider: EmbeddingServer, naps: Naps
    ) -> None:
        provider.fail("embeddings", 429, times=5, headers={"retry-after": "40"})
        _embedder(provider).embed(TEXTS)
        assert len(provider.requests) == 6
        assert naps.seconds.count(40) == 5

    def test_all_requests_pause_when_one_is_told_to(self, provider: EmbeddingServer, naps: Naps) -> None:
        embedder = _embedder(provider, openai_max_retries=0)
        provider.fail("embeddings", 429, headers={"retry-after": "40"})
        embedder.embed(TEXTS)
        naps.seconds.clear()
        embedder.embed(["another request"])
        assert len(naps.seconds) == 1 and 30 < naps.seconds[0] <= 40

    def test_pauses_end_with_the_patience(self, provider: EmbeddingServer, naps: Naps) -> None:
        provider.fail("embeddings", 429, times=99, headers={"retry-after": "100"})
        with pytest.raises(EmbeddingFailed, match="429"):
            _embedder(provider).embed(TEXTS)
        assert len(provider.requests) == 7, "six pauses of a hundred seconds are ten minutes"

    def test_a_pause_beyond_the_patience_is_not_begun(self, provider: EmbeddingServer, naps: Naps) -> None:
        provider.fail("embeddings", 429, headers={"retry-after": "3600"})
        with pytest.raises(EmbeddingFailed, match="429"):
            _embedder(provider).embed(TEXTS)
        assert len(provider.requests) == 1 and not naps.seconds
