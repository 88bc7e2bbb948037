"""Jobs that change which build of an index serves, for the UI; `arcana index` does the same on the command line.

No postponed annotations here: Dagster reads the types of `config` and resources at run time.
"""

from typing import Literal

import dagster as dg

from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.defs.resources import ArcanaResource
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.pipeline import indexes


class IndexConfig(dg.Config):
    """Which index."""

    index: str = "default"


class RebuildConfig(IndexConfig):
    """Which index, and what is to be otherwise in the new build (empty or 0: as in the serving one)."""

    embedding_model: str = ""
    dimensions: int = 0
    chunk_tokens: int = 0
    overlap_tokens: int = -1
    ann: Literal["", "auto", "none", "hnsw", "ivfflat"] = ""
    promote: bool = False
    """Let the new build serve as soon as it is verified."""

    def changed(self, settings: IndexSettings) -> IndexSettings:
        """The settings of the new build."""
        return indexes.changed_settings(
            settings,
            self.embedding_model or None,
            self.dimensions or None,
            self.chunk_tokens or None,
            None if self.overlap_tokens < 0 else self.overlap_tokens,
            self.ann or None,
        )


@dg.op
def begin_build(context: dg.OpExecutionContext, config: RebuildConfig, arcana: ArcanaResource) -> None:
    """Make the new build; the sensor `index_builds` has it filled."""
    session = arcana.session(context.partition_key)
    build = indexes.rebuild_index(
        session.connection, session.workspace.workspace_id, config.index, config.changed, config.promote
    )
    session.connection.commit()
    context.log.info(f"Build {build.rag_index_build_id} of the index '{config.index}' is to be filled.")


@dg.op
def switch_to_waiting_build(context: dg.OpExecutionContext, config: IndexConfig, arcana: ArcanaResource) -> None:
    """Verify the build that waits and let it serve."""
    session = arcana.session(context.partition_key)
    build = indexes.promote(session.connection, session.workspace.workspace_id, config.index, session.gate)
    context.log.info(f"Build {build.rag_index_build_id} serves the index '{config.index}'.")


@dg.op
def switch_to_previous_build(context: dg.OpExecutionContext, config: IndexConfig, arcana: ArcanaResource) -> None:
    """Let the build serve that served before."""
    session = arcana.session(context.partition_key)
    build = indexes.roll_back(session.connection, session.workspace.workspace_id, config.index)
    context.log.info(f"Build {build.rag_index_build_id} serves the index '{config.index}' again.")


@dg.job(
    partitions_def=workspaces,
    executor_def=dg.in_process_executor,
    description="Make an index anew beside the serving one, with other settings or the same. It is filled by a "
    "backfill that the sensor `index_builds` asks for.",
)
def rebuild_index() -> None:
    """One op."""
    begin_build()


@dg.job(
    partitions_def=workspaces,
    executor_def=dg.in_process_executor,
    description="Verify the build that waits and let it serve, in one transaction.",
)
def promote_index() -> None:
    """One op."""
    switch_to_waiting_build()


@dg.job(
    partitions_def=workspaces,
    executor_def=dg.in_process_executor,
    description="Let the build serve again that served before, in one transaction.",
)
def rollback_index() -> None:
    """One op."""
    switch_to_previous_build()


INDEX_JOBS = [rebuild_index, promote_index, rollback_index]
