"""Backfills through the Batch API: sent once, collected whenever they are ready, at half the price."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from arcana_pipelines.embedding.openai.batches import OpenAIBatches
from arcana_pipelines.errors import BudgetReached, EmbeddingFailed
from arcana_pipelines.testing.notion_server import NotionWorld, seed_world
from arcana_pipelines.testing.openai_server import EmbeddingServer
from arcana_pipelines_tests.embedding.conftest import MODEL, PRICE, configure
from arcana_pipelines_tests.harness import Harness

MILLION = 1_000_000


@pytest.fixture
def world() -> NotionWorld:
    return seed_world(pages=8, rows=3)


@pytest.fixture
def acme(acme: Harness) -> Harness:
    """A workspace whose backfills go through batches."""
    configure(acme, openai_batch_above=10)
    return acme


def _batches(acme: Harness) -> list[tuple[Any, ...]]:
    return acme.rows("SELECT state, texts, provider_batch_id, reason FROM embedding_batch ORDER BY created_at")


def _asked(provider: EmbeddingServer, path: str) -> int:
    return sum(path in request for request in provider.requests)


class TestABackfill:
    def test_a_run_sends_it_and_ends_and_a_later_one_publishes_it(
        self, acme: Harness, provider: EmbeddingServer
    ) -> None:
        report = acme.sync()
        waiting = report["embeddings"]["waiting"]
        assert waiting > 10 and report["embeddings"]["computed"] == 0 and acme.published() == {}
        assert acme.sync()["embeddings"]["waiting"] == waiting
        assert len(provider.batches) == 1 and provider.inputs == []

        provider.finish_batches()
        report = acme.sync()
        acme.assert_matches_world()
        cost = provider.batch_tokens * PRICE / 2 / MILLION
        assert report["embeddings"] == {
            "computed": waiting,
            "reused": report["chunks"]["published"] - waiting,
            "tokens": provider.batch_tokens,
            "cost": pytest.approx(float(cost)),
        }
        assert acme.rows("SELECT embedding_model, tier, texts, tokens, cost FROM embedding_usage") == [
            (MODEL, "batch", waiting, provider.batch_tokens, cost)
        ]
        assert provider.files == {}, "nothing of the workspace stays with the provider"
        assert [row[0] for row in _batches(acme)] == ["done"] and provider.inputs == []

    def test_its_vectors_are_those_of_direct_requests(self, acme: Harness, provider: EmbeddingServer) -> None:
        acme.sync()
        provider.finish_batches()
        acme.sync()
        batched = acme.checksum()
        with acme.database.connection() as connection:
            for table in ("embedding_store", "published_document", "chunk"):
                connection.execute(f"DELETE FROM {table}")  # type: ignore[arg-type]
            connection.execute(
                "UPDATE rag_indexes SET object_count = 0, vector_count = 0, "
                "published_objects = 0, published_vectors = 0"
            )
        configure(acme, openai_batch_above=0)
        acme.sync()
        assert acme.checksum() == batched and provider.inputs != []

    def test_a_small_edit_does_not_wait_for_it(self, acme: Harness, provider: EmbeddingServer) -> None:
        acme.sync()
        page = acme.world.add_page("공지", blocks="오늘부터 새 사무실을 씁니다.")
        report = acme.sync()
        assert set(acme.published()) == {page} and report["embeddings"]["waiting"] > 10
        assert len(provider.batches) == 1 and len(provider.inputs) == 1

    def test_it_takes_as_many_files_as_it_needs(
        self, acme: Harness, provider: EmbeddingServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(OpenAIBatches, "most_texts", 6)
        texts = acme.sync()["embeddings"]["waiting"]
        sizes = [content.count(b"\n") for content in provider.files.values()]
        assert sum(sizes) == texts and max(sizes) == 6 and len(provider.batches) == len(sizes) == -(-texts // 6)
        provider.finish_batches()
        acme.sync()
        acme.assert_matches_world()

    def test_a_file_stays_below_its_largest_size(
        self, acme: Harness, provider: EmbeddingServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(OpenAIBatches, "most_bytes", 5000)
        acme.sync()
        assert len(provider.files) > 1 and all(len(content) <= 5000 for content in provider.files.values())

    def test_the_limit_holds_for_batches_that_are_under_way(self, acme: Harness, provider: EmbeddingServer) -> None:
        limit = Decimal("0.00003")
        configure(acme, embedding_monthly_budget_usd=limit)
        for _ in range(2):
            with pytest.raises(BudgetReached, match="batches that are under way"):
                acme.sync()
        assert len(provider.batches) == 1
        provider.finish_batches()
        assert 0 < provider.batch_tokens * PRICE / 2 / MILLION <= limit


class TestWhatGoesWrong:
    def test_a_batch_whose_creation_was_not_heard_of_is_found_again(
        self, acme: Harness, provider: EmbeddingServer
    ) -> None:
        configure(acme, openai_max_retries=0)
        provider.fail("POST /v1/batches", 0, late=True)
        with pytest.raises(EmbeddingFailed):
            acme.sync()
        assert [row[0] for row in _batches(acme)] == ["sending"]
        acme.sync()
        provider.finish_batches()
        acme.sync()
        acme.assert_matches_world()
        assert len(provider.batches) == 1, "it was paid for twice"

    def test_a_lost_answer_is_not_answered_by_a_second_batch(self, acme: Harness, provider: EmbeddingServer) -> None:
        provider.fail("POST /v1/batches", 0, late=True)
        acme.sync()
        assert len(provider.batches) == 1

    @pytest.mark.parametrize("request_", ["POST /v1/files", "POST /v1/batches"])
    def test_a_run_that_died_before_it_was_sent_leaves_nothing_to_wait_for(
        self, acme: Harness, provider: EmbeddingServer, request_: str
    ) -> None:
        provider.fail(request_, 401)
        with pytest.raises(EmbeddingFailed):
            acme.sync()
        acme.sync()
        provider.finish_batches()
        acme.sync()
        acme.assert_matches_world()
        assert len(provider.batches) == 1

    def test_answers_that_were_half_stored_are_stored_once(
        self, acme: Harness, provider: EmbeddingServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("arcana_pipelines.pipeline.chunk_embeddings.provider_batches._TOGETHER", 4)
        texts = acme.sync()["embeddings"]["waiting"]
        provider.finish_batches()

        class Killed(BaseException):
            pass

        from arcana_pipelines.embedding import store

        kept = store.store
        left = [2]

        def die(*given: Any) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            kept(*given)

        with monkeypatch.context() as patched:
            patched.setattr("arcana_pipelines.pipeline.chunk_embeddings.provider_batches.store", die)
            with pytest.raises(Killed):
                acme.sync()
        assert acme.rows("SELECT sum(texts) FROM embedding_usage") == [(8,)]
        acme.sync()
        acme.assert_matches_world()
        assert acme.rows("SELECT sum(texts), sum(tokens) FROM embedding_usage") == [(texts, provider.batch_tokens)]

    def test_a_refused_text_is_quarantined_and_the_rest_published(
        self, acme: Harness, provider: EmbeddingServer
    ) -> None:
        provider.refuses = "unspeakable"
        page = acme.world.add_page("Poison", blocks="An unspeakable text.")
        acme.sync()
        provider.finish_batches()
        report = acme.sync()
        assert report["pages"]["quarantined"] == 1 and "refused" in str(acme.page_state(page)[1])
        assert set(acme.published()) == set(acme.world.visible_pages()) - {page}
        assert "waiting" not in report["embeddings"] and len(provider.batches) == 1

    @pytest.mark.parametrize("status", ["expired", "cancelled", "failed"])
    def test_what_a_batch_did_not_answer_is_said_and_sent_again(
        self, acme: Harness, provider: EmbeddingServer, status: str
    ) -> None:
        texts = acme.sync()["embeddings"]["waiting"]
        answered = 0 if status == "failed" else 5
        provider.finish_batches(status, answered)
        report = acme.sync()
        assert report["embeddings"]["problems"] == [
            f"The batch {_batches(acme)[0][2]} ended without an answer to {texts - answered} texts "
            f"({status}); "
            "they are sent again."
        ]
        acme.assert_matches_world()
        assert report["embeddings"]["computed"] == texts
        assert sum(map(len, provider.inputs)) == texts - answered, "directly: the next batch might fail likewise"

    def test_a_batch_that_the_account_no_longer_knows_is_sent_again(
        self, acme: Harness, provider: EmbeddingServer
    ) -> None:
        acme.sync()
        provider.batches.clear()
        assert "does not know it" in acme.sync()["embeddings"]["problems"][0]
        acme.assert_matches_world()

    def test_a_provider_that_refuses_everything_quarantines_nothing(
        self, acme: Harness, provider: EmbeddingServer
    ) -> None:
        provider.refuses = ""
        texts = acme.sync()["embeddings"]["waiting"]
        provider.finish_batches()
        with pytest.raises(EmbeddingFailed, match="refuses every text"):
            acme.sync()
        assert acme.rows("SELECT count(*) FROM source_page WHERE state = 'quarantined'") == [(0,)]
        assert f"an answer to {texts} texts" in _batches(acme)[0][3]
        provider.refuses = None
        acme.sync()
        acme.assert_matches_world()


class TestOddAnswers:
    def test_lines_that_are_none_delay_no_other_and_one_twice_counts_once(
        self, acme: Harness, provider: EmbeddingServer
    ) -> None:
        acme.sync()
        provider.finish_batches()
        (batch,) = provider.batches.values()
        good = provider.files[batch["output_file_id"]].splitlines()
        insane = json.loads(good[-1])
        insane["response"]["body"]["usage"]["total_tokens"] = -(10**9)
        odd = [
            b"[" * 100_000, b"not json", b"null", b"7", b'{"custom_id": "zz"}', b'{"custom_id": 7}', b"",
            b'{"custom_id": "00", "response": []}',
            b'{"custom_id": "00", "response": {"status_code": 200, "body": [1]}}',
        ]  # fmt: skip
        lines = [*odd, *good[:-1], good[0], json.dumps(insane).encode()]
        provider.files[batch["output_file_id"]] = b"\n".join(lines)
        report = acme.sync()
        assert "without an answer to 1 texts" in report["embeddings"]["problems"][0]
        acme.sync()
        acme.assert_matches_world()
        ((tokens,),) = acme.rows("SELECT min(tokens) FROM embedding_usage")
        assert tokens >= 0
