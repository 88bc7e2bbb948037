"""The one partition dimension: a workspace's slug. The `workspace` table is the truth, Dagster mirrors it."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from arcana_pipelines.defs.runs import WORKSPACE_TAG

# Dagster keeps the keys of a dynamic partitions definition by its name alone, for all code of an instance.
workspaces = dg.DynamicPartitionsDefinition(name="arcana_workspace")


def partitioned(config: Mapping[str, object] | None = None) -> dg.PartitionedConfig[dg.DynamicPartitionsDefinition]:
    """Run configuration for any partition, with the tag that makes its run one of ours."""
    return dg.PartitionedConfig(
        workspaces,
        run_config_for_partition_key_fn=lambda slug: config or {},
        tags_for_partition_key_fn=lambda slug: {WORKSPACE_TAG: slug},
    )


def add(instance: dg.DagsterInstance, slug: str) -> None:
    """Make the workspace's partition."""
    instance.add_dynamic_partitions(str(workspaces.name), [slug])


def remove(instance: dg.DagsterInstance, slug: str) -> None:
    """Drop the workspace's partition (Dagster keeps its history)."""
    if instance.has_dynamic_partition(str(workspaces.name), slug):
        instance.delete_dynamic_partition(str(workspaces.name), slug)
