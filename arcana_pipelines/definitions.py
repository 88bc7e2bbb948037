"""What Dagster loads where Arcana is a code location of its own."""

import dagster as dg

from arcana_pipelines.defs.build import build_defs
from arcana_pipelines.observing import logs, traces

# Materialize in the UI runs no job of ours and takes the location's executor: all assets in one process, not one each.
defs = dg.Definitions.merge(build_defs(), dg.Definitions(executor=dg.in_process_executor))

# Of processes that Dagster starts: code servers and runs.
logs.configure_ours()
traces.start_if_asked("dagster")
