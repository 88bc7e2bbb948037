"""Every reranker keeps to the protocol: ours, and one of a plug-in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from arcana_pipelines.retrieval.reranking.protocol import Reranker
from arcana_pipelines.retrieval.reranking.registry import open_reranker
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.conformance.rerankers import RerankerConformance
from arcana_pipelines.testing.rerank_server import RerankingServer


class TestEndpoint(RerankerConformance):
    @pytest.fixture
    def reranker(self) -> Iterator[Reranker]:
        with RerankingServer() as server:
            yield opened(Settings(reranker_url=server.url))

    @pytest.fixture
    def broken(self) -> Reranker:
        return opened(Settings(reranker_url="http://127.0.0.1:1/v1/rerank"))


class TestPlugin(RerankerConformance):
    @pytest.fixture
    def reranker(self, plugin: None) -> Reranker:
        return opened(Settings(reranker="shared-words"))


def opened(settings: Settings) -> Reranker:
    """The reranker of the settings."""
    reranker = open_reranker(settings)
    assert reranker is not None
    return reranker
