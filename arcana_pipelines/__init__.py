"""Arcana Pipelines keeps a complete, versioned search index of a company's Notion in PostgreSQL."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from arcana_pipelines.components import ArcanaWorkspaces

__version__ = "0.1.0"
__all__ = ["ArcanaWorkspaces", "__version__"]


def __getattr__(name: str) -> Any:
    """The component for Dagster, imported when it is asked for: everything else goes without Dagster."""
    if name != "ArcanaWorkspaces":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from arcana_pipelines.components import ArcanaWorkspaces

    return ArcanaWorkspaces


def __dir__() -> list[str]:
    """With the component: `dg` finds it by this list."""
    return sorted({*globals(), *__all__})
