"""Asset checks. Those of a workspace keep one result each, so that one workspace's green hides no other's red.

https://docs.dagster.io/guides/test/asset-checks
Partitions of checks are in preview in Dagster 1.13 (docs/decisions/ says what was tried); its warning of that is
silenced here, where the decision was taken.

No postponed annotations here: Dagster reads the types of resources at run time.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from arcana_pipelines.alerts.causes import stale_workspaces
from arcana_pipelines.db.schema import drift
from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.defs.resources import ArcanaResource
from arcana_pipelines.defs.results import proof_table
from arcana_pipelines.defs.tables import table
from arcana_pipelines.indexes.health import inspect_indexes, pgvector
from arcana_pipelines.pipeline.targets import compare_all


@contextmanager
def _preview() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        yield


def workspace_check(name: str, asset: str, description: str, *, blocking: bool = False) -> dg.AssetCheckSpec:
    """A check that the asset itself reports, for each workspace by itself."""
    with _preview():
        return dg.AssetCheckSpec(
            name, asset=asset, description=description, blocking=blocking, partitions_def=workspaces
        )


def ledger_checks(asset: str) -> list[dg.AssetCheckSpec]:
    """Those of an asset that lists a source and reads it."""
    return [
        workspace_check(
            "ledger_balances",
            asset=asset,
            blocking=True,
            description="Every page that was listed is indexed, unchanged, skipped, quarantined or pending.",
        ),
        workspace_check(
            "listing_is_complete",
            asset=asset,
            description="The source listed everything it was asked for. An incomplete listing removes nothing.",
        ),
        workspace_check(
            "removals_are_within_the_cap",
            asset=asset,
            description="No mass removal waits for a person to allow it (`allow_removals`).",
        ),
    ]


with _preview():

    @dg.asset_check(
        asset="rag_indexes",
        partitions_def=workspaces,
        description="pgvector's version, invalid indexes, bloat, and recall against exact search. A step of its own, "
        "in audits and when builds are filled: a run that does not measure them reports nothing.",
    )
    def indexes_are_healthy(context: dg.AssetCheckExecutionContext, arcana: ArcanaResource) -> dg.AssetCheckResult:
        """What may go wrong with an index unnoticed."""
        session = arcana.session(context)
        findings = [pgvector(session.connection), *inspect_indexes(session.connection, session.workspace.workspace_id)]
        return dg.AssetCheckResult(
            passed=all(finding.ok for finding in findings),
            metadata={
                "findings": table(
                    {"what": "string", "ok": "bool", "detail": "string"},
                    [[finding.name, finding.ok, finding.detail] for finding in findings],
                )
            },
        )

    @dg.asset_check(
        asset="index_targets",
        partitions_def=workspaces,
        description="Every target has each chunk that PostgreSQL publishes, with its text, headings and vector, and no "
        "other. What differs is delivered again. A step of its own, in audits and when builds are filled.",
    )
    def targets_are_equal(context: dg.AssetCheckExecutionContext, arcana: ArcanaResource) -> dg.AssetCheckResult:
        """What `arcana target verify` says. The workspace is not held meanwhile."""
        compared = compare_all(arcana.database, context.partition_key)
        return dg.AssetCheckResult(
            passed=all(each.is_well for each in compared),
            severity=dg.AssetCheckSeverity.ERROR
            if any(each.parity and not each.is_well for each in compared)
            else dg.AssetCheckSeverity.WARN,
            metadata={"targets": proof_table(compared)},
        )


@dg.asset_check(
    asset="rag_indexes",
    description="The tables are as this release describes them. Of the whole installation, every night.",
)
def schema_has_not_drifted(arcana: ArcanaResource) -> dg.AssetCheckResult:
    """What `arcana db check` says."""
    differences = drift(arcana.database)
    return dg.AssetCheckResult(
        passed=not differences,
        metadata={"differences": table({"difference": "string"}, [[each] for each in differences])},
    )


@dg.asset_check(
    asset="rag_indexes",
    description="Every active workspace was compared with its source in the last 26 hours. Of the whole installation, "
    "every night; the alert `stale` tells it sooner.",
)
def workspaces_are_fresh(arcana: ArcanaResource) -> dg.AssetCheckResult:
    """The workspaces whose indexes are not known to be fresh."""
    with arcana.database.connection() as connection:
        stale = stale_workspaces(connection)
    return dg.AssetCheckResult(
        passed=not stale,
        metadata={
            "stale": table(
                {"workspace": "string", "what": "string", "next_step": "string"},
                [[cause.workspace, cause.text, cause.next_step] for cause in stale],
            )
        },
    )
