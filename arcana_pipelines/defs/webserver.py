"""Dagster's web server behind the guard: `python -m arcana_pipelines.defs.webserver`, with the options of
`dagster-webserver`.

The names below are private to Dagster: where one is gone, nothing is served.
"""

from __future__ import annotations

from typing import Any

from starlette.types import ASGIApp

from arcana_pipelines.defs.guard import Guard
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.settings import load_ui_settings

_MAKE = "create_app_from_workspace_process_context"


def main() -> None:
    """Serve the UI.

    Raises:
        ArcanaError: this release of Dagster makes its application elsewhere.
    """
    from dagster_webserver import cli

    make = getattr(cli, _MAKE, None)
    if make is None:
        raise ArcanaError("This release of Dagster cannot be guarded: install one that pyproject.toml allows.")
    hosts = load_ui_settings().ui_hosts

    def guarded(*arguments: Any, **options: Any) -> ASGIApp:
        return Guard(make(*arguments, **options), hosts)

    setattr(cli, _MAKE, guarded)
    cli.main()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
