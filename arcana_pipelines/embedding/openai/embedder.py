"""Embeddings from OpenAI or any endpoint that speaks its API (https://platform.openai.com/docs/api-reference/embeddings)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

import openai

from arcana_pipelines.chunking.tokens import estimate_tokens
from arcana_pipelines.embedding.answers import checked, numbers, sane_tokens
from arcana_pipelines.embedding.catalogue import model_named
from arcana_pipelines.embedding.openai.batches import OpenAIBatches
from arcana_pipelines.embedding.openai.client import OpenAIClient
from arcana_pipelines.embedding.protocol import Embedded
from arcana_pipelines.settings import Settings


class OpenAIEmbedder:
    """One model at one endpoint."""

    def __init__(self, settings: Settings, model: str, dimensions: int, patience: float) -> None:
        self.model = model
        self.dimensions = dimensions
        # A model with one size may refuse to be asked for it.
        self._is_asked_for_size = model_named(model).dimensions_adjustable
        self.concurrency = settings.max_concurrent_requests
        self.client = OpenAIClient(settings, patience)
        # A vector of 1,536 numbers is 8 kB as base64 and 30 kB as text; not every endpoint knows base64.
        openai_itself = urlsplit(settings.openai_base_url).hostname == "api.openai.com"
        self.encoding: Literal["base64", "float"] = "base64" if openai_itself else "float"

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed a batch (see `Embedder.embed`)."""

        def request(sdk: openai.OpenAI) -> tuple[list[Any], int]:
            size = self.dimensions if self._is_asked_for_size else openai.omit
            answer = sdk.embeddings.create(
                model=self.model, input=list(texts), dimensions=size, encoding_format=self.encoding
            )
            rows = {row.index: row.embedding for row in answer.data if type(row.index) is int}
            if len(answer.data) == len(texts) and rows.keys() != set(range(len(texts))):
                raise ValueError("the index of its rows does not say which text each belongs to")
            return [numbers(rows[index]) for index in sorted(rows)], sane_tokens(
                answer.usage.total_tokens if answer.usage else 0, most
            )

        # A token is a byte at least, and a text has few that are none of it.
        most = sum(len(text.encode()) + 16 for text in texts)
        vectors, tokens = self.client.ask(request, f"the model '{self.model}'")
        # Some endpoints count nothing; the monthly limit needs a number.
        tokens = tokens or sum(estimate_tokens(text) for text in texts)
        return Embedded(checked(vectors, texts, self.dimensions, self.model), tokens)

    def batches(self) -> OpenAIBatches:
        """The same model through the Batch API (see `OffersBatches`)."""
        body: dict[str, Any] = {"model": self.model, "encoding_format": self.encoding}
        if self._is_asked_for_size:
            body |= {"dimensions": self.dimensions}
        return OpenAIBatches(self.client, body, self.dimensions)
