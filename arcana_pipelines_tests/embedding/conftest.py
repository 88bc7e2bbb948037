"""Workspaces whose embeddings cost money: a stand-in provider over real HTTP, and a workspace registered with it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.openai_server import EmbeddingServer
from arcana_pipelines_tests.harness import Harness

MODEL = "text-embedding-3-small"
PRICE = Decimal("0.02")


@pytest.fixture
def provider(arcana_embeddings: EmbeddingServer) -> EmbeddingServer:
    """A stand-in of OpenAI."""
    return arcana_embeddings


@pytest.fixture
def settings(settings: Settings, provider: EmbeddingServer) -> Settings:
    """Settings of an installation whose new workspaces are embedded by the stand-in."""
    return settings.model_copy(update=paid(provider))


def paid(provider: EmbeddingServer, **more: Any) -> dict[str, Any]:
    """The settings for the stand-in, and more of them."""
    return {
        "embedding_provider": "openai",
        "openai_api_key": SecretStr("sk-stand-in"),
        "openai_base_url": provider.base_url,
        "openai_embedding_model": MODEL,
        "openai_embedding_dimensions": 8,
        "openai_max_retries": 2,
        "batch_size": 4,
        "max_concurrent_requests": 4,
        **more,
    }


def configure(acme: Harness, **changes: Any) -> None:
    """Change the installation's settings."""
    acme.database.settings = acme.database.settings.model_copy(update=changes)
