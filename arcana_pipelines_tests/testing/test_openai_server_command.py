"""`python -m arcana_pipelines.testing.openai_server`: what it prints is all that is needed to ask it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from arcana_pipelines.settings import Settings
from arcana_pipelines.tickets.summaries.probe import looked_at

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def told() -> Iterator[dict[str, str]]:
    """The variables that it prints."""
    given = [sys.executable, "-m", "arcana_pipelines.testing.openai_server"]
    process = subprocess.Popen(given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert process.stdout is not None and process.stderr is not None
    try:
        address = process.stdout.readline().strip()
        lines = [process.stderr.readline().strip() for _ in range(9)]
        exported = [line.removeprefix("export ").partition("=") for line in lines if line.startswith("export ")]
        yield {"address": address, **{name: value for name, _, value in exported}}
    finally:
        process.terminate()
        assert process.wait(10) == 0
        process.stdout.close()
        process.stderr.close()


def test_the_doctor_finds_the_chat_model(told: dict[str, str]) -> None:
    settings = Settings(
        summary_model=told["SUMMARY_MODEL"],
        summary_base_url=told["SUMMARY_BASE_URL"],
        summary_api_key=SecretStr(told["SUMMARY_API_KEY"]),
    )
    assert looked_at(settings, 10).endswith(" answers; chat-1 is one of its models")


def test_it_embeds_and_refuses_a_chat_in_words(told: dict[str, str]) -> None:
    assert told["OPENAI_BASE_URL"] == told["address"] and told["EMBEDDING_PROVIDER"] == "openai"
    with httpx.Client(base_url=told["address"]) as client:
        asked = {"model": told["OPENAI_EMBEDDING_MODEL"], "input": "휴가"}
        (row,) = client.post("/embeddings", json=asked).json()["data"]
        assert len(row["embedding"]) == 1536
        chat = {"model": "chat-1", "messages": [{"role": "user", "content": "Hello"}]}
        refused = client.post("/chat/completions", json=chat)
    assert refused.status_code == 400 and "summarises a ticket" in refused.json()["error"]["message"]
