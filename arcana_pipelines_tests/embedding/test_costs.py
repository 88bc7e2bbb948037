"""What embeddings cost is counted with them, and a workspace's monthly limit is never crossed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from arcana_pipelines.embedding.prices import PricingPolicy
from arcana_pipelines.embedding.requests import HARMLESS
from arcana_pipelines.errors import BudgetReached, EmbeddingFailed, InvalidSetting
from arcana_pipelines.pipeline.chunk_embeddings.estimate import Estimate, estimate
from arcana_pipelines.testing.notion_server import NotionWorld, seed_world
from arcana_pipelines.testing.openai_server import EmbeddingServer
from arcana_pipelines.workspaces.workspaces import find
from arcana_pipelines_tests.embedding.conftest import MODEL, PRICE, configure
from arcana_pipelines_tests.harness import Harness

MILLION = 1_000_000


@pytest.fixture
def world() -> NotionWorld:
    return seed_world(pages=15, rows=5)


def _usage(acme: Harness) -> list[tuple[Any, ...]]:
    return acme.rows("SELECT embedding_model, tier, texts, tokens, cost FROM embedding_usage ORDER BY tier, month")


def _embedded(provider: EmbeddingServer) -> list[str]:
    """What the provider embedded, but for the harmless text by which a refused one is told from a refusing provider."""
    return [text for request in provider.inputs for text in request if text != HARMLESS]


def _spent(acme: Harness) -> Decimal:
    return sum((row[4] for row in _usage(acme)), Decimal(0))


def _edit_everything(acme: Harness, words: str) -> None:
    for page in acme.world.visible_pages():
        acme.world.append_blocks(page, f"{words} on {page}, where nobody has written it before.")
    acme.settle()


def _estimate(acme: Harness) -> Estimate:
    with acme.database.connection() as connection:
        workspace_id = find(connection, acme.slug).workspace_id
        return estimate(connection, workspace_id, PricingPolicy.of(acme.database.settings))


def _stage(acme: Harness) -> None:
    """Everything up to the embedding, which fails: what `arcana sync --estimate` runs."""

    def refuse(*_: Any) -> Any:
        raise EmbeddingFailed("not now")

    with pytest.raises(EmbeddingFailed, match="not now"):
        acme.at(open_embedder=refuse).sync()


class TestCounting:
    def test_usage_is_what_the_provider_counted(self, acme: Harness, provider: EmbeddingServer) -> None:
        first = acme.sync()["embeddings"]
        texts = sum(map(len, provider.inputs))
        assert _usage(acme) == [(MODEL, "standard", texts, provider.tokens, provider.tokens * PRICE / MILLION)]
        assert first["tokens"] == provider.tokens and first["computed"] == texts
        assert first["cost"] == pytest.approx(float(_spent(acme)))
        _edit_everything(acme, "News")
        again = acme.sync()["embeddings"]
        assert first["tokens"] + again["tokens"] == provider.tokens == _usage(acme)[0][3]
        assert len({text for request in provider.inputs for text in request}) == _usage(acme)[0][2]

    def test_a_failed_run_counts_what_it_stored(self, acme: Harness, provider: EmbeddingServer) -> None:
        provider.fail("embeddings", 401, skip=3, times=99)
        with pytest.raises(EmbeddingFailed, match="401"):
            acme.sync()
        texts = sum(map(len, provider.inputs))
        assert texts > 0 and _usage(acme)[0][2:4] == (texts, provider.tokens)
        assert acme.rows("SELECT count(*) FROM embedding_store") == [(texts,)]

    def test_an_unchanged_workspace_costs_nothing(self, acme: Harness, provider: EmbeddingServer) -> None:
        acme.sync()
        acme.settle()
        acme.sync()
        before, requests = _usage(acme), len(provider.requests)
        report = acme.sync()
        assert report["embeddings"] == {"computed": 0, "reused": 0, "tokens": 0, "cost": 0.0}
        assert (_usage(acme), len(provider.requests)) == (before, requests)

    def test_a_price_of_ones_own_counts(self, acme: Harness, provider: EmbeddingServer) -> None:
        configure(acme, embedding_price_per_million_tokens=Decimal(5))
        acme.sync()
        assert _spent(acme) == provider.tokens * Decimal(5) / MILLION


class TestRefusedTexts:
    @pytest.mark.parametrize("concurrency", [1, 4])
    def test_the_poison_is_alone_in_quarantine(
        self, acme: Harness, provider: EmbeddingServer, concurrency: int
    ) -> None:
        configure(acme, batch_size=16, max_concurrent_requests=concurrency)
        provider.refuses = "unspeakable"
        page = acme.world.add_page("Poison", blocks="An unspeakable text.")
        report = acme.sync()
        assert report["pages"]["quarantined"] == 1
        assert acme.page_state(page)[0] == "quarantined" and "refused" in str(acme.page_state(page)[1])
        assert set(acme.published()) == set(acme.world.visible_pages()) - {page}
        assert _usage(acme)[0][2:4] == (len(_embedded(provider)), provider.tokens), "refusals cost nothing"

    def test_a_text_beyond_the_models_length_is_one(self, acme: Harness, provider: EmbeddingServer) -> None:
        acme.sync()
        with acme.database.connection() as connection:
            connection.execute("TRUNCATE embedding_store")
        page = acme.world.visible_pages()[0]
        acme.world.append_blocks(page, "Short.")
        acme.settle()
        _stage(acme)
        with acme.database.connection() as connection:
            connection.execute(
                "UPDATE chunk_stage SET chunk_content = repeat('성수 ', 5000) WHERE position = "
                "(SELECT max(position) FROM chunk_stage)"
            )
        assert acme.sync()["pages"]["quarantined"] == 1
        assert "8192 tokens" in str(acme.page_state(page)[1])

    def test_what_half_a_batch_cost_is_kept_when_the_other_half_fails(
        self, acme: Harness, provider: EmbeddingServer
    ) -> None:
        configure(acme, batch_size=64, max_concurrent_requests=1)
        provider.refuses = "unspeakable"
        acme.world.add_page("Poison", blocks="An unspeakable text.")
        # Wherever the poison stands among 31 to 64 texts: some are embedded by then, and some are still to be.
        provider.fail("embeddings", 401, skip=9, times=99)
        with pytest.raises(EmbeddingFailed, match="401"):
            acme.sync()
        assert 0 < len(_embedded(provider)) == _usage(acme)[0][2]
        assert _usage(acme)[0][3] == provider.tokens
        paid = set(_embedded(provider))
        provider.inputs.clear()
        provider.clear_faults()
        acme.sync()
        assert not paid & set(_embedded(provider)), "paid for twice"


class TestLimit:
    @pytest.mark.parametrize("concurrency", [1, 4])
    def test_a_sync_stops_before_the_limit_and_goes_on_when_there_is_room(
        self, acme: Harness, provider: EmbeddingServer, concurrency: int
    ) -> None:
        acme.sync()
        _edit_everything(acme, "The first edit")
        before, spent = acme.published(), _spent(acme)
        _stage(acme)
        price = _estimate(acme).cost
        assert price is not None
        limit = spent + price / 2
        configure(acme, embedding_monthly_budget_usd=limit, max_concurrent_requests=concurrency)
        with pytest.raises(BudgetReached, match=r"Workspace 'acme' has spent .* in \d{4}-\d\d \(UTC\)") as error:
            acme.sync()
        assert str(limit) in str(error.value)
        assert spent < _spent(acme) == provider.tokens * PRICE / MILLION <= limit
        meanwhile = acme.published()
        configure(acme, embedding_monthly_budget_usd=spent + price)
        acme.sync()
        acme.assert_matches_world()
        after = acme.published()
        assert meanwhile.keys() == before.keys() == after.keys()
        assert all(text in (before[page], after[page]) for page, text in meanwhile.items()), "old or new, each whole"
        assert any(text == before[page] for page, text in meanwhile.items())
        assert _spent(acme) == spent + price, "the limit can be used up to the last token"

    def test_a_new_month_begins_at_nothing(self, acme: Harness, provider: EmbeddingServer) -> None:
        configure(acme, embedding_monthly_budget_usd=Decimal("0.00005"))
        with pytest.raises(BudgetReached):
            acme.sync()
        spent = _spent(acme)
        assert 0 < spent <= Decimal("0.00005")
        with acme.database.connection() as connection:
            connection.execute("UPDATE embedding_usage SET month = month - interval '1 month'")
        with pytest.raises(BudgetReached):
            acme.sync()
        assert spent < _spent(acme) <= 2 * Decimal("0.00005")
        assert len(_usage(acme)) == 2 and _spent(acme) == provider.tokens * PRICE / MILLION

    def test_a_limit_of_nothing_asks_nobody(self, acme: Harness, provider: EmbeddingServer) -> None:
        configure(acme, embedding_monthly_budget_usd=Decimal(0))
        with pytest.raises(BudgetReached):
            acme.sync()
        assert provider.requests == []

    def test_a_workspace_may_have_a_limit_of_its_own(self, acme: Harness, provider: EmbeddingServer) -> None:
        configure(acme, embedding_monthly_budget_usd=Decimal(0))
        with acme.database.connection() as connection:
            connection.execute("UPDATE workspace SET embedding_budget = 1 WHERE slug = 'acme'")
        acme.sync()
        acme.assert_matches_world()

    def test_a_limit_needs_a_price(self, acme: Harness, provider: EmbeddingServer) -> None:
        with acme.database.connection() as connection:
            connection.execute("UPDATE rag_index_build SET embedding_model = 'a-model-of-ours'")
        configure(acme, embedding_monthly_budget_usd=Decimal(1))
        with pytest.raises(InvalidSetting, match="EMBEDDING_PRICE_PER_MILLION_TOKENS"):
            acme.sync()
        assert provider.requests == []
        configure(acme, embedding_monthly_budget_usd=None)
        assert acme.sync()["embeddings"]["cost"] is None

    def test_without_a_vocabulary_the_limit_holds_all_the_same(self, acme: Harness, provider: EmbeddingServer) -> None:
        with acme.database.connection() as connection:
            connection.execute("UPDATE rag_index_build SET embedding_model = 'a-model-of-ours'")
        limit = Decimal("0.008")
        configure(acme, embedding_monthly_budget_usd=limit, embedding_price_per_million_tokens=Decimal(1))
        with pytest.raises(BudgetReached):
            acme.sync()
        assert 0 < _spent(acme) == Decimal(provider.tokens) / MILLION <= limit


class TestEstimate:
    def test_it_is_what_the_sync_then_costs_and_calls_nobody(self, acme: Harness, provider: EmbeddingServer) -> None:
        _stage(acme)
        before = _estimate(acme)
        assert provider.requests == [] and acme.published() == {}
        report = acme.sync()
        assert before.texts == report["embeddings"]["computed"]
        assert before.tokens == report["embeddings"]["tokens"] == provider.tokens
        assert before.cost == _spent(acme)
        assert before.pages == len(acme.world.visible_pages()) and before.chunks == report["chunks"]["published"]
        assert before.seconds is not None and before.seconds > 0
        after = _estimate(acme)
        assert (after.pages, after.chunks, after.texts, after.tokens, after.cost) == (0, 0, 0, 0, 0)
        assert after.spent == _spent(acme)

    def test_it_counts_what_the_store_lacks_only(self, acme: Harness, provider: EmbeddingServer) -> None:
        acme.sync()
        page = acme.world.visible_pages()[0]
        acme.world.append_blocks(page, "One more paragraph.")
        acme.settle()
        _stage(acme)
        found = _estimate(acme)
        assert found.pages == 1 and 0 < found.texts <= found.chunks

    def test_it_says_that_a_price_is_unknown(self, acme: Harness, provider: EmbeddingServer) -> None:
        with acme.database.connection() as connection:
            connection.execute("UPDATE rag_index_build SET embedding_model = 'a-model-of-ours'")
        _stage(acme)
        assert _estimate(acme).cost is None and _estimate(acme).tokens > 0
        configure(acme, embedding_price_per_million_tokens=Decimal(1))
        assert _estimate(acme).cost == Decimal(_estimate(acme).tokens) / MILLION
