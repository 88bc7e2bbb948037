"""The endpoint of OPENAI_BASE_URL, as embedders ask it: answers of vectors, and files of batches."""

from __future__ import annotations

from collections.abc import Callable

import openai

from arcana_pipelines.errors import EmbeddingFailed, InputRejected
from arcana_pipelines.net.openai_client import Answer, OpenAICompatible, Provider
from arcana_pipelines.settings import Settings

_PROVIDER = Provider(
    "the embedding provider", EmbeddingFailed, InputRejected, goes_on="The next sync goes on from here."
)

# Of one answer: 2,048 vectors of 3,072 numbers are 25 MiB in base64.
MOST_BYTES = 32 * 2**20
# Of one answer: as many numbers as fit into that as text.
MOST_VALUES = 4_000_000
# Of one file of a batch: 50,000 vectors of 3,072 numbers are 3.3 GB as text.
MOST_FILE_BYTES = 8 * 2**30
MOST_FILE_SECONDS = 3600.0


class OpenAIClient(OpenAICompatible):
    """One endpoint with one key, safe to share between threads, which pause together.

    `patience` is how many seconds of pauses one request sits out; what is left then is for the next run.
    """

    def __init__(self, settings: Settings, patience: float) -> None:
        assert settings.openai_api_key is not None
        super().__init__(
            _PROVIDER,
            settings,
            base_url=settings.openai_base_url,
            key=settings.openai_api_key.get_secret_value(),
            timeout=settings.openai_timeout,
            retries=settings.openai_max_retries,
            patience=patience,
            organization=settings.openai_organization,
        )
        self.sdk = self.connect(MOST_BYTES, 2 * settings.openai_timeout, MOST_VALUES)
        # Files of answers are gigabytes; they are written to disk piece by piece.
        self.files = self.connect(MOST_FILE_BYTES, MOST_FILE_SECONDS)

    def ask(self, request: Callable[[openai.OpenAI], Answer], what: str, over: openai.OpenAI | None = None) -> Answer:
        """Send a request and return its answer (see `OpenAICompatible.ask`).

        `over` is `files` where the answer is a file, else `sdk`.

        Raises:
            InputRejected: the endpoint refuses what was sent.
            EmbeddingFailed: no proper answer after all attempts, or none to be had.
        """
        return super().ask(request, what, over or self.sdk)
