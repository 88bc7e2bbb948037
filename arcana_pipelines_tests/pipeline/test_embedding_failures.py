"""A provider that fails: the run fails, readers see what they saw, and the next sync finishes the work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from arcana_pipelines.embedding.local import LocalEmbedder
from arcana_pipelines.embedding.provider import Embedded, checked
from arcana_pipelines.errors import EmbeddingFailed
from arcana_pipelines.testing.notion_server import NotionWorld, seed_world
from arcana_pipelines_tests.harness import Harness


class _Failing(LocalEmbedder):
    """The local embedder that fails after some batches, and remembers what it was asked."""

    def __init__(self, batches: int, concurrency: int = 1) -> None:
        self.left = batches
        self.concurrency = concurrency
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> Embedded:
        if self.left == 0:
            raise EmbeddingFailed("the provider is on fire")
        self.left -= 1
        self.asked += texts
        return super().embed(texts)


@pytest.fixture
def world() -> NotionWorld:
    return seed_world(pages=20, rows=5)


def _state(harness: Harness) -> list[Any]:
    return harness.rows("SELECT object_count, vector_count, updated FROM rag_indexes")


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_failed_run_leaves_index_and_search_as_they_were_and_the_next_finishes(
    acme: Harness, concurrency: int
) -> None:
    acme.sync()
    acme.settle()
    before, state = acme.checksum(), _state(acme)
    for page in acme.world.visible_pages()[:15]:
        acme.world.append_blocks(page, f"Added to {page}, which is another text each.")
    acme.world.trash(acme.world.visible_pages()[-1])

    failing = _Failing(batches=2, concurrency=concurrency)
    small = acme.database.settings.model_copy(update={"batch_size": 3})
    acme.database.settings = small
    with pytest.raises(EmbeddingFailed, match="on fire"):
        acme.at(open_embedder=lambda *_: failing).sync()
    assert (acme.checksum(), _state(acme)) == (before, state)

    recovered = _Failing(batches=-1)
    report = acme.at(open_embedder=lambda *_: recovered).sync()
    assert not set(recovered.asked) & set(failing.asked), "what was paid for was embedded again"
    assert report["embeddings"]["computed"] == len(recovered.asked)
    acme.assert_matches_world()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (np.zeros((2, 4)), "zero vectors"),
        (np.full((2, 4), np.nan), "NaN"),
        (np.ones((2, 5)), r"\(2, 5\)"),
        (np.ones((1, 4)), "1 vectors for 2 texts"),
        ([[1.0], [1.0, 2.0]], "no list of vectors"),
    ],
)
def test_unusable_vectors_are_refused(answer: Any, words: str) -> None:
    with pytest.raises(EmbeddingFailed, match=words):
        checked(answer, ["a", "b"], 4, "model")
