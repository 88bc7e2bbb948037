"""Jobs that change which build of an index serves, for the UI; `arcana index` does the same on the command line.

No postponed annotations here: Dagster reads the types of `config` and resources at run time.
"""

import dagster as dg

from arcana_pipelines.defs.config import IndexConfig, RebuildConfig
from arcana_pipelines.defs.jobs import PROMOTE_JOB, REBUILD_JOB, ROLLBACK_JOB, tags_of
from arcana_pipelines.defs.partitions import partitioned
from arcana_pipelines.defs.resources import ArcanaResource
from arcana_pipelines.indexes import lifecycle


@dg.op
def begin_build(context: dg.OpExecutionContext, config: RebuildConfig, arcana: ArcanaResource) -> None:
    """Make the new build; the sensor `index_builds` has it filled."""
    session = arcana.session(context)
    build = lifecycle.rebuild_index(
        session.connection, session.workspace.workspace_id, config.index, config.changed, config.promote
    )
    context.log.info(f"Build {build.rag_index_build_id} of the index '{config.index}' is to be filled.")


@dg.op
def switch_to_waiting_build(context: dg.OpExecutionContext, config: IndexConfig, arcana: ArcanaResource) -> None:
    """Verify the build that waits and let it serve."""
    session = arcana.session(context)
    build = lifecycle.promote(session.connection, session.workspace.workspace_id, config.index, session.gate)
    context.log.info(f"Build {build.rag_index_build_id} serves the index '{config.index}'.")


@dg.op
def switch_to_previous_build(context: dg.OpExecutionContext, config: IndexConfig, arcana: ArcanaResource) -> None:
    """Let the build serve that served before."""
    session = arcana.session(context)
    build = lifecycle.roll_back(session.connection, session.workspace.workspace_id, config.index)
    context.log.info(f"Build {build.rag_index_build_id} serves the index '{config.index}' again.")


@dg.job(
    config=partitioned(),
    tags=tags_of(REBUILD_JOB),
    executor_def=dg.in_process_executor,
    description="Rebuild an index beside the serving one, with other settings or the same. It is filled by a "
    "backfill that the sensor `index_builds` asks for.",
)
def rebuild_index() -> None:
    """One op."""
    begin_build()


@dg.job(
    config=partitioned(),
    tags=tags_of(PROMOTE_JOB),
    executor_def=dg.in_process_executor,
    description="Verify the build that waits and let it serve, in one transaction.",
)
def promote_index() -> None:
    """One op."""
    switch_to_waiting_build()


@dg.job(
    config=partitioned(),
    tags=tags_of(ROLLBACK_JOB),
    executor_def=dg.in_process_executor,
    description="Let the build serve again that served before, in one transaction.",
)
def rollback_index() -> None:
    """One op."""
    switch_to_previous_build()


INDEX_JOBS = [rebuild_index, promote_index, rollback_index]
