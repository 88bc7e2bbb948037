"""Components of Dagster: Arcana in a project that writes YAML and no Python.

https://docs.dagster.io/guides/build/components
"""

from arcana_pipelines.components.workspaces import ArcanaWorkspaces

__all__ = ["ArcanaWorkspaces"]
