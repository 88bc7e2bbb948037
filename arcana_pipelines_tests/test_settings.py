"""Settings: documented, validated with the variable's name, and silent about values."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from arcana_pipelines.embedding.openai.client import OpenAIClient
from arcana_pipelines.errors import InvalidSetting
from arcana_pipelines.settings import Settings, load_settings

EXAMPLE = Path(__file__).parents[1] / ".env.example"


def test_every_variable_is_documented_once_in_the_example() -> None:
    names = re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    documented = {name.upper() for name in Settings.model_fields}
    assert documented <= set(names)
    assert len(names) == len(set(names))


def test_the_defaults_are_those_of_the_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMBEDDING_PROVIDER")
    written = re.findall(r"^# ([A-Z][A-Z0-9_]+)=(.+)$", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    said = {name.lower(): value for name, value in written if name.lower() in Settings.model_fields}
    assert len(said) >= 15
    for name, value in said.items():
        assert getattr(Settings.model_validate({name: value}), name) == getattr(Settings(), name), name  # type: ignore[call-arg]


def test_a_request_to_openai_is_tried_four_times_and_may_pause_for_thirty_seconds() -> None:
    settings = Settings(openai_api_key=SecretStr("sk-x"))
    assert (settings.openai_max_retries, settings.openai_timeout) == (3, 30.0)
    client = OpenAIClient(settings, patience=60.0)
    assert client.sdk.timeout == 30.0 and client.sdk.max_retries == 0
    assert client._retries == 3


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("BATCH_SIZE", "")
    assert load_settings().database_url is None


def test_all_bad_variables_are_named_at_once_without_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_SIZE", "hunter2")
    monkeypatch.setenv("OPENAI_TIMEOUT", "-1")
    with pytest.raises(InvalidSetting) as error:
        load_settings()
    assert "BATCH_SIZE" in str(error.value)
    assert "OPENAI_TIMEOUT" in str(error.value)
    assert "hunter2" not in str(error.value)


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hunter2")
    monkeypatch.setenv("NOTION_TOKEN", "ntn_hunter2")
    assert "hunter2" not in repr(load_settings())
