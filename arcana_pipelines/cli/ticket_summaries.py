"""`arcana ticket summarise`: summaries of a workspace's tickets, made now."""

from __future__ import annotations

from dataclasses import asdict

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.one_workspace import WorkspaceCommand
from arcana_pipelines.cli.output import json_option, print_json, say
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.sources.registry import require_tickets
from arcana_pipelines.tickets.summaries.making import SummariesReport, make_summaries
from arcana_pipelines.workspaces import workspaces

_ENDED = {
    "budget": "The day's budget (SUMMARY_BUDGET) is used up: the rest is made from midnight UTC on.",
    "number": "More may wait: that was the number asked for.",
    "failures": "Too many tickets in a row failed. The last one: {}",
}


@click.command(name="summarise", cls=WorkspaceCommand)
@click.argument("slug")
@click.option("--most", type=click.IntRange(1), metavar="NUMBER", help="Try so many tickets at most, newest first.")
@json_option
@click.pass_context
def summarise(context: click.Context, slug: str, most: int | None, as_json: bool) -> None:
    """Summarise tickets whose summary is missing or stale, newest first, by the chat model of SUMMARY_MODEL.

    What customers and agents wrote publicly is sent to it, with e-mail addresses and phone numbers masked. The job
    summarise_tickets does this by itself. Exit code 1: the model failed; 3: some are left.
    """
    database = open_database()
    require_current(database)
    with database.connection() as connection:
        workspace = workspaces.find(connection, slug)
        require_tickets(workspace.platform, slug)
        did = make_summaries(connection, workspace, database.settings, most=most)
    if as_json:
        print_json(asdict(did))
    else:
        _print(did)
    context.exit(1 if did.stopped == "failures" else 3 if did.stopped or did.failed else 0)


def _print(did: SummariesReport) -> None:
    failed = ", {} failed and rest for a while" if did.failed else "{}"
    say(
        f"{{}}: {{}} summaries made{failed}, {{}} tokens.",
        did.workspace,
        did.made,
        did.failed or "",
        f"{did.tokens:,}",
    )
    if did.stopped in _ENDED:
        say(_ENDED[did.stopped], did.problem)
