"""`arcana seed`: made-up workspaces, to try how an installation does with many of them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.database_changes import upgrade
from arcana_pipelines.cli.output import json_option, print_json, say
from arcana_pipelines.cli.reports import INCOMPLETE
from arcana_pipelines.cli.runs import run_sync
from arcana_pipelines.demo.made_up_export import write_export
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.home import make_home
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.workspaces import Workspace

_SLUG = "seed-{:04}"
_PLATFORM = "notion_export"


@click.command(name="seed")
@click.option("--workspaces", "count", type=click.IntRange(1, 9999), default=3, show_default=True, metavar="N")
@click.option("--pages", type=click.IntRange(1, 100_000), default=50, show_default=True, metavar="M",
              help="In each workspace; a fifth of them are rows of a database.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Another number makes other pages.")
@click.option("--no-sync", is_flag=True, help="Leave the syncing to Dagster, or to `arcana sync`.")
@click.option("--yes", is_flag=True, help="Also where there are workspaces that are not made up.")
@json_option
@click.pass_context
def command(context: click.Context, count: int, pages: int, seed: int, no_sync: bool, yes: bool, as_json: bool) -> None:
    """Make workspaces with made-up pages, in English and Korean, and index them: for tests of load.

    They are exports of Notion in ARCANA_HOME/seed, named seed-0001 and so on, and are synced, searched and removed as
    any other. The same numbers make the same pages; called again with others, they become those.
    """
    database = open_database(may_create=True)
    upgrade(database)
    folder = database.settings.home / "seed"
    with database.connection() as connection:
        known = {each.slug: each for each in workspaces.list_all(connection)}
    others = sorted(slug for slug, each in known.items() if not _is_made_up(each, folder))
    if others and not yes:
        raise WrongUse(
            f"This installation has workspaces that are not made up ({', '.join(others[:5])}"
            f"{' …' if len(others) > 5 else ''}). Set ARCANA_HOME to another folder, or give --yes."
        )
    slugs = [_SLUG.format(number) for number in range(1, count + 1)]
    if taken := sorted(set(slugs).intersection(others)):
        raise WrongUse(f"'{taken[0]}' is a workspace that `arcana seed` has not made.")
    from arcana_pipelines.defs.registration import register

    make_home(database.settings.home)
    started = time.monotonic()
    told: list[dict[str, Any]] = []
    for slug in slugs:
        write_export(folder / slug, pages, f"{seed} {slug}")
        if slug not in known:
            register(
                database, slug, _PLATFORM, {"path": str(folder / slug)}, name=f"Made up {slug.removeprefix('seed-')}"
            )
        if no_sync:
            told.append({"workspace": slug})
            continue
        ran = run_sync(database, slug, Mode.INCREMENTAL, as_json=as_json)
        chunks = ran.report.chunks.published
        told.append(
            {"workspace": slug, "chunks": chunks, "seconds": ran.seconds, "is_incomplete": ran.report.is_incomplete}
        )
        if not as_json:
            say("{}: {} chunks in {} s", slug, chunks, f"{ran.seconds:.1f}")
    seconds = round(time.monotonic() - started, 1)
    if as_json:
        print_json({"pages": pages, "seed": seed, "seconds": seconds, "workspaces": told})
    else:
        template = "{0} workspaces of {1} pages in {2} s. To try one: "
        template += "arcana sync {3}, then arcana search {3} backup" if no_sync else "arcana search {3} backup"
        say(template, count, pages, seconds, slugs[0])
    context.exit(INCOMPLETE if any(each.get("is_incomplete") for each in told) else 0)


def _is_made_up(workspace: Workspace, folder: Path) -> bool:
    path = workspace.source_config.get("path")
    return workspace.platform == _PLATFORM and isinstance(path, str) and Path(path).parent == folder
