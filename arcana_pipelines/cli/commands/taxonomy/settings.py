"""`arcana taxonomy set`: how a workspace uses its taxonomy."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import click

from arcana_pipelines.cli.commands.taxonomy.opening import opened
from arcana_pipelines.cli.one_workspace import WorkspaceCommand
from arcana_pipelines.cli.output import json_option, print_json, printable, say
from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.retrieval.near import listed, nearest
from arcana_pipelines.taxonomy.labels import read_path, spell_path
from arcana_pipelines.taxonomy.settings import change_settings


@click.command(name="set", cls=WorkspaceCommand)
@click.argument("slug")
@click.option("--default-path", metavar="PATH", help="The topic of documents whose own is unknown; a person is asked.")
@click.option("--no-default-path", is_flag=True, help="Unknown paths are only noted.")
@click.option(
    "--topic-property", "properties", metavar="NAME", multiple=True,
    help="A property whose values are paths of topics. May be given several times; those of before are replaced.",
)  # fmt: skip
@click.option("--no-topic-property", is_flag=True, help="No property brings topics.")
@click.option("--accept-at", type=click.FloatRange(0, 1), help="From this confidence on what is found is assigned.")
@click.option("--suggest-at", type=click.FloatRange(0, 1), help="From this confidence on a person is asked.")
@json_option
def set_(
    slug: str, default_path: str | None, no_default_path: bool, properties: tuple[str, ...], no_topic_property: bool,
    accept_at: float | None, suggest_at: float | None, as_json: bool,
) -> None:  # fmt: skip
    """Change how a workspace uses its taxonomy; without an option, show it. The next sync follows it.

    \b
    arcana taxonomy set handbook --topic-property Topic --topic-property 주제
    arcana taxonomy set handbook --default-path Unsorted --accept-at 0.95
    """
    if (default_path and no_default_path) or (properties and no_topic_property):
        raise WrongUse("Give the one or the other: something is named, or there is nothing of the kind.")
    with opened(slug, writes=True) as (connection, workspace_id):
        settings = change_settings(
            connection,
            workspace_id,
            default_path=read_path(default_path) if default_path is not None else None,
            without_default=no_default_path,
            topic_properties=[] if no_topic_property else properties or None,
            accept_at=accept_at,
            suggest_at=suggest_at,
        )
        unmet = _unmet(connection, workspace_id, properties)
    for name, near in unmet.items():
        said = f"No document has a property '{name}' yet."
        click.echo(printable(f"{said} Near it: {listed(near)}." if near else said), err=True)
    if as_json:
        print_json({"workspace": slug, **settings.as_dict()})
        return
    path = "are noted" if settings.default_path is None else f"become {spell_path(settings.default_path)}"
    say("Unknown paths {}.", path)
    say("Properties that bring topics: {}.", ", ".join(settings.topic_properties) or "none")
    said = "Assigned from confidence {} on; from {} on a person is asked."
    say(said, f"{settings.accept_at:g}", f"{settings.suggest_at:g}")


def _unmet(connection: Connection, workspace_id: UUID, names: Sequence[str]) -> dict[str, list[str]]:
    """Those of the names that no document has a property of, each with names that are near it."""
    if not names:
        return {}
    there = query.scalars(
        connection, "SELECT DISTINCT name FROM document_property WHERE workspace_id = %s ORDER BY name", [workspace_id]
    )
    return {name: nearest(name, there) for name in names if name not in there}
