"""What is told of runs that failed otherwise than by an exception of theirs."""

from __future__ import annotations

import inspect

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster_celery.launcher import CeleryRunLauncher
from dagster_docker import DockerRunLauncher
from dagster_k8s import K8sRunLauncher

from arcana_pipelines.alerts.causes import NOT_STARTED
from arcana_pipelines.defs import failed_runs as module
from arcana_pipelines.defs.failed_runs import failed_runs
from arcana_pipelines.defs.jobs import SYNC_JOB
from arcana_pipelines.defs.runs import JOB_TAG, PROCESS_GONE, WORKSPACE_TAG, Home, cancel_restored
from arcana_pipelines.web.people.sentences import in_korean

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
    assert (in_korean(failed.message) is None) is (failed.message == dagsters), "what is in our words is in Korean, too"


@pytest.mark.parametrize(
    ("launcher", "noted", "ours"),
    [
        (CeleryRunLauncher, "Celery task has been forwarded to the broker", "No worker began this run within 180"),
        (DockerRunLauncher, "Launching run in a new container", "The container of this run did not begin it within"),
        (K8sRunLauncher, "Kubernetes run worker job created", "The Job of this run did not begin it within 180"),
    ],
)
def test_a_run_that_nothing_began_is_told_by_what_its_launcher_had_given_it_to(
    instance: dg.DagsterInstance, launcher: type, noted: str, ours: str
) -> None:
    assert noted in inspect.getsource(launcher), "so Dagster notes it"
    run = begun(instance, DagsterRunStatus.STARTING)
    instance.report_engine_event(f"{noted}.", run, cls=launcher)
    instance.report_run_failed(run, "Run timed out due to taking longer than 180 seconds to start.\nDebug: none")
    (failed,) = failed_runs(instance, {}, HOME)
    assert failed.message.startswith(ours) and failed.error == NOT_STARTED
    assert "180초" in str(in_korean(failed.message))


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
