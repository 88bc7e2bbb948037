"""`arcana taxonomy import` and `export`: from files and Notion to a draft, and from a version to a file."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from uuid import UUID

import click

from arcana_pipelines.cli.commands.taxonomy.opening import (
    counted_changes,
    named,
    opened,
    spelled,
    version_meant,
)
from arcana_pipelines.cli.one_workspace import WorkspaceCommand
from arcana_pipelines.cli.output import json_option, print_json, printable, say, so_many
from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.operations.export import made_whole
from arcana_pipelines.retrieval.places import find_living_page
from arcana_pipelines.taxonomy.exchange.formats import FORMATS, read_file, written
from arcana_pipelines.taxonomy.exchange.notion import read_database, read_pages
from arcana_pipelines.taxonomy.exchange.rows import Imported
from arcana_pipelines.taxonomy.exchange.rows import named as first_of
from arcana_pipelines.taxonomy.reports import DraftReport
from arcana_pipelines.taxonomy.stored_versions import nodes_of
from arcana_pipelines.taxonomy.versions import store_draft

_FILE = click.Path(path_type=Path)
_ONE = "Say what to read: a file, --from-page PAGE or --from-database TITLE, and one of them."
_BY_END = {".csv": "csv", ".json": "json", ".ttl": "skos"}


@click.command(name="import", cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--from-page", metavar="PAGE", help="The pages below this one: an id, an address, or a title.")
@click.option("--from-database", metavar="TITLE", help="The rows of this database: an id, an address, or a title.")
@click.option("--parent", metavar="NAME", help="The relation of the database that names the row above.")
@click.option("--language", metavar="TAG", help="Of SKOS: whose labels the paths are made of (ko, en, …).")
@click.option("--version", metavar="VERSION", help="What the draft is called. Default: the next number.")
@click.option("--note", metavar="TEXT", help="Why there is another version, for people.")
@json_option
def import_(
    slug: str, file: Path | None, from_page: str | None, from_database: str | None, parent: str | None,
    language: str | None, version: str | None, note: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Make a draft of what a file, or pages in Notion, say.

    FILE ends in .csv, .tsv, .json, .jsonl, .ttl (SKOS) or .txt (a path a line). Nothing that is searched changes: the
    draft is compared with the active version, and `arcana taxonomy promote` makes it the active one. A node is the same
    as before by its id, its external_ref (for pages of Notion that is the page), or its path. Pages are read as the
    last sync left them.

    \b
    arcana taxonomy import handbook topics.csv
    arcana taxonomy import handbook --from-database Topics --note "after the reorganisation"
    """
    if sum(each is not None for each in (file, from_page, from_database)) != 1:
        raise WrongUse(_ONE)
    if parent is not None and from_database is None:
        raise WrongUse("--parent is a relation of --from-database.")
    imported = read_file(file, language) if file is not None else None
    with opened(slug, writes=True) as (connection, workspace_id):
        if imported is None:
            imported = _from_notion(connection, workspace_id, from_page, from_database, parent)
        report = store_draft(connection, workspace_id, imported.nodes, version, imported.source, note)
    if as_json:
        print_json({
            "workspace": slug,
            **asdict(report),
            "missing": [{"node_id": str(node.node_id), "path": spelled(node.path)} for node in report.missing],
            "source": imported.source,
            "remarks": list(imported.remarks),
        })  # fmt: skip
    else:
        _say_draft(slug, imported, report)


