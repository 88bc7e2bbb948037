"""The sensor that makes and keeps workspaces as a project's YAML declares them.

Loading definitions touches no database, so that a code location loads while its database is away; what is declared is
met in a tick instead. Nothing is kept between ticks: each compares the declarations with the rows.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import dagster as dg

from arcana_pipelines.defs import partitions
from arcana_pipelines.defs.ticks import NO_SCHEMA, tick_database
from arcana_pipelines.pipeline.declared import DeclaredWorkspace, meet, undeclared

# After so long the rest waits for the next tick: one that outlives 60 s is cut off by Dagster.
TICK_SECONDS = 15.0


def declaration_sensor(project: str, declared: Sequence[DeclaredWorkspace]) -> dg.SensorDefinition:
    """The sensor of one project's declarations. `project` is noted beside each workspace that it declares."""

    @dg.sensor(
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Registers the workspaces that YAML declares, changes their names and sources, and tells what it "
        "does not change: settings of an index, what others declared, and what is no longer declared.",
    )
    def workspace_declarations(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        """Asks for no run: `workspace_registry` does, for each workspace that it finds new."""
        with tick_database() as database:
            if database is None:
                return dg.SkipReason(NO_SCHEMA)
            started, met = time.monotonic(), []
            for workspace in declared:
                if time.monotonic() - started > TICK_SECONDS:
                    break
                met.append(
                    meet(
                        database,
                        project,
                        workspace,
                        lambda slug: partitions.add(context.instance, slug),
                        lambda slug: partitions.remove(context.instance, slug),
                    )
                )
            with database.connection() as connection:
                gone = undeclared(connection, project, {workspace.slug for workspace in declared})
        said = [
            *(each.done for each in met if each.done),
            *(each.left for each in met if each.left),
            *(
                f"'{slug}' is no longer declared. It is kept; `arcana workspace remove {slug}` removes it."
                for slug in gone
            ),
        ]
        if len(met) < len(declared):
            said.append(f"{len(declared) - len(met)} more have their turn at the next tick.")
        for each in met:
            if each.done:
                context.log.info(each.done)
        return dg.SkipReason(" ".join(said) or f"{len(declared)} workspaces, all as declared.")

    return workspace_declarations
