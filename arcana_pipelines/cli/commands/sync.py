"""`arcana sync`: the five assets for one workspace, run through Dagster in this process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import click

from arcana_pipelines.cli.commands.status import say_not_serving, say_waiting_removals
from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.interrupts import interruptible
from arcana_pipelines.cli.one_workspace import WorkspaceCommand
from arcana_pipelines.cli.output import json_option, print_json, say
from arcana_pipelines.cli.progress import progress
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.schema import upgrade
from arcana_pipelines.embedding.prices import PricingPolicy
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.ledger import generations
from arcana_pipelines.operations.reports import SyncReport, sync_report
from arcana_pipelines.pipeline.chunk_embeddings.estimate import Estimate, estimate
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.sources.registry import check_source
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.workspaces import Workspace

INCOMPLETE = 3


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
    job = "audit_workspace" if Mode(mode) is Mode.AUDIT else "sync_workspace"
    ran = run_sync(database, slug, Mode(mode), allow_removals=allow_removals, as_json=as_json, job=job)
    show(context, ran, as_json)


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that ended: its report, how many seconds it took here, and its id in Dagster."""

    report: SyncReport
    seconds: float
    run_id: str

    def as_dict(self) -> dict[str, Any]:
        """The JSON that `arcana sync` prints."""
        return {**self.report.as_dict(), "seconds": self.seconds, "run_id": self.run_id}


def show(context: click.Context, ran: Ran, as_json: bool) -> None:
    """Print a report and exit with what it says."""
    if as_json:
        print_json(ran.as_dict())
    else:
        _print(ran)
    context.exit(INCOMPLETE if ran.report.is_incomplete else 0)


def _estimate(
    context: click.Context, database: Database, slug: str, mode: Mode, allow_removals: int, as_json: bool
) -> None:
    """Read and cut what the next sync would, and print what embedding it would cost."""
    ran = run_sync(database, slug, mode, allow_removals=allow_removals, as_json=as_json, job="stage_workspace")
    with database.connection() as connection:
        workspace_id = workspaces.find(connection, slug).workspace_id
        generations.note_ended(connection, workspace_id, "estimated")
        found = estimate(connection, workspace_id, PricingPolicy.of(database.settings))
    if as_json:
        report = ran.report.as_dict()
        told = {name: report[name] for name in ("workspace", "generation", "mode", "listing_complete", "notion")}
        print_json({**told, "estimate": found.as_dict(), "run_id": ran.run_id})
    else:
        _print_estimate(slug, found)
    context.exit(INCOMPLETE if ran.report.has_unread_pages else 0)


def _print_estimate(slug: str, found: Estimate) -> None:
    price = "at a price that is not known (EMBEDDING_PRICE_PER_MILLION_TOKENS)"
    if found.cost is not None:
        price = f"{found.cost:.4f} USD"
    time_needed = "within a day, in batches" if found.seconds is None else f"about {found.seconds:.0f} s"
    say("[bold]{}[/bold]: {} pages to publish, {} chunks", slug, found.pages, found.chunks)
    say("{} texts to embed, {} tokens: {}, {}", found.texts, found.tokens, price, time_needed)
    if found.waiting:
        say("{} texts more wait in batches at the provider", found.waiting)
    limit = "no limit" if found.limit is None else f"limit {found.limit} USD"
    say("{} USD spent in {} (UTC), {}", f"{found.spent:.4f}", found.month, limit)
    if found.limit is not None and found.cost and found.spent + found.cost > found.limit:
        say("[yellow]That is over the limit: the sync would stop before it.[/yellow]")


