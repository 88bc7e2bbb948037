"""Arcana: the command `arcana sync`, with Dagster around the five stages; the seconds are those it reports itself."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

from contestant import report, task
from with_arcana import SLUG, configure

from arcana_pipelines.cli.main import main as command_line


def arcana(*arguments: str) -> dict[str, Any]:
    """What one command prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            command_line([*arguments, "--json"])
        except SystemExit as ended:
            if ended.code:
                raise
    said: dict[str, Any] = json.loads(printed.getvalue())
    return said


def main() -> None:
    """Sync once."""
    given = task()
    configure(given)
    if given.phase == "cold":
        arcana("workspace", "add", SLUG, "--source", "notion")
    said = arcana("sync", SLUG)
    report(said["seconds"], said["embeddings"]["computed"])


if __name__ == "__main__":
    main()
