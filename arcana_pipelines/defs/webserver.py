"""Dagster's web server behind the guard: `python -m arcana_pipelines.defs.webserver`, with the options of
`dagster-webserver`.

It answers below `/dagster`, too, as with `--path-prefix /dagster`: there `arcana serve` has it behind its log-in. The
names below are private to Dagster: where one is gone, nothing is served.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from inspect import signature
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from arcana_pipelines.errors import ArcanaError, InvalidSetting
from arcana_pipelines.settings import load_ui_settings
from arcana_pipelines.ui.address import PREFIX, is_of_ui
from arcana_pipelines.ui.guard import Guard

_MAKE = "create_app_from_workspace_process_context"


class WithPrefix:
    """An ASGI application, and the same below the prefix, which is made when it is first asked for."""

    def __init__(self, app: ASGIApp, below: Callable[[], ASGIApp]) -> None:
        self._app, self._make = app, below
        self._below: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `WithPrefix`."""
        app = self._app
        if scope["type"] != "lifespan" and is_of_ui(scope["path"]):
            app = self._below = self._below or self._make()
        await app(scope, receive, send)


def main() -> None:
    """Serve the UI.

    Raises:
        InvalidSetting: DAGSTER_HOME is not set: Dagster would show an instance of its own, without a run, as if all was
            well.
        ArcanaError: this release of Dagster makes its application elsewhere.
    """
    if not os.environ.get("DAGSTER_HOME"):
        raise InvalidSetting(
            "DAGSTER_HOME is not set, so Dagster would show an empty instance and not this installation's: "
            'docs/operating.md, under "Dagster by hand", has what to set. `arcana up` needs nothing of it.'
        )
    from dagster_webserver import cli

    make = getattr(cli, _MAKE, None)
    if make is None:
        raise ArcanaError("This release of Dagster cannot be guarded: install one that pyproject.toml allows.")
    hosts = load_ui_settings().ui_hosts

    def guarded(*arguments: Any, **options: Any) -> ASGIApp:
        app = make(*arguments, **options)
        given = signature(make).bind(*arguments, **options)
        if given.arguments.get("path_prefix"):  # who chose one has it, and no other
            return Guard(app, hosts)
        given.arguments["path_prefix"] = PREFIX
        return Guard(WithPrefix(app, lambda: make(*given.args, **given.kwargs)), hosts)

    setattr(cli, _MAKE, guarded)
    cli.main()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    try:
        main()
    except ArcanaError as error:
        sys.exit(str(error))
