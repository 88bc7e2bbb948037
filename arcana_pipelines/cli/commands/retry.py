"""`arcana retry`: read pages again that could not be read."""

from __future__ import annotations

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.database_changes import upgrade
from arcana_pipelines.cli.one_workspace import WorkspaceCommand
from arcana_pipelines.cli.output import json_option
from arcana_pipelines.cli.reports import show
from arcana_pipelines.cli.runs import run_sync
from arcana_pipelines.ledger import pages
from arcana_pipelines.retrieval.places import find_place
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.workspaces import workspaces


@click.command(name="retry", cls=WorkspaceCommand)
@click.argument("slug")
@click.option(
    "--page",
    metavar="PAGE",
    help="Only this page (an id, an address from Notion, or a title), whatever its state.",
)
@json_option
@click.pass_context
def command(context: click.Context, slug: str, page: str | None, as_json: bool) -> None:
    """Sync a workspace and take up what waits in quarantine, without waiting for its time.

    Meanwhile the old version of each page stays searchable. `arcana status SLUG` shows what waits and why.
    """
    database = open_database()
    upgrade(database)
    wanted = None
    if page:
        with database.connection() as connection:
            workspace_id = workspaces.find(connection, slug).workspace_id
            wanted = find_place(connection, workspace_id, page).external_id
            pages.require_page(connection, workspace_id, wanted)
    ran = run_sync(database, slug, Mode.INCREMENTAL, as_json=as_json, purpose="retry", page=wanted)
    show(context, ran, as_json)
