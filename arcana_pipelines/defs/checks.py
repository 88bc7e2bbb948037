"""Asset checks. Each keeps one result a workspace, so that one workspace's green hides no other's red.

https://docs.dagster.io/guides/test/asset-checks
Partitions of checks are in preview in Dagster 1.13 (docs/decisions/ says what was tried); its warning of that is
silenced here, where the decision was taken.

No postponed annotations here: Dagster reads the types of resources at run time.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.defs.resources import ArcanaResource
from arcana_pipelines.indexes.health import look_at, pgvector


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


with _preview():

    @dg.asset_check(
        asset="rag_indexes",
        partitions_def=workspaces,
        description="pgvector's version, invalid indexes, bloat, and recall against exact search. A step of its own, "
        "in audits and when builds are filled: a run that does not measure them reports nothing.",
    )
    def indexes_are_healthy(context: dg.AssetCheckExecutionContext, arcana: ArcanaResource) -> dg.AssetCheckResult:
        """What may go wrong with an index while nobody looks."""
        session = arcana.session(context)
        findings = [pgvector(session.connection), *look_at(session.connection, session.workspace.workspace_id)]
        return dg.AssetCheckResult(
            passed=all(finding.ok for finding in findings),
            metadata={finding.name: finding.detail for finding in findings},
        )
