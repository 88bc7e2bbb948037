"""The one partition dimension: a workspace's slug. The `workspace` table is the truth, Dagster mirrors it."""

from __future__ import annotations

import dagster as dg

workspaces = dg.DynamicPartitionsDefinition(name="workspace")


def add(instance: dg.DagsterInstance, slug: str) -> None:
    """Make the workspace's partition."""
    instance.add_dynamic_partitions(str(workspaces.name), [slug])


def remove(instance: dg.DagsterInstance, slug: str) -> None:
    """Drop the workspace's partition (Dagster keeps its history)."""
    if instance.has_dynamic_partition(str(workspaces.name), slug):
        instance.delete_dynamic_partition(str(workspaces.name), slug)
