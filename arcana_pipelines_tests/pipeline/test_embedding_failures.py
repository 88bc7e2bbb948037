"""A provider that fails: the run fails, readers see what they saw, and the next sync finishes the work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from arcana_pipelines.embedding.answers import checked
from arcana_pipelines.embedding.local_small import SmallEmbedder
from arcana_pipelines.embedding.protocol import Embedded
from arcana_pipelines.errors import EmbeddingFailed, InputRejected
from arcana_pipelines.ledger import pages
from arcana_pipelines.testing.notion_server import NotionWorld, seed_world
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.workspaces.workspaces import find
from arcana_pipelines_tests.harness import Harness


class _Failing(SmallEmbedder):
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
        ([[1.0], [1.0, 2.0]], "other than a list of vectors"),
    ],
)
def test_unusable_vectors_are_refused(answer: Any, words: str) -> None:
    with pytest.raises(EmbeddingFailed, match=words):
        checked(answer, ["a", "b"], 4, "model")


class _Picky(SmallEmbedder):
    """The local embedder behind a provider that refuses some texts, and with them every batch they are in."""

    def __init__(self, refuses: str, concurrency: int = 1) -> None:
        self.refuses = refuses
        self.concurrency = concurrency
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> Embedded:
        self.asked += texts
        if any(self.refuses in text for text in texts):
            raise InputRejected("HTTP 400 this content is refused")
        return super().embed(texts)


class TestRefusedTexts:
    @pytest.fixture
    def poison(self, acme: Harness) -> str:
        page = acme.world.add_page("Poison", blocks=[blocks.paragraph("harmless words")])
        acme.settle()
        acme.sync()
        acme.world.append_blocks(page, [blocks.paragraph("unspeakable words")])
        for other in acme.world.visible_pages()[:3]:
            acme.world.append_blocks(other, [blocks.paragraph(f"news of {other}")])
        acme.settle()
        return page

    @pytest.mark.parametrize("concurrency", [1, 4])
    def test_a_refused_text_is_alone_in_quarantine_and_all_others_are_published(
        self, acme: Harness, poison: str, concurrency: int
    ) -> None:
        picky = _Picky("unspeakable", concurrency)
        report = acme.at(open_embedder=lambda model, dimensions: picky).sync()
        assert report["pages"]["quarantined"] == 1 and report["pages"]["updated"] == 3
        assert acme.page_state(poison)[0] == "quarantined"
        assert "this content is refused" in str(acme.page_state(poison)[1])
        assert "harmless words" in acme.published()[poison], "the old version stays"
        assert len([page for page, text in acme.published().items() if f"news of {page}" in text]) == 3

    def test_it_is_not_sent_again_until_a_person_or_an_edit_says_so(self, acme: Harness, poison: str) -> None:
        picky = _Picky("unspeakable")
        acme = acme.at(open_embedder=lambda model, dimensions: picky)
        acme.sync()
        picky.asked.clear()
        acme.sync()
        assert picky.asked == []
        with acme.database.connection() as connection:
            assert pages.release(connection, find(connection, "acme").workspace_id, None) == 1
        acme.sync()
        assert any("unspeakable" in text for text in picky.asked)
        assert acme.page_state(poison)[0] == "quarantined"
        acme.world.append_blocks(poison, [blocks.paragraph("more words")])
        picky.refuses = "nothing at all"
        acme.settle()
        with acme.database.connection() as connection:
            pages.release(connection, find(connection, "acme").workspace_id, None)
        acme.sync()
        acme.assert_matches_world()

    def test_an_edit_that_takes_the_text_away_heals_the_page(self, acme: Harness, poison: str) -> None:
        acme = acme.at(open_embedder=lambda model, dimensions: _Picky("unspeakable"))
        page = acme.world.visible_pages()[0]
        block = acme.world.append_blocks(page, [blocks.paragraph("unspeakable again")])[0]
        acme.settle()
        assert acme.sync()["pages"]["quarantined"] == 2
        acme.world.delete_block(block)
        acme.settle()
        acme.sync()
        assert acme.page_state(page)[0] == "unchanged" and acme.page_state(poison)[0] == "quarantined"
        assert f"news of {page}" in acme.published()[page]

    def test_a_provider_that_refuses_everything_fails_the_run_and_quarantines_nothing(
        self, acme: Harness, poison: str
    ) -> None:
        with pytest.raises(EmbeddingFailed, match="refuses every text"):
            acme.at(open_embedder=lambda model, dimensions: _Picky("")).sync()
        assert acme.rows("SELECT count(*) FROM source_page WHERE state = 'quarantined'") == [(0,)]
        acme.sync()
        acme.assert_matches_world()
