"""`arcana status`: indexes with counts, the last sync, and what is not indexed and why."""

from __future__ import annotations

from typing import Any

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.output import console, json_option, print_json
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.pipeline import workspaces
from arcana_pipelines.pipeline.reports import workspace_status


@click.command(name="status")
@click.argument("slug", required=False)
@json_option
def command(slug: str | None, as_json: bool) -> None:
    """Show what is indexed, and what is not."""
    database = open_database()
    require_current(database)
    with database.connection() as connection:
        rows = [workspaces.find(connection, slug)] if slug else workspaces.every(connection)
        states = [workspace_status(connection, row) for row in rows]
    if as_json:
        print_json(states[0] if slug else {"workspaces": states})
        return
    if not states:
        click.echo("No workspaces yet. `arcana workspace add` registers one.")
    for state in states:
        _print(state)


def _print(state: dict[str, Any]) -> None:
    out = console()
    out.print(f"[bold]{state['workspace']}[/bold] ({state['platform']}, {state['status']})")
    for index in state["indexes"]:
        out.print(
            f"  index {index['name']}: {index['object_count']} documents, {index['vector_count']} chunks, "
            f"{index['embedding_model']} ({index['dimensions']}), updated {index['updated']}"
        )
    last = state["last_sync"]
    if last is None:
        out.print("  never synced")
    else:
        whole = "complete" if last["listing_complete"] else "[yellow]incomplete[/yellow]"
        ended = last["finished_at"] or "[yellow]not finished[/yellow]"
        out.print(f"  last sync: generation {last['generation']}, {last['mode']}, listing {whole}, ended {ended}")
        for problem in last["problems"]:
            out.print(f"    {problem}", markup=False)
    source = state["source"]
    if source["paused_until"]:
        out.print(
            f"  [yellow]the source asked for a pause[/yellow] until {source['paused_until']}: {source['pause_reason']}"
        )
    if source["problem"]:
        out.print("  [yellow]the source could not be looked at:[/yellow]")
        out.print(f"    {source['problem']}", markup=False)
    for kind, pages in source["unknown_types"].items():
        out.print(f"  {pages} pages hold '{kind}', which this release does not know", markup=False)
    for group in state["not_indexed"]:
        out.print(f"  [yellow]{group['pages']} pages {group['state']}[/yellow]: {group['reason']}")
        for example in group["examples"]:
            out.print(f"    {example['title'] or 'Untitled'} ({example['external_id']})", markup=False)