def run_sync(
    database: Database,
    slug: str,
    mode: Mode,
    *,
    as_json: bool = False,
    job: str = "sync_workspace",
    **config: Any,
) -> Ran:
    """Run the job for one partition and return its report. `config`: see `SyncConfig`.

    Raises:
        WrongUse: the workspace cannot be synced as it is set up; no run was started.
        Exception: the first failed asset's own error.
    """
    with database.connection() as connection:
        workspace = workspaces.find(connection, slug)
    check_source(workspace.platform, workspace.source_config, workspace.credential_ref, slug)
    from arcana_pipelines.defs.config import sync_config

    started = time.monotonic()
    run_id, number = run_job(database, workspace, job, sync_config(mode, **config), as_json=as_json)
    with database.connection() as connection:
        workspace = workspaces.find(connection, slug)
        generation = generations.numbered(connection, workspace.workspace_id, number)
        if generation is None:
            raise ArcanaError(f"The run {run_id} ended without a sync of '{slug}'.")
        report = sync_report(connection, workspace, generation)
    return Ran(report, round(time.monotonic() - started, 3), run_id)


def run_job(
    database: Database, workspace: Workspace, job: str, config: Mapping[str, object], *, as_json: bool
) -> tuple[str, int | None]:
    """Run a job for one partition in this process; returns the run's id and the generation that it opened.

    Raises:
        Interrupted: Ctrl-C or SIGTERM.
        Exception: the first failed asset's own error.
    """
    from arcana_pipelines.defs import partitions, run
    from arcana_pipelines.defs.instance import open_instance

    run_id = str(uuid4())
    message = (
        f"Interrupted. What was read and embedded for '{workspace.slug}' is kept; the next sync goes on from there."
    )
    with open_instance(database) as instance, progress(database, workspace, not as_json):
        partitions.add(instance, workspace.slug)

        def record() -> None:
            run.mark_canceled(instance, run_id)
            with database.connect(autocommit=True) as connection:
                generations.note_ended(connection, workspace.workspace_id, "interrupted")

        with interruptible(message, record, as_json) as interrupted:
            try:
                return run_id, run.execute(instance, workspace.slug, config, job, run_id)
            except BaseException as error:
                # Whatever it was doing, and whatever that made of the interrupt.
                if (signalled := interrupted()) is not None:
                    record()
                    raise signalled from error
                if isinstance(error, ArcanaError) and f"'{workspace.slug}'" not in str(error):
                    raise type(error)(f"Workspace '{workspace.slug}': {error}") from error
                raise


def _print(ran: Ran) -> None:
    report = ran.report
    slug, pages, embeddings = report.workspace, report.pages_as_dict(), report.embeddings
    say(
        "[bold]{slug}[/bold]: {enumerated} pages listed ({mode}): {added} added, {updated} updated, "
        "{unchanged} unchanged, {removed} removed",
        slug=slug,
        mode=report.mode,
        **pages,
    )
    price = f" for {embeddings.cost:.4f} USD" if embeddings.cost else ""
    say(
        "{} chunks published, {} retired; {} embeddings computed{}, {} reused; {} requests; {} s",
        report.chunks.published, report.chunks.retired, embeddings.computed, price, embeddings.reused,
        report.traffic.requests, f"{ran.seconds:.1f}",
    )  # fmt: skip
    for name in ("skipped", "quarantined", "pending"):
        if pages[name]:
            say("[yellow]{} pages {}[/yellow]: arcana status {} says why", pages[name], name, slug)
    if incomplete := report.partial.pages:
        say("[yellow]{} pages are incomplete[/yellow] in the index: arcana status {} says why", incomplete, slug)
    if embeddings.waiting:
        say("[yellow]{} texts wait in batches[/yellow] at the embedding provider", embeddings.waiting)
    for problem in embeddings.problems:
        say("  {}", problem)
    if not report.listing_complete:
        say("[yellow]The listing was incomplete; nothing was removed:[/yellow]")
    for problem in report.problems:
        say("  {}", problem)
    say_not_serving([build.as_dict() for build in report.builds_not_serving])
    if report.waiting_removals:
        say_waiting_removals(slug, report.mode, report.waiting_removals)
