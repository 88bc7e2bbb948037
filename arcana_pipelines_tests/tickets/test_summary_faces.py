"""Summaries on the command line, in `arcana doctor`, `status` and `usage`, and for Prometheus."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from arcana_pipelines.cli.commands import doctor, status, usage
from arcana_pipelines.cli.commands.doctor import SECONDS
from arcana_pipelines.cli.ticket_summaries import summarise
from arcana_pipelines.errors import InvalidSetting, SummaryFailed
from arcana_pipelines.settings import Settings, load_settings
from arcana_pipelines.testing.openai_server import EmbeddingServer
from arcana_pipelines.tickets.summaries.probe import looked_at
from arcana_pipelines.web.metrics import Metrics
from arcana_pipelines_tests.tickets.conftest import KEY
from arcana_pipelines_tests.tickets.helpdesk import Helpdesk

ROUTE = "POST /v1/chat/completions"


@pytest.fixture
def arcana(
    helpdesk: Helpdesk, acme: Any, chat: EmbeddingServer, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Runs a command in an installation that names the chat model."""
    for name, value in acme.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SUMMARY_MODEL", "chat-1")
    monkeypatch.setenv("SUMMARY_BASE_URL", chat.base_url)
    monkeypatch.setenv("SUMMARY_API_KEY", KEY)
    helpdesk.change("UPDATE workspace SET platform = 'freshdesk'")
    return lambda command, *arguments: CliRunner().invoke(command, arguments)


