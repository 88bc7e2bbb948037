"""`arcana sync`: the assets of a sync for one workspace, run through Dagster in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.database_changes import upgrade
from arcana_pipelines.cli.one_workspace import WorkspaceCommand
from arcana_pipelines.cli.output import json_option, print_json, say
from arcana_pipelines.cli.reports import INCOMPLETE, show
from arcana_pipelines.cli.runs import run_sync
from arcana_pipelines.db.engine import Database
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.workspaces import workspaces

if TYPE_CHECKING:
    from arcana_pipelines.pipeline.chunk_embeddings.estimate import Estimate


@click.command(name="sync", cls=WorkspaceCommand)
@click.argument("slug")
@click.option(
    "--mode", type=click.Choice([str(mode) for mode in Mode]), default=str(Mode.INCREMENTAL), show_default=True
)
@click.option(
    "--allow-removals",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Allow a mass removal of up to N pages.",
)
@click.option(
    "--estimate",
    "only_estimate",
    is_flag=True,
    help="Say what embedding would cost: reads the source, calls no embedding provider, publishes nothing.",
)
@json_option
@click.pass_context
def command(
    context: click.Context, slug: str, mode: str, allow_removals: int, only_estimate: bool, as_json: bool
) -> None:
    """Bring a workspace's index up to date with its source.

    The first sync lists everything; later ones what changed. --mode full lists everything again, --mode audit
    also follows links, and both prove what is gone. Exit code 3: done, but something was left out.

    With --estimate what was read is kept, and the next sync goes on from there; where Dagster's sensors run, they ask
    for it at once. To see the price of a workspace before anything is paid, set EMBEDDING_MONTHLY_BUDGET_USD=0.
    """
    database = open_database()
    upgrade(database)
    if only_estimate:
        _estimate(context, database, slug, Mode(mode), allow_removals, as_json)
        return
    purpose: Literal["audit", "sync"] = "audit" if Mode(mode) is Mode.AUDIT else "sync"
    ran = run_sync(database, slug, Mode(mode), allow_removals=allow_removals, as_json=as_json, purpose=purpose)
    show(context, ran, as_json)


def _estimate(
    context: click.Context, database: Database, slug: str, mode: Mode, allow_removals: int, as_json: bool
) -> None:
    """Read and cut what the next sync would, and print what embedding it would cost."""
    from arcana_pipelines.embedding.prices import PricingPolicy
    from arcana_pipelines.pipeline.chunk_embeddings.estimate import estimate

    ran = run_sync(database, slug, mode, allow_removals=allow_removals, as_json=as_json, purpose="stage")
    with database.connection() as connection:
        workspace_id = workspaces.find(connection, slug).workspace_id
        estimated = estimate(connection, workspace_id, PricingPolicy.of(database.settings))
    if as_json:
        report = ran.report.as_dict()
        told = {name: report[name] for name in ("workspace", "generation", "mode", "listing_complete", "notion")}
        print_json({**told, "estimate": estimated.as_dict(), "run_id": ran.run_id})
    else:
        _print_estimate(slug, estimated)
    context.exit(INCOMPLETE if ran.report.has_unread_pages else 0)


def _print_estimate(slug: str, estimated: Estimate) -> None:
    price = "at a price that is not known (EMBEDDING_PRICE_PER_MILLION_TOKENS)"
    if estimated.cost is not None:
        price = f"{estimated.cost:.4f} USD"
    time_needed = "within a day, in batches" if estimated.seconds is None else f"about {estimated.seconds:.0f} s"
    say("[bold]{}[/bold]: {} pages to publish, {} chunks", slug, estimated.pages, estimated.chunks)
    say("{} texts to embed, {} tokens: {}, {}", estimated.texts, estimated.tokens, price, time_needed)
    if estimated.waiting:
        say("{} more texts wait in batches at the provider", estimated.waiting)
    limit = "no limit" if estimated.limit is None else f"limit {estimated.limit} USD"
    say("{} USD spent in {} (UTC), {}", f"{estimated.spent:.4f}", estimated.month, limit)
    if estimated.limit is not None and estimated.cost and estimated.spent + estimated.cost > estimated.limit:
        say("[yellow]That is over the limit: the sync would stop before it.[/yellow]")
