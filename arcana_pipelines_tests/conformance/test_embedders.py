"""Every embedder keeps to the protocol: ours, and one of a plug-in."""

from __future__ import annotations

import pytest

from arcana_pipelines.embedding.catalogue import MULTILINGUAL_MODEL, SMALL_MODEL
from arcana_pipelines.embedding.protocol import Embedder
from arcana_pipelines.embedding.registry import open_embedder
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.conformance.embedders import EmbedderConformance
from arcana_pipelines.testing.openai_server import EmbeddingServer
from arcana_pipelines_tests.embedding.conftest import MODEL, paid
from arcana_pipelines_tests.multilingual_e5 import needs_weights


class TestLocal(EmbedderConformance):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return open_embedder(Settings(), SMALL_MODEL, 256)


@needs_weights
class TestMultilingual(EmbedderConformance):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return open_embedder(Settings(), MULTILINGUAL_MODEL, 384)


class TestOpenAI(EmbedderConformance):
    @pytest.fixture
    def provider(self):  # type: ignore[no-untyped-def]
        with EmbeddingServer() as server:
            yield server

    @pytest.fixture
    def embedder(self, provider: EmbeddingServer) -> Embedder:
        return open_embedder(Settings().model_copy(update=paid(provider)), MODEL, 8)

    @pytest.fixture
    def broken(self, provider: EmbeddingServer) -> Embedder:
        settings = Settings().model_copy(update=paid(provider, openai_base_url="http://127.0.0.1:1/v1"))
        return open_embedder(settings, MODEL, 8)


class TestPlugin(EmbedderConformance):
    @pytest.fixture
    def embedder(self, plugin: None) -> Embedder:
        return open_embedder(Settings(), "word-counts", 32)