@click.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("file", required=False, type=_FILE)
@click.option("--format", "kind", type=click.Choice(FORMATS), help="Default: as FILE ends (.csv, .json, .ttl); csv.")
@click.option("--version", metavar="VERSION", help="Default: the active one.")
@click.option("--force", is_flag=True, help="Overwrite the file if it is there.")
@json_option
def export(slug: str, file: Path | None, kind: str | None, version: str | None, force: bool, as_json: bool) -> None:
    """Write a version into a file, or without FILE to standard output. An import of it changes nothing.

    \b
    arcana taxonomy export handbook topics.csv
    arcana taxonomy export handbook --format skos > topics.ttl
    """
    if as_json and file is None:
        raise WrongUse("With --json name a file: the output is what was written.")
    kind = kind or _BY_END.get(file.suffix.lower() if file is not None else ".csv")
    if kind is None:
        raise WrongUse("Say with --format what to write: the file's name does not end in .csv, .json or .ttl.")
    with opened(slug) as (connection, workspace_id):
        version = version_meant(connection, workspace_id, version)
        nodes = nodes_of(connection, workspace_id, version)
    text = written(kind, nodes, slug, version)
    if file is None:
        click.echo(printable(text) if sys.stdout.isatty() else text, nl=False)
        return
    # Excel takes a CSV without the mark for one in the machine's code page.
    data = text.encode("utf-8-sig" if kind == "csv" else "utf-8")
    with made_whole(file, force) as beside:
        beside.write_bytes(data)
    if as_json:
        about = {"workspace": slug, "version": version, "format": kind, "file": str(file)}
        print_json({**about, "nodes": len(nodes), "bytes": len(data)})
    else:
        say("Wrote {} of version {} of '{}' into {}", so_many(len(nodes), "topic"), version, slug, file)


def _from_notion(
    connection: Connection, workspace_id: UUID, page: str | None, database: str | None, parent: str | None
) -> Imported:
    try:
        place = find_living_page(connection, workspace_id, page or database or "")
    except WrongUse as error:
        if database is None or "There is no page" not in str(error):
            raise
        raise _no_database(connection, workspace_id, database) from error
    title = place.title or place.external_id
    if database is not None:
        if not place.is_container:
            raise WrongUse(f"'{title}' is no database: --from-page reads the pages below it.")
        return read_database(connection, workspace_id, place.external_id, title, parent)
    if place.is_container:
        raise WrongUse(f"'{title}' is a database: --from-database reads its rows.")
    return read_pages(connection, workspace_id, place.external_id, title)


def _no_database(connection: Connection, workspace_id: UUID, asked: str) -> WrongUse:
    """The error that there is no database, with those there are."""
    titles = query.scalars(
        connection,
        "SELECT DISTINCT left(title, 200) AS title FROM source_page WHERE workspace_id = %s AND is_container "
        "AND state <> 'tombstoned' AND title <> '' ORDER BY title",
        [workspace_id],
    )
    there = f"There are: {first_of(titles)}." if titles else "It has none at all."
    return WrongUse(f"There is no database '{asked}' in this workspace. {there}")


def _say_draft(slug: str, imported: Imported, report: DraftReport) -> None:
    say(
        "Draft [bold]{}[/bold] of '{}' from {}: {}",
        report.version,
        slug,
        imported.source,
        so_many(report.nodes, "topic"),
    )
    if report.based_on is not None:
        changed = list(filter(None, [counted_changes(report.changes), *report.texts.sentences()]))
        other = "no change" if report.is_same else "no change but in their order, ids or confidence"
        say("Against {}: {}", report.based_on, "; ".join(changed) or other)
    for remark in (*imported.remarks, *report.notes):
        say("[yellow]{}[/yellow]", remark)
    if report.missing:
        say(
            "[yellow]{} of {} {} missing[/yellow]: {}. Say in the import what becomes of them (retired, "
            "replaced_by, replaces), or promote with --retire-missing.",
            so_many(len(report.missing), "topic"), report.based_on, "is" if len(report.missing) == 1 else "are",
            named([node.path for node in report.missing]),
        )  # fmt: skip
    if report.is_same:
        say(
            "[dim]There is nothing to promote: arcana taxonomy drop {} {} forgets the draft[/dim]", slug, report.version
        )
        return
    if report.based_on is not None:
        say("[dim]arcana taxonomy diff {} {} {} lists the changes[/dim]", slug, report.based_on, report.version)
    say("[dim]arcana taxonomy promote {} {} makes it the active version[/dim]", slug, report.version)
