"""What happens by the clock."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from arcana_pipelines.defs.jobs import sync_workspace
from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.sources.protocol import Mode


@dg.schedule(
    job=sync_workspace,
    cron_schedule="0 3 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night: list everything, prove what is gone. The only way to see un-shared pages.",
)
def audit_sweep(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """One audit run a workspace."""
    for slug in sorted(workspaces.get_partition_keys(dynamic_partitions_store=context.instance)):
        yield dg.RunRequest(
            run_key=f"audit:{slug}:{context.scheduled_execution_time.isoformat()}",
            partition_key=slug,
            run_config=sync_config(Mode.AUDIT),
            tags={"arcana/mode": str(Mode.AUDIT)},
        )


def sync_config(mode: Mode, allow_removals: int = 0, page: str = "") -> dict[str, object]:
    """Run configuration of a sync (see `SyncConfig`)."""
    config = {"mode": mode.name, "allow_removals": allow_removals, "page": page}
    return {"ops": {"notion_pages": {"config": config}}}