class TestCommand:
    def test_summarises_and_says_what_it_did(self, helpdesk: Helpdesk, arcana: Callable[..., Result]) -> None:
        helpdesk.fill(3)
        some = arcana(summarise, "acme", "--most", "1", "--json")
        assert some.exit_code == 3
        assert json.loads(some.stdout) == {
            "workspace": "acme", "made": 1, "failed": 0, "tokens": helpdesk.counts().tokens_today,
            "stopped": "number", "problem": None,
        }  # fmt: skip
        rest = arcana(summarise, "acme")
        assert (rest.exit_code, "2 summaries made" in rest.stdout) == (0, True)

    def test_tells_a_model_that_fails_from_a_budget_that_is_used_up(
        self, helpdesk: Helpdesk, arcana: Callable[..., Result], chat: EmbeddingServer
    ) -> None:
        helpdesk.fill(9)
        chat.fail(ROUTE, 500, times=9999)
        away = arcana(summarise, "acme")
        assert (away.exit_code, "HTTP 500" in away.stdout) == (1, True)
        helpdesk.write(99, "Another one.")
        helpdesk.change(
            "INSERT INTO summary_usage SELECT workspace_id, (now() AT TIME ZONE 'UTC')::date, 'x', 1, 1000000, 0, 0 "
            "FROM workspace"
        )
        used_up = arcana(summarise, "acme")
        assert (used_up.exit_code, "SUMMARY_BUDGET" in used_up.stdout) == (3, True)

    def test_wants_a_model(self, arcana: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SUMMARY_MODEL")
        assert isinstance(arcana(summarise, "acme").exception, InvalidSetting)


class TestStatus:
    def test_tells_how_many_are_made_wait_and_failed(
        self, helpdesk: Helpdesk, arcana: Callable[..., Result], chat: EmbeddingServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert json.loads(arcana(status.command, "acme", "--json").stdout)["summaries"] is None
        helpdesk.fill(4)
        chat.sayings = [("nonsense", "stop")] * 2
        helpdesk.make(most=1)
        helpdesk.make(most=1)
        told = json.loads(arcana(status.command, "acme", "--json").stdout)["summaries"]
        assert told.pop("tokens_today") > 0
        assert told == {"made": 1, "failed": 1, "waiting": 2, "under_way": 0}
        shown = arcana(status.command, "acme").stdout
        assert "summaries of tickets: 1 made, 2 waiting" in shown and "1 failed" in shown
        monkeypatch.setenv("SUMMARY_MODEL", "chat-2")
        assert json.loads(arcana(status.command, "acme", "--json").stdout)["summaries"]["waiting"] == 4

    def test_says_nothing_of_them_where_no_model_is_set_and_none_was_made(
        self, helpdesk: Helpdesk, arcana: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        helpdesk.fill(1)
        monkeypatch.delenv("SUMMARY_MODEL")
        assert "summaries" not in arcana(status.command, "acme").stdout


def test_usage_shows_tokens_by_month_and_model(helpdesk: Helpdesk, arcana: Callable[..., Result]) -> None:
    assert "No ticket" in arcana(usage.command, "show", "--summaries").stdout
    helpdesk.fill(2)
    helpdesk.make()
    (row,) = json.loads(arcana(usage.command, "show", "acme", "--summaries", "--json").stdout)["summaries"]
    assert (row["workspace"], row["model"], row["requests"]) == ("acme", "chat-1", 2)
    assert row["input_tokens"] + row["output_tokens"] == helpdesk.counts().tokens_today
    assert "chat-1" in arcana(usage.command, "show", "--summaries").stdout


def test_prometheus_is_told_how_many_there_are(helpdesk: Helpdesk, chat: EmbeddingServer) -> None:
    metrics = Metrics(helpdesk.database)
    metrics.watch_installation(helpdesk.database)
    assert metrics.figures is not None
    metrics.figures.kept_seconds = 0
    told = metrics.registry.get_sample_value
    assert told("arcana_summaries", {"workspace": "acme", "state": "made"}) is None
    helpdesk.fill(3)
    chat.sayings = [("nonsense", "stop")] * 2
    helpdesk.make(most=1)
    helpdesk.make(most=1)
    states = {
        state: told("arcana_summaries", {"workspace": "acme", "state": state})
        for state in ("made", "failed", "waiting", "under_way")
    }
    assert states == {"made": 1, "failed": 1, "waiting": 1, "under_way": 0}
    assert (told("arcana_summary_tokens_today", {"workspace": "acme"}) or 0) > 0


class TestDoctor:
    def test_asks_for_the_models_and_sends_no_ticket(
        self, helpdesk: Helpdesk, arcana: Callable[..., Result], chat: EmbeddingServer
    ) -> None:
        helpdesk.fill(1)
        detail = doctor._summaries(load_settings())
        assert "chat-1 is one of its models" in detail and "1,000,000 tokens" in detail
        assert "every workspace but the sample's" in detail and "Switch it off in Dagster" in detail
        assert chat.requests == ["GET /v1/models"]

    @pytest.mark.parametrize(
        ("status", "said"), [(401, "does not accept SUMMARY_API_KEY"), (403, "SUMMARY_API_KEY"), (503, "answered 503")]
    )
    def test_says_what_is_wrong(self, asking: Settings, chat: EmbeddingServer, status: int, said: str) -> None:
        chat.fail("GET /v1/models", status)
        with pytest.raises(SummaryFailed, match=said) as failed:
            looked_at(asking, SECONDS)
        assert KEY not in str(failed.value)

    def test_says_so_where_the_model_is_not_there_or_nobody_answers(
        self, asking: Settings, chat: EmbeddingServer
    ) -> None:
        with pytest.raises(SummaryFailed, match="does not list the model another"):
            looked_at(asking.model_copy(update={"summary_model": "another"}), SECONDS)
        with pytest.raises(SummaryFailed, match="does not answer"):
            looked_at(asking.model_copy(update={"summary_base_url": "http://127.0.0.1:9/v1"}), SECONDS)

    def test_an_endpoint_without_a_list_is_no_fault(self, asking: Settings, chat: EmbeddingServer) -> None:
        chat.fail("GET /v1/models", 404)
        assert "was not asked" in looked_at(asking, SECONDS)
