"""The reranker: it has the last word on the best hits, and nobody waits or fails for it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from pydantic import SecretStr

from arcana_pipelines.cli.main import main
from arcana_pipelines.errors import InvalidSetting, RerankingFailed
from arcana_pipelines.retrieval import Filters, Hit, Results, Searcher
from arcana_pipelines.retrieval.reranking import endpoint
from arcana_pipelines.retrieval.reranking.protocol import Reranker
from arcana_pipelines.retrieval.reranking.registry import open_reranker
from arcana_pipelines.retrieval.reranking.reranked import RERANKED, reranked
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.testing.rerank_server import RerankingServer
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.retrieval.test_folding import hit


@pytest.fixture
def server_of_scores() -> Iterator[RerankingServer]:
    with RerankingServer() as server:
        yield server


@pytest.fixture
def reranker(server_of_scores: RerankingServer) -> Reranker:
    return opened(server_of_scores)


def opened(server: RerankingServer, **more: Any) -> Reranker:
    found = open_reranker(Settings(reranker_url=server.url, **more))
    assert found is not None
    return found


class TestEndpoint:
    def test_scores_come_in_the_order_of_the_texts(self, reranker: Reranker) -> None:
        one, two, three = reranker.scores("red door", ["a red door", "nothing", "a door"])
        assert one > three > two == 0

    def test_only_what_all_endpoints_know_is_sent(self, server_of_scores: RerankingServer) -> None:
        opened(server_of_scores).scores("q", ["a", "b"])
        opened(server_of_scores, reranker_model="m", reranker_api_key=SecretStr("key-1")).scores("q", ["a"])
        assert server_of_scores.requests == [
            {"query": "q", "documents": ["a", "b"]},
            {"query": "q", "documents": ["a"], "model": "m"},
        ]
        assert server_of_scores.authorizations == [None, "Bearer key-1"]

    def test_no_address_is_no_reranker(self) -> None:
        assert open_reranker(Settings()) is None

    @pytest.mark.parametrize(
        ("status", "body", "said"),
        [
            (401, "no such key: key-1", "HTTP 401 no such key: \\*\\*\\*"),
            (429, "", "HTTP 429"),
            (503, "loading", "HTTP 503 loading"),
            (200, "<html>", "something else"),
            (200, "[]", "something else"),
            (200, '{"results": [{"index": 0, "relevance_score": 1}]}', "each of 2 documents"),
            (200, '{"results": [{"index": 0, "score": 1}, {"index": 1, "score": 0}]}', "something else"),
            (200, '{"results": [{"index": 0, "relevance_score": NaN}, {"index": 1, "relevance_score": 1}]}', "NaN"),
            (200, '{"results": [{"index": Infinity, "relevance_score": 1}]}', "something else"),
        ],
    )
    def test_an_answer_that_is_none_is_one_kind_of_error_without_the_key(
        self, server_of_scores: RerankingServer, status: int, body: str, said: str
    ) -> None:
        server_of_scores.answers = [(status, body)]
        with pytest.raises(RerankingFailed, match=said) as failed:
            opened(server_of_scores, reranker_api_key=SecretStr("key-1")).scores("q", ["a", "b"])
        assert "key-1" not in str(failed.value)

    def test_a_connection_that_breaks_is_tried_once_more(
        self, server_of_scores: RerankingServer, reranker: Reranker
    ) -> None:
        server_of_scores.answers = [(0, "")]
        assert reranker.scores("red", ["red"]) == [0.5]
        server_of_scores.answers = [(0, ""), (0, "")]
        with pytest.raises(RerankingFailed, match="ProtocolError"):
            reranker.scores("red", ["red"])

    def test_nobody_there_is_the_same_kind_of_error(self) -> None:
        with RerankingServer() as server:
            gone = opened(server)
        with pytest.raises(RerankingFailed, match="NewConnectionError"):
            gone.scores("q", ["a"])

    @pytest.mark.slow
    def test_after_a_late_answer_it_is_left_alone_for_a_while(
        self, server_of_scores: RerankingServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(endpoint, "DEADLINE_SECONDS", 0.2)
        monkeypatch.setattr(endpoint, "REST_SECONDS", 0.5)
        reranker = opened(server_of_scores)
        server_of_scores.delay = 30
        with pytest.raises(RerankingFailed, match="did not answer within"):
            reranker.scores("q", ["a"])
        with pytest.raises(RerankingFailed, match="left alone"):
            reranker.scores("q", ["a"])
        assert len(server_of_scores.requests) == 1
        server_of_scores.delay = 0
        time.sleep(0.6)
        assert reranker.scores("red", ["red"]) == [0.5]

    def test_a_key_that_cannot_be_one_is_refused_unseen(self, server_of_scores: RerankingServer) -> None:
        with pytest.raises(InvalidSetting, match="RERANKER_API_KEY") as refused:
            opened(server_of_scores, reranker_api_key=SecretStr("hunter 2"))
        assert "hunter" not in str(refused.value)


class Backwards:
    """A reranker that turns the order around, by numbers of any size."""

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        return [float(number) - 3 for number in range(len(texts))]


class TestOrder:
    def test_the_best_are_reordered_and_the_others_stay_behind_them(self) -> None:
        hits = [hit(number, f"text {number}") for number in range(RERANKED + 3)]
        found, is_reranked = reranked(Backwards(), "q", hits)
        assert is_reranked
        assert [each.external_id for each in found] == [
            *(f"page-{number}" for number in reversed(range(RERANKED))),
            *(f"page-{number}" for number in range(RERANKED, RERANKED + 3)),
        ]
        scores = [each.score for each in found]
        assert scores == sorted(scores, reverse=True) and all(0 <= score <= 1 for score in scores)

    def test_it_reads_titles_and_headings_too(self) -> None:
        class Reading:
            read: Sequence[str] = ()

            def scores(self, query: str, texts: Sequence[str]) -> list[float]:
                self.read = texts
                return [0.5] * len(texts)

        reading = Reading()
        reranked(reading, "q", [hit(1, "text")])
        assert reading.read == ["Title 1\ntext"]


@pytest.fixture
def office(acme: Harness, server_of_scores: RerankingServer) -> Harness:
    """A workspace in which the stand-in and the index disagree: it counts words, also of what surrounds them."""
    acme.world.add_page("Keys", blocks=[blocks.paragraph("The key of the cellar hangs at the reception.")])
    acme.world.add_page(
        "Repetitions",
        blocks=[blocks.paragraph("Somebody said cellar, and cellar, and cellar again; " + "so what. " * 30)],
    )
    for number in range(3):
        acme.world.add_page(
            f"Copy {number}", blocks=[blocks.paragraph("A cellar is dark. " + "Bring a lamp with you. " * 6)]
        )
    acme.world.clock.advance(600)
    acme.sync()
    configured = {"reranker_url": server_of_scores.url, "reranker_model": "cross-encoder"}
    acme.database.settings = acme.database.settings.model_copy(update=configured)
    return acme


def asked(office: Harness, query: str = "cellar key", **options: Any) -> Results:
    with Searcher(office.slug, database=office.database) as searcher:
        return searcher.search(query, **options)


class TestSearch:
    def test_the_reranker_decides_the_order(self, office: Harness, server_of_scores: RerankingServer) -> None:
        found = asked(office)
        assert found.is_reranked and found.hits[0].title == "Repetitions"
        assert [hit.score for hit in found.hits] == sorted((hit.score for hit in found.hits), reverse=True)
        server_of_scores.answers = [(503, "loading")]
        assert asked(office).hits[0].title == "Keys"

    def test_one_hit_is_chosen_among_all_candidates(self, office: Harness, server_of_scores: RerankingServer) -> None:
        (only,) = asked(office, k=1).hits
        assert only.title == "Repetitions" and only.highlights
        assert len(server_of_scores.requests[0]["documents"]) == 3, "copies are folded before they are read"

    def test_what_is_folded_filtered_and_beside_a_hit_stays_with_it(self, office: Harness) -> None:
        found = asked(office, filters=Filters(kinds=["page"]), neighbours=1)
        (copies,) = [hit for hit in found.hits if hit.title.startswith("Copy")]
        assert len(copies.duplicates) == 2
        assert asked(office, filters=Filters(kinds=["row"])).hits == []

    def test_while_it_fails_the_fused_order_is_served_and_the_log_says_so(
        self, office: Harness, server_of_scores: RerankingServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        without = asked(office)
        server_of_scores.answers = [(500, "boom")]
        with caplog.at_level(logging.WARNING):
            found = asked(office)
        assert not found.is_reranked and len(found.hits) == len(without.hits)
        assert "searching without the reranker" in caplog.text and "cellar" not in caplog.text

    def test_either_half_alone_is_not_reranked(self, office: Harness, server_of_scores: RerankingServer) -> None:
        assert not asked(office, ranking="dense").is_reranked and not asked(office, ranking="lexical").is_reranked
        assert not asked(office, "?!").is_reranked
        assert server_of_scores.requests == []

    def test_the_command_line_uses_it_and_doctor_asks_it(
        self,
        office: Harness,
        server_of_scores: RerankingServer,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        settings = office.database.settings
        assert settings.database_url is not None
        monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
        monkeypatch.setenv("ARCANA_HOME", str(settings.home))
        monkeypatch.setenv("RERANKER_URL", server_of_scores.url)

        def run(*arguments: str) -> Any:
            with pytest.raises(SystemExit):
                main([*arguments, "--json"])
            return json.loads(capsys.readouterr().out)

        assert run("search", office.slug, "cellar key", "--fusion", "rrf")["hits"][0]["title"] == "Repetitions"
        (check,) = [each for each in run("doctor")["checks"] if each["name"] == "reranker"]
        assert check["ok"], check
        server_of_scores.answers = [(401, "who are you?")]
        (check,) = [each for each in run("doctor")["checks"] if each["name"] == "reranker"]
        assert not check["ok"] and "HTTP 401" in check["detail"]

    def test_a_program_may_bring_its_own(self, office: Harness) -> None:
        with Searcher(office.slug, database=office.database, reranker=Backwards()) as searcher:
            found: list[Hit] = searcher.search("cellar key").hits
        assert found[-1].title == "Keys"

    def test_documents_are_sent_as_json_in_any_script(
        self, server_of_scores: RerankingServer, reranker: Reranker
    ) -> None:
        reranker.scores("휴가", ["연차 휴가 규정", '\x00 \\ "'])
        assert json.dumps(server_of_scores.requests[0], ensure_ascii=False).count("휴가") == 2

    def test_it_reads_the_questions_before_with_one_that_goes_on_from_them(
        self, office: Harness, server_of_scores: RerankingServer
    ) -> None:
        asked(office, "and the cellar?", earlier=("Where is the key?",))
        assert server_of_scores.requests[-1]["query"] == "Where is the key? and the cellar?"
