"""Embeddings from OpenAI or any endpoint that speaks its API (https://platform.openai.com/docs/api-reference/embeddings)."""

from __future__ import annotations

from collections.abc import Sequence

import openai

from arcana_pipelines.embedding.provider import Embedded, checked
from arcana_pipelines.errors import EmbeddingFailed, InputRejected
from arcana_pipelines.settings import Settings

# Models before the third generation refuse the parameter `dimensions`.
_FIXED_SIZE_MODELS = ("text-embedding-ada-002",)
# A text that is too long, or that a filter refuses.
_INPUT_STATUSES = (400, 413, 422)


class OpenAIEmbedder:
    """One model at one endpoint. Retries, Retry-After and timeouts are the SDK's."""

    def __init__(self, settings: Settings, model: str, dimensions: int) -> None:
        assert settings.openai_api_key is not None
        self.model = model
        self.dimensions = dimensions
        self.concurrency = settings.max_concurrent_requests
        self._client = openai.OpenAI(
            api_key=settings.openai_api_key.get_secret_value(),
            base_url=settings.openai_base_url,
            organization=settings.openai_organization,
            max_retries=settings.openai_max_retries,
            timeout=settings.openai_timeout,
        )

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed a batch (see `Embedder.embed`)."""
        size = openai.omit if self.model in _FIXED_SIZE_MODELS else self.dimensions
        try:
            answer = self._client.embeddings.create(
                model=self.model, input=list(texts), dimensions=size, encoding_format="float"
            )
            # An endpoint that is no embedding API may answer 200 with anything.
            rows = sorted(answer.data, key=lambda row: row.index)
            vectors = [row.embedding for row in rows]
        except (openai.OpenAIError, ValueError, TypeError, AttributeError) as error:
            said = _said(error).replace(self._client.api_key, "***")
            refused = isinstance(error, openai.APIStatusError) and error.status_code in _INPUT_STATUSES
            kind = InputRejected if refused else EmbeddingFailed
            raise kind(f"The embedding provider failed for the model '{self.model}': {said}") from error
        return Embedded(
            checked(vectors, texts, self.dimensions, self.model), answer.usage.total_tokens if answer.usage else 0
        )


def _said(error: Exception) -> str:
    if isinstance(error, openai.APIStatusError):
        body = error.body if isinstance(error.body, dict) else {}
        return f"HTTP {error.status_code} {str(body.get('message') or '')[:300]}".strip()
    return f"{type(error).__name__}: {error}"[:300]
