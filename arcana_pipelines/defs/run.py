"""Running a job in this process, for the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import dagster as dg

from arcana_pipelines.defs.build import build_defs
from arcana_pipelines.defs.names import our_assets
from arcana_pipelines.defs.runs import PROCESS_TAG, Home, process_tag, report_dead_runs
from arcana_pipelines.observing.context import working_for
from arcana_pipelines.observing.traces import span
from arcana_pipelines.settings import load_settings


def execute(
    instance: dg.DagsterInstance,
    slug: str,
    config: Mapping[str, object],
    job_name: str = "sync_workspace",
    run_id: str | None = None,
) -> int | None:
    """Run a job for one partition; returns the generation that it opened, or None when it listed no source.

    Raises:
        DagsterExecutionInterruptedError: Ctrl-C, SIGTERM.
        Exception: what failed, as it was raised; Dagster has recorded the failure.
    """
    report_dead_runs(instance)
    _leave_output_alone(instance)
    job = build_defs(key_prefix=load_settings().key_prefix).resolve_job_def(job_name)
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with working_for(workspace=slug), span("run", purpose=job_name):
        result = job.execute_in_process(
            run_config={**config, **quiet},
            partition_key=slug,
            instance=instance,
            tags={PROCESS_TAG: process_tag()},
            run_id=run_id,
            raise_on_error=True,
        )
    for event in result.get_asset_materialization_events():
        generation = event.materialization.metadata.get("generation")
        if generation is not None:
            return int(generation.value)  # type: ignore[arg-type]
    return None


def our_home() -> Home:
    """Our assets as the settings name them, in whatever code location."""
    repository = build_defs(key_prefix=load_settings().key_prefix).get_repository_def()
    return Home(None, frozenset(our_assets(repository).values()))


def _leave_output_alone(instance: dg.DagsterInstance) -> None:
    """Let this process write to its own terminal: what it prints is not captured for the UI.

    Capturing takes four processes more a run, which would hear Ctrl-C too and answer with tracebacks of their own.
    Dagster has no public switch for it; where the private name is gone, output is captured.
    """
    try:
        from dagster._core.storage.compute_log_manager import CapturedLogContext
    except ImportError:
        return

    @contextmanager
    def capture_nothing(log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        yield CapturedLogContext(log_key)

    instance.compute_log_manager.capture_logs = capture_nothing  # type: ignore[method-assign]


def mark_canceled(instance: dg.DagsterInstance, run_id: str) -> None:
    """Note that a person ended a run of this process: it did not fail, whatever Dagster has taken it for."""
    run = instance.get_run_by_id(run_id)
    if run is not None and run.status is not dg.DagsterRunStatus.SUCCESS:
        instance.report_run_canceled(run, "Interrupted at the command line.")
