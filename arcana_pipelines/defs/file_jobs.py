"""The job that has files read once more, for the UI; `arcana file retry` does the same on the command line.

No postponed annotations here: Dagster reads the types of `config` and resources at run time.
"""

import dagster as dg

from arcana_pipelines.defs.config import ParseConfig
from arcana_pipelines.defs.jobs import PARSE_JOB, tags_of
from arcana_pipelines.defs.partitions import partitioned
from arcana_pipelines.defs.resources import ArcanaResource
from arcana_pipelines.ledger import files


@dg.op
def forget_readings(context: dg.OpExecutionContext, config: ParseConfig, arcana: ArcanaResource) -> None:
    """Forget what was read of files; the sensor `source_changes` asks for the sync that reads them."""
    session = arcana.session(context)
    due = files.read_again(session.connection, session.workspace.workspace_id, kind=config.kind, parser=config.parser)
    context.log.info(f"{due} files are to be read once more.")


@dg.job(
    config=partitioned(),
    tags=tags_of(PARSE_JOB),
    executor_def=dg.in_process_executor,
    description="Have files read once more: those of a kind, those that a parser has read, or, with neither, those in "
    "quarantine. What is searched of them stays until the next sync has read them, which the sensor asks for.",
)
def parse_files() -> None:
    """One op."""
    forget_readings()


FILE_JOBS = [parse_files]
