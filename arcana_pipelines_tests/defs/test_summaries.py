"""The job that summarises tickets, and when the sensor asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus

from arcana_pipelines.defs.build import build_defs
from arcana_pipelines.defs.failed_runs import failed_runs
from arcana_pipelines.defs.runs import JOB_TAG, Home
from arcana_pipelines.defs.summaries import ticket_summaries
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.testing.openai_server import EmbeddingServer
from arcana_pipelines.tickets.summaries.counts import summary_counts
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.tickets.conftest import KEY, of_chat
from arcana_pipelines_tests.tickets.helpdesk import Helpdesk

ROUTE = "POST /v1/chat/completions"


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddingServer]:
    """A chat model that the environment names."""
    with EmbeddingServer() as server:
        monkeypatch.setenv("SUMMARY_MODEL", "chat-1")
        monkeypatch.setenv("SUMMARY_BASE_URL", server.base_url)
        monkeypatch.setenv("SUMMARY_API_KEY", KEY)
        yield server


@pytest.fixture
def helpdesk(installed: Harness, chat: EmbeddingServer) -> Helpdesk:
    return Helpdesk(installed.database, installed.database.settings.model_copy(update=of_chat(chat)))


class Ticks:
    """The sensor, with the cursor that it left."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self.cursor: str | None = None

    def __call__(self) -> dg.SensorResult | dg.SkipReason:
        context = dg.build_sensor_context(
            self._instance, cursor=self.cursor, repository_def=build_defs().get_repository_def()
        )
        result = ticket_summaries(context)
        assert isinstance(result, dg.SensorResult | dg.SkipReason)
        self.cursor = context.cursor
        return result

    def asks(self) -> bool:
        result = self()
        return isinstance(result, dg.SensorResult) and len(result.run_requests or []) == 1


@pytest.fixture
def tick(instance: dg.DagsterInstance) -> Ticks:
    return Ticks(instance)


def run(instance: dg.DagsterInstance, **config: object) -> bool:
    job = build_defs().resolve_job_def("summarise_tickets")
    given = {"ops": {"summarise": {"config": config}}}
    return job.execute_in_process(instance=instance, run_config=given, raise_on_error=False).success


def test_a_run_is_asked_for_when_tickets_wait_and_not_once_they_are_summarised(
    helpdesk: Helpdesk, instance: dg.DagsterInstance, tick: Ticks
) -> None:
    assert tick.asks() is False, "there are no tickets"
    helpdesk.fill(3)
    assert tick.asks() is True
    assert run(instance)
    assert helpdesk.summarised() == [2, 1, 0]
    assert tick.asks() is False
    assert tick.cursor is not None
    helpdesk.write(4, "Another one.")
    assert tick.asks() is True


def test_no_tickets_of_the_sample_are_summarised_counted_or_sent(
    helpdesk: Helpdesk, instance: dg.DagsterInstance, tick: Ticks, chat: EmbeddingServer
) -> None:
    helpdesk.change("UPDATE workspace SET platform = 'sample_helpdesk'")
    helpdesk.fill(3)
    assert tick.asks() is False
    assert run(instance) and run(instance, workspace=helpdesk.slug)
    with pytest.raises(WrongUse, match="'acme' is the sample"):
        helpdesk.make()
    with helpdesk.database.connection() as connection:
        assert summary_counts(connection) == []
    assert chat.chats == []


