"""`dagster dev` whose web server stands behind the guard: `python -m arcana_pipelines.defs.dev`, for `arcana up`.

`dagster dev` starts `python -m dagster_webserver` itself; it is made to start our module instead. That is private to
Dagster, so `arcana up` asks the server whether the guard is there before it says where the UI is.
"""

from __future__ import annotations

from typing import Any

from arcana_pipelines.defs import webserver

_LAUNCH = "open_ipc_subprocess"


def main() -> None:
    """Run `dagster dev` with this process's arguments."""
    from dagster._cli import dev

    launch = getattr(dev, _LAUNCH)

    def launch_guarded(parts: list[str], *arguments: Any, **options: Any) -> Any:
        guarded = [webserver.__name__ if part == "dagster_webserver" else part for part in parts]
        return launch(guarded, *arguments, **options)

    setattr(dev, _LAUNCH, launch_guarded)
    dev.dev_command()


if __name__ == "__main__":
    main()
