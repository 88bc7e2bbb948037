"""`arcana document`: one document, whole; and what two documents are to each other, said by hand."""

from __future__ import annotations

from typing import get_args
from uuid import UUID

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.database_changes import upgrade
from arcana_pipelines.cli.one_workspace import WorkspaceCommand
from arcana_pipelines.cli.output import console, json_option, print_json, printable, say
from arcana_pipelines.cli.passage_lines import heading_lines
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.documents.relations import RelationType, relate, unrelate
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.markdown.inline import readable
from arcana_pipelines.retrieval.hit_files import where_in_words
from arcana_pipelines.retrieval.limits import check_text
from arcana_pipelines.retrieval.whole_document import find_document, find_document_id
from arcana_pipelines.retrieval.workspace_named import workspace_named
from arcana_pipelines.taxonomy.given import topics_of
from arcana_pipelines.taxonomy.labels import spell_path

_TYPES = click.Choice(get_args(RelationType))


class _ShowsADocument(click.Group):
    """What is no command of it is what `show` is asked for."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See `click.Group.parse_args`."""
        is_known = bool(args) and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if is_known else ["show", *args])


@click.group(name="document", cls=_ShowsADocument)
def command() -> None:
    """Print a whole document, in the version that the index serves; relate two by hand.

    `arcana document [SLUG] DOCUMENT` is short for `arcana document show [SLUG] DOCUMENT`.
    """


@command.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("document")
@click.option("--index", default=DEFAULT_INDEX, show_default=True, help="Which of the workspace's indexes.")
@json_option
def show(slug: str, document: str, index: str, as_json: bool) -> None:
    """Print a whole document, in the version that the index serves.

    DOCUMENT is the id that a hit has (document_id or external_id), an address from Notion, or an exact title. What it
    is about stands above its text, where the workspace has a taxonomy.
    """
    check_text("The workspace's name", slug)
    database = open_database()
    database.only_searches = True
    require_current(database)
    with database.connection() as connection:
        workspace_id = workspace_named(connection, slug)
        found = find_document(connection, workspace_id, document, index)
        document_id = UUID(found.document_id)
        topics = topics_of(connection, workspace_id, [document_id])[document_id]
    from rich.text import Text

    if as_json:
        told = [
            {"path": spell_path(each.path), "origin": each.origin, "hitl_required": each.hitl_required}
            for each in topics
        ]
        print_json({**found.to_dict(), "topics": told})
        return
    # The only version there is says nothing.
    facts = [f"version {found.version}"] if found.version > 1 else []
    facts += [f"edited {found.last_edited_at[:10]}"] if found.last_edited_at else []
    out = console()
    title = Text(printable(found.title), "bold")
    for line in heading_lines(out, title, Text(", ".join(facts), "dim")):
        out.print(line)
    if found.file:
        say("[dim]{}[/dim]", where_in_words(found.file))
    if found.url:
        say("[blue]{}[/blue]", found.url)
    for name, held in found.properties.items():
        if held:
            say("[dim]{}:[/dim] {}", name, held)
    if topics:
        waits = {True: " (waits for a person)", False: ""}
        named = ", ".join(f"{spell_path(each.path)}{waits[each.hitl_required]}" for each in topics)
        say("[dim]topics:[/dim] {}", named)
    click.echo()
    click.echo(printable(readable(found.text)))


@command.command(name="relate", cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("base")
@click.argument("related")
@click.option("--type", "relation_type", type=_TYPES, required=True, help="What RELATED is of BASE.")
@json_option
def relate_(slug: str, base: str, related: str, relation_type: RelationType, as_json: bool) -> None:
    """Say that RELATED is the summary, the translation … of BASE.

    Both are named as in `arcana document`. Syncs leave it alone; `arcana document unrelate` takes it back.

    \b
    arcana document relate handbook "Vacation policy" "휴가 규정" --type translation
    """
    database = open_database()
    upgrade(database)
    with database.connection() as connection:
        workspace_id, base_id, related_id = _pair(connection, slug, base, related)
        is_new = relate(connection, workspace_id, base_id, related_id, relation_type)
    if as_json:
        print_json({"base": str(base_id), "related": str(related_id), "type": relation_type, "is_new": is_new})
    else:
        said = "'{}' is now of '{}': {}." if is_new else "'{}' was of '{}' already: {}."
        say(said, related, base, relation_type)


@command.command(name="unrelate", cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("base")
@click.argument("related")
@click.option("--type", "relation_type", type=_TYPES, help="What RELATED is of BASE no more; without it: anything.")
@json_option
def unrelate_(slug: str, base: str, related: str, relation_type: RelationType | None, as_json: bool) -> None:
    """Take back what `arcana document relate` has said.

    What a sync has found is the source's, and is changed there.
    """
    database = open_database()
    upgrade(database)
    with database.connection() as connection:
        workspace_id, base_id, related_id = _pair(connection, slug, base, related)
        types = unrelate(connection, workspace_id, base_id, related_id, relation_type)
    if as_json:
        print_json({"base": str(base_id), "related": str(related_id), "types": types})
    else:
        say("'{}' is of '{}' no more: {}.", related, base, ", ".join(types))


def _pair(connection: Connection, slug: str, base: str, related: str) -> tuple[UUID, UUID, UUID]:
    """The workspace, and the two documents in it."""
    check_text("The workspace's name", slug)
    workspace_id = workspace_named(connection, slug)
    return (
        workspace_id,
        find_document_id(connection, workspace_id, base),
        find_document_id(connection, workspace_id, related),
    )
