"""A chat model that stands in for a real one, and settings that name it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.openai_server import EmbeddingServer
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.tickets.helpdesk import Helpdesk

KEY = "sk-of-summaries"


@pytest.fixture
def chat() -> Iterator[EmbeddingServer]:
    """A chat model of nobody's."""
    with EmbeddingServer() as server:
        yield server


@pytest.fixture
def asking(chat: EmbeddingServer) -> Settings:
    """Settings which name the chat model."""
    return Settings(**of_chat(chat))


def of_chat(chat: EmbeddingServer) -> dict[str, Any]:
    """What names it in settings."""
    return {"summary_model": "chat-1", "summary_base_url": chat.base_url, "summary_api_key": SecretStr(KEY)}


@pytest.fixture
def helpdesk(acme: Harness, chat: EmbeddingServer) -> Helpdesk:
    """The workspace `acme`, without tickets yet."""
    return Helpdesk(acme.database, acme.database.settings.model_copy(update=of_chat(chat)))
