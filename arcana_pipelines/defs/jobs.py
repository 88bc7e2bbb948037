"""Syncing a workspace from source to index, in one process; and what is done with its indexes besides.

In-process, the assets cost 0.5 s of overhead instead of 6; parallelism lives inside the assets and between
workspaces. The jobs carry that executor themselves, so that they keep it beside other code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from arcana_pipelines.defs.names import FILLING, READING, STAGING, SYNCING, selection
from arcana_pipelines.defs.partitions import partitioned, workspaces
from arcana_pipelines.defs.runs import JOB_TAG, PURPOSE_TAG
from arcana_pipelines.defs.schedule_times import AUDIT_SCHEDULES
from arcana_pipelines.pipeline.purpose import Purpose
from arcana_pipelines.sources.protocol import Mode

SYNC_JOB = "sync_workspace"
RETRY_JOB = "retry_pages"
STAGE_JOB = "stage_workspace"
FILL_JOB = "fill_indexes"
AUDIT_JOB = "audit_workspace"
QUALITY_JOB = "measure_quality"
CHECK_JOB = "check_installation"
MAINTENANCE_JOB = "maintenance"
REBUILD_JOB = "rebuild_index"
PROMOTE_JOB = "promote_index"
ROLLBACK_JOB = "rollback_index"
PARSE_JOB = "parse_files"
SUMMARISE_JOB = "summarise_tickets"
BACKUP_JOB = "back_up"
SHIP_JOB = "ship_changes"
AUDIT = "audit"
# By the asset that reads a workspace the jobs that read it, by what they are for. `READING` says which assets do.
READERS = {
    "notion_pages": {
        str(Purpose.SYNC): SYNC_JOB,
        AUDIT: AUDIT_JOB,
        str(Purpose.RETRY): RETRY_JOB,
        str(Purpose.STAGE): STAGE_JOB,
    },
    "support_tickets": {
        str(Purpose.SYNC): "sync_tickets",
        AUDIT: "audit_tickets",
        str(Purpose.RETRY): "retry_tickets",
        str(Purpose.STAGE): "stage_tickets",
    },
}
PURPOSES = {
    **{job: purpose for jobs in READERS.values() for purpose, job in jobs.items()},
    FILL_JOB: str(Purpose.FILL),
    QUALITY_JOB: "quality",
    CHECK_JOB: "check",
    MAINTENANCE_JOB: "maintenance",
    REBUILD_JOB: "rebuild",
    PROMOTE_JOB: "promote",
    ROLLBACK_JOB: "rollback",
    PARSE_JOB: "parse",
    SUMMARISE_JOB: "summarise",
    BACKUP_JOB: "backup",
    SHIP_JOB: "backup",
}
# Those that work for the whole installation.
OF_NO_WORKSPACE = (MAINTENANCE_JOB, CHECK_JOB, SUMMARISE_JOB, BACKUP_JOB, SHIP_JOB)


def tags_of(job: str) -> dict[str, str]:
    """What each run of one of our jobs carries, however it was started."""
    return {JOB_TAG: job, PURPOSE_TAG: PURPOSES[job]}


def jobs_for(purpose: str) -> tuple[str, ...]:
    """The jobs that read a source for this purpose, one an asset that does."""
    return tuple(jobs[purpose] for jobs in READERS.values())


def workspace_jobs(
    health: Sequence[dg.AssetChecksDefinition], installation: Sequence[dg.AssetChecksDefinition]
) -> list[dg.UnresolvedAssetJobDefinition]:
    """The jobs over our assets, whatever prefix their keys have.

    Args:
        health: checks of a workspace with a step of their own.
        installation: checks that concern no single workspace: none of these jobs has them.
    """
    # Measuring an index costs seconds: an ordinary sync leaves it to the audit, and plans no check that it would not
    # run.
    others = dg.AssetSelection.checks(*installation)
    return [
        *(job for asset in READING for job in _reading(asset, dg.AssetSelection.checks(*health), others)),
        _job(
            FILL_JOB,
            selection(*FILLING) - others,
            "Fill, verify and, where they may serve, promote the new builds of a workspace's indexes. Reads "
            "nothing from the source.",
        ),
        _job(
            QUALITY_JOB,
            selection("retrieval_quality"),
            "Ask the golden questions that a workspace keeps (`arcana eval … --keep`). Fails below the baseline.",
        ),
    ]


def _reading(
    asset: str, health: dg.AssetSelection, others: dg.AssetSelection
) -> Iterator[dg.UnresolvedAssetJobDefinition]:
    """The jobs over the workspaces that this asset reads."""
    jobs = READERS[asset]
    auditing = selection(asset, *SYNCING[1:]) - others
    yield _job(
        jobs[Purpose.SYNC],
        auditing - health,
        f"List, read, normalise, chunk, embed and publish one workspace that `{asset}` reads. Costs a request or two "
        "when nothing changed.",
    )
    yield _job(
        jobs[AUDIT],
        auditing,
        "The same sync, in the mode `audit`, and besides the check of the indexes' health. The schedule "
        f"`{AUDIT_SCHEDULES[asset]}` and `arcana sync --mode audit` run it.",
        {"ops": {asset: {"config": {"mode": str(Mode.AUDIT)}}}},
    )
    yield _job(
        jobs[Purpose.RETRY],
        auditing - health,
        "The same sync, which first takes up what waits in quarantine (or the one item that `page` names).",
    )
    yield _job(
        jobs[Purpose.STAGE],
        selection(asset, *STAGING[1:]),
        "The sync up to the chunks: reads the source, calls no embedding provider, publishes nothing. "
        "`arcana sync --estimate` runs it.",
    )


def _job(
    name: str, assets: dg.AssetSelection, description: str, config: Mapping[str, object] | None = None
) -> dg.UnresolvedAssetJobDefinition:
    return dg.define_asset_job(
        name,
        selection=assets,
        partitions_def=workspaces,
        config=partitioned(config),
        tags=tags_of(name),
        executor_def=dg.in_process_executor,
        description=description,
    )


def installation_job(checks: Sequence[dg.AssetChecksDefinition]) -> dg.UnresolvedAssetJobDefinition:
    """The job of the checks that concern no single workspace."""
    return dg.define_asset_job(
        CHECK_JOB,
        selection=dg.AssetSelection.checks(*checks),
        tags=tags_of(CHECK_JOB),
        executor_def=dg.in_process_executor,
        description="Is the schema as this release describes it, and every workspace fresh? The schedule "
        "`installation_sweep` runs it.",
    )


def backup_job() -> dg.UnresolvedAssetJobDefinition:
    """The job of the asset `backups` and its check."""
    return dg.define_asset_job(
        BACKUP_JOB,
        selection=selection("backups"),
        tags=tags_of(BACKUP_JOB),
        executor_def=dg.in_process_executor,
        description="Backs up the installation to BACKUP_TO, deletes old backups, and restores the newest into a "
        "server of its own to compare it. The schedule `backup_sweep` runs it.",
    )
