"""What is told of runs that failed otherwise than by an exception of theirs."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster import DagsterRunStatus

from arcana_pipelines.defs import failed_runs as module
from arcana_pipelines.defs.failed_runs import failed_runs
from arcana_pipelines.defs.jobs import SYNC_JOB
from arcana_pipelines.defs.runs import JOB_TAG, PROCESS_GONE, WORKSPACE_TAG, Home, cancel_restored

HOME = Home(None, frozenset())


@dg.job
def sync() -> None:
    """Does nothing."""


def begun(instance: dg.DagsterInstance, status: DagsterRunStatus = DagsterRunStatus.STARTED) -> dg.DagsterRun:
    return instance.create_run_for_job(sync, status=status, tags={JOB_TAG: SYNC_JOB, WORKSPACE_TAG: "acme"})


@pytest.mark.parametrize(
    ("dagsters", "ours"),
    [
        (None, PROCESS_GONE),
        ("Detected run worker status FAILED. Marking run as failed.", PROCESS_GONE),
        (
            "Run timed out due to taking longer than 180 seconds to start.",
            "The daemon could not start this run within 180 seconds",
        ),
        ("Exceeded maximum runtime of 60 seconds.", "Exceeded maximum runtime of 60 seconds."),
    ],
)
def test_what_dagster_says_is_told_in_words_for_people(
    instance: dg.DagsterInstance, dagsters: str | None, ours: str
) -> None:
    instance.report_run_failed(begun(instance), dagsters)
    (failed,) = failed_runs(instance, {}, HOME)
    assert failed.message.startswith(ours)


@pytest.mark.parametrize(
    ("successor", "told"),
    [(None, 1), (DagsterRunStatus.STARTED, 0), (DagsterRunStatus.SUCCESS, 0), (DagsterRunStatus.CANCELED, 1)],
)
def test_a_run_that_was_overtaken_is_told_only_where_its_successor_did_not_go_on(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, successor: DagsterRunStatus | None, told: int
) -> None:
    hung = begun(instance)
    if successor is not None:
        begun(instance, successor)
    instance.report_run_failed(hung)
    lost = module.FailedRun("acme", "sync", hung.run_id, "LeaseLost", "Another run has taken over.")
    monkeypatch.setattr(module, "_described", lambda *arguments: lost)
    assert len(failed_runs(instance, {}, HOME)) == told


def test_a_failure_of_another_kind_is_told_while_the_next_try_runs(instance: dg.DagsterInstance) -> None:
    instance.report_run_failed(begun(instance))
    begun(instance)
    assert len(failed_runs(instance, {}, HOME)) == 1


def test_what_was_at_work_when_a_restored_backup_was_made_ends_quietly(instance: dg.DagsterInstance) -> None:
    runs = [begun(instance, status) for status in (DagsterRunStatus.STARTING, DagsterRunStatus.STARTED)]
    done = begun(instance, DagsterRunStatus.SUCCESS)
    cancel_restored(instance)
    assert [instance.get_run_by_id(run.run_id).status for run in (*runs, done)] == [  # type: ignore[union-attr]
        DagsterRunStatus.CANCELED, DagsterRunStatus.CANCELED, DagsterRunStatus.SUCCESS
    ]  # fmt: skip
    assert failed_runs(instance, {}, HOME) == []