def test_another_model_makes_all_of_them_anew(
    helpdesk: Helpdesk, instance: dg.DagsterInstance, tick: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    helpdesk.fill(2)
    assert run(instance)
    assert tick.asks() is False
    monkeypatch.setenv("SUMMARY_MODEL", "chat-2")
    assert tick.asks() is True
    assert run(instance)
    assert helpdesk.counts("chat-2").made == 2
    assert tick.asks() is False


def test_without_a_model_nothing_is_asked_for(
    helpdesk: Helpdesk, tick: Ticks, chat: EmbeddingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUMMARY_MODEL")
    helpdesk.fill(1)
    skipped = tick()
    assert isinstance(skipped, dg.SkipReason) and "SUMMARY_MODEL" in str(skipped.skip_message)


def test_where_nothing_is_installed_a_tick_is_skipped(
    instance: dg.DagsterInstance, tick: Ticks, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ARCANA_HOME", str(tmp_path / "home"))
    skipped = tick()
    assert isinstance(skipped, dg.SkipReason) and "arcana db upgrade" in str(skipped.skip_message)


def test_a_budget_that_is_used_up_asks_for_no_run_before_the_next_day(
    helpdesk: Helpdesk, instance: dg.DagsterInstance, tick: Ticks
) -> None:
    helpdesk.fill(1)
    assert run(instance)
    helpdesk.change("UPDATE summary_usage SET input_tokens = 1000000")
    helpdesk.fill(2)
    assert tick.asks() is False
    helpdesk.change("UPDATE summary_usage SET day = day - 1")
    assert tick.asks() is True


def test_one_run_at_a_time_and_a_pause_after_failures(
    helpdesk: Helpdesk, instance: dg.DagsterInstance, tick: Ticks, chat: EmbeddingServer
) -> None:
    helpdesk.fill(30)
    job = build_defs().resolve_job_def("summarise_tickets")
    waiting = instance.create_run_for_job(job_def=job, tags=job.run_tags, status=DagsterRunStatus.STARTED)
    assert tick.asks() is False, "one is at work"
    instance.report_run_canceled(waiting)
    assert tick.asks() is True
    chat.fail(ROUTE, 500, times=9999)
    assert run(instance) is False
    skipped = tick()
    assert isinstance(skipped, dg.SkipReason) and "pauses after 1 failure" in str(skipped.skip_message)
    chat.clear_faults()
    assert run(instance)
    assert tick.asks() is False


def test_a_run_that_fails_is_told_to_a_person_until_one_succeeds(
    helpdesk: Helpdesk, instance: dg.DagsterInstance, chat: EmbeddingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    helpdesk.fill(9)
    chat.fail(ROUTE, 500, times=9999)
    assert run(instance) is False
    (failed,) = failed_runs(instance, {}, Home(None, frozenset()))
    assert (failed.workspace, failed.purpose, failed.error) == ("", "summarise_tickets", "SummaryFailed")
    assert "HTTP 500" in failed.message and "log in" not in failed.message
    monkeypatch.delenv("SUMMARY_MODEL")
    assert run(instance), "who switches it off wants to hear no more of it"
    assert failed_runs(instance, {}, Home(None, frozenset())) == []


def test_a_run_holds_no_workspace_and_fails_no_sync(
    helpdesk: Helpdesk, installed: Harness, instance: dg.DagsterInstance, chat: EmbeddingServer
) -> None:
    helpdesk.fill(9)
    chat.fail(ROUTE, 500, times=9999)
    assert run(instance) is False
    (record,) = instance.get_run_records(dg.RunsFilter(tags={JOB_TAG: "summarise_tickets"}))
    assert "arcana/workspace" not in record.dagster_run.tags
    assert helpdesk.rows("SELECT * FROM workspace_lease") == []
    assert installed.sync()["listing_complete"] is True


def test_one_workspace_can_be_named_and_a_paused_one_is_left_alone(
    helpdesk: Helpdesk, instance: dg.DagsterInstance, tick: Ticks
) -> None:
    helpdesk.fill(1)
    assert run(instance, workspace="another")
    assert helpdesk.summarised() == []
    helpdesk.change("UPDATE workspace SET status = 'paused'")
    assert tick.asks() is False
    assert run(instance)
    assert helpdesk.summarised() == []
    helpdesk.change("UPDATE workspace SET status = 'active'")
    assert run(instance, workspace="acme")
    assert helpdesk.summarised() == [0]
