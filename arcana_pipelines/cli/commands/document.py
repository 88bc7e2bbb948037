"""`arcana document`: one document, whole."""

from __future__ import annotations

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.one_workspace import WorkspaceCommand
from arcana_pipelines.cli.output import json_option, print_json, printable, say
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.retrieval.limits import check_text
from arcana_pipelines.retrieval.searcher import workspace_named
from arcana_pipelines.retrieval.whole_document import find_document


@click.command(name="document", cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("document")
@click.option("--index", default=DEFAULT_INDEX, show_default=True, help="Which of the workspace's indexes.")
@json_option
def command(slug: str, document: str, index: str, as_json: bool) -> None:
    """Print a whole document, in the version that the index serves.

    DOCUMENT is the id that a hit has (document_id or external_id), an address from Notion, or an exact title.
    """
    check_text("The workspace's name", slug)
    database = open_database()
    database.only_searches = True
    require_current(database)
    with database.connection() as connection:
        found = find_document(connection, workspace_named(connection, slug), document, index)
    if as_json:
        print_json(found.to_dict())
        return
    edited = f", edited {found.last_edited_at[:10]}" if found.last_edited_at else ""
    say("[bold]{}[/bold]  [dim]version {}{}[/dim]", found.title, found.version, edited)
    if found.url:
        say("[blue]{}[/blue]", found.url)
    for name, held in found.properties.items():
        if held:
            say("[dim]{}:[/dim] {}", name, held)
    click.echo()
    click.echo(printable(found.text))
