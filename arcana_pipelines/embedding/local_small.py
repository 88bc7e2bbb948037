"""The small embedder, which is loaded and embeds in no time: WordLlama.

Its vectors are made of English tokens: on Korean it is little better than chance, and search leans on words
there (`arcana_pipelines.retrieval`). For another language take EMBEDDING_PROVIDER=local or openai.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from arcana_pipelines.chunking.tokens import local_tokens, question_tokens
from arcana_pipelines.embedding.catalogue import SMALL_MODEL
from arcana_pipelines.embedding.protocol import Embedded, EmbeddedQuestion
from arcana_pipelines.embedding.small_vectors import DIMENSIONS, stored_vectors
from arcana_pipelines.errors import EmbeddingFailed


class SmallEmbedder:
    """WordLlama in this process."""

    model = SMALL_MODEL
    dimensions = DIMENSIONS
    concurrency = 1

    def __init__(self) -> None:
        """
        Raises:
            ModelMissing: its weights are not installed, or cannot be read.
        """
        stored_vectors()

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed a batch (see `Embedder.embed`); rows have unit length."""
        from arcana_pipelines.embedding.answers import checked
        from arcana_pipelines.embedding.small_batches import directions

        # wordllama's own tokeniser takes several times as long, and pads every text to the longest of its batch.
        tokens = [local_tokens(text) for text in texts]
        counts = [len(each) // 4 for each in tokens]
        return Embedded(checked(directions(tokens), texts, DIMENSIONS, SMALL_MODEL), sum(counts), counts)

    def embed_question(self, text: str) -> EmbeddedQuestion:
        """Embed one text without numpy (see `EmbedsQuestions`): the same vector but for its last bits."""
        tokens = question_tokens(text)
        count = len(tokens) // 4
        vector = stored_vectors().direction(struct.unpack(f"<{count}I", tokens))
        if not all(map(math.isfinite, vector)):
            raise EmbeddingFailed(f"The model '{SMALL_MODEL}' answered with NaN or infinite numbers.")
        return EmbeddedQuestion(vector, count)
