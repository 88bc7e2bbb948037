"""What Dagster loads."""

from arcana_pipelines.defs.build import build_defs

defs = build_defs()
