"""`arcana mcp`: searches and documents for an assistant that starts this command."""

from __future__ import annotations

import signal

import click

from arcana_pipelines import plugins
from arcana_pipelines.cli.database import open_database
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.retrieval.near import listed
from arcana_pipelines.retrieval.workspace_named import workspace_named
from arcana_pipelines.workspaces import workspaces


@click.command(name="mcp")
@click.argument("slugs", nargs=-1, metavar="[SLUG]...")
def command(slugs: tuple[str, ...]) -> None:
    """Serve searches and documents to an assistant over MCP, on standard input and output.

    An assistant's configuration names this command, with the workspaces that may be searched; without any, the only
    one there is. Nothing can be changed through it. docs/serving.md has the configuration of several assistants.
    """
    with plugins.optional("`arcana mcp`", "serve"):
        from arcana_pipelines.mcp.reach import Reach
        from arcana_pipelines.mcp.server import make_server

    database = open_database()
    database.only_searches = True
    require_current(database)
    reach = Reach.of(_known(database, slugs))
    click.echo(f"Serving {listed(reach.search)} over MCP, until standard input ends.", err=True)
    # The thread that waits for a line cannot be interrupted, and there is nothing to write down.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    make_server(database, lambda _: reach).run("stdio")


def _known(database: Database, slugs: tuple[str, ...]) -> list[str]:
    """The workspaces that are meant.

    Raises:
        WrongUse: one is not there; or none is named, and there is not one alone.
    """
    with database.connection() as connection:
        if slugs:
            for slug in slugs:
                workspace_named(connection, slug)
            return list(dict.fromkeys(slugs))
        known = workspaces.slugs(connection)
    if not known:
        raise WrongUse("There is no workspace yet: `arcana workspace add` registers one.")
    if len(known) > 1:
        raise WrongUse(f"Which workspaces may be searched? Name them: arcana mcp {' '.join(known[:20])}")
    return known
