"""Running the job in this process, for the command line."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from arcana_pipelines.defs.build import build_defs
from arcana_pipelines.defs.runs import PROCESS_TAG, process_tag, report_dead_runs
from arcana_pipelines.errors import ArcanaError


def execute(
    instance: dg.DagsterInstance, slug: str, config: Mapping[str, object], job_name: str = "sync_workspace"
) -> tuple[str, ArcanaError | None]:
    """Sync one partition with this run configuration; returns the run's id and, when it failed, our error.

    Anything that is not an error of ours is raised as it is, with its traceback.
    """
    report_dead_runs(instance)
    job = build_defs().resolve_job_def(job_name)
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    result = job.execute_in_process(
        run_config={**config, **quiet},
        partition_key=slug,
        instance=instance,
        tags={PROCESS_TAG: process_tag()},
        raise_on_error=False,
    )
    if result.success:
        return result.run_id, None
    return result.run_id, _cause(result)


def _cause(result: dg.ExecuteInProcessResult) -> ArcanaError:
    """Our exception behind the first failed step."""
    for event in result.all_events:
        if not event.is_step_failure:
            continue
        data = event.step_failure_data
        error = data.user_failure_data or data.error
        chain = data.error
        while chain is not None:
            if chain.cls_name in _OURS:
                return _OURS[chain.cls_name](_message(chain.message, chain.cls_name))
            chain = chain.cause
        return ArcanaError(f"The asset {event.step_key} failed: {error}")
    return ArcanaError(f"The run {result.run_id} failed before its first asset; the Dagster UI shows why.")


def _subclasses(kind: type[ArcanaError]) -> dict[str, type[ArcanaError]]:
    found = {kind.__name__: kind}
    for child in kind.__subclasses__():
        found.update(_subclasses(child))
    return found


_OURS = _subclasses(ArcanaError)


def _message(text: str, cls_name: str) -> str:
    # Dagster keeps "package.module.Class: message\n".
    head, separator, rest = text.partition(f"{cls_name}: ")
    return (rest if separator else head).strip()
