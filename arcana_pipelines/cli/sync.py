"""`arcana sync`: the five assets for one workspace, run through Dagster in this process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.output import console, json_option, print_json
from arcana_pipelines.cli.progress import progress
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.schema import upgrade
from arcana_pipelines.embedding.prices import Terms
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.pipeline import ledger, workspaces
from arcana_pipelines.pipeline.estimate import Estimate, estimate
from arcana_pipelines.pipeline.reports import is_incomplete, sync_report
from arcana_pipelines.pipeline.workspaces import Workspace
from arcana_pipelines.sources.protocol import Mode

INCOMPLETE = 3


@click.command(name="sync")
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
    report = run_sync(database, slug, Mode(mode), allow_removals=allow_removals, show_progress=not as_json, job=job)
    show(context, report, as_json)


def show(context: click.Context, report: dict[str, Any], as_json: bool) -> None:
    """Print a report and exit with what it says."""
    if as_json:
        print_json(report)
    else:
        _print(report)
    context.exit(INCOMPLETE if is_incomplete(report) else 0)


def _estimate(
    context: click.Context, database: Database, slug: str, mode: Mode, allow_removals: int, as_json: bool
) -> None:
    """Read and cut what the next sync would, and print what embedding it would cost."""
    report = run_sync(
        database, slug, mode, allow_removals=allow_removals, show_progress=not as_json, job="stage_workspace"
    )
    with database.connection() as connection:
        workspace_id = workspaces.find(connection, slug).workspace_id
        found = estimate(connection, workspace_id, Terms.of(database.settings))
    if as_json:
        told = {name: report[name] for name in ("workspace", "generation", "mode", "listing_complete", "notion")}
        print_json({**told, "estimate": found.as_dict(), "run_id": report["run_id"]})
    else:
        _print_estimate(slug, found)
    left_out = report["pages"]["quarantined"] or report["pages"]["pending"] or not report["listing_complete"]
    context.exit(INCOMPLETE if left_out else 0)


def _print_estimate(slug: str, found: Estimate) -> None:
    out = console()
    price = "at a price that is not known (EMBEDDING_PRICE_PER_MILLION_TOKENS)"
    if found.cost is not None:
        price = f"{found.cost:.4f} USD"
    time_needed = "within a day, in batches" if found.seconds is None else f"about {found.seconds:.0f} s"
    out.print(f"[bold]{slug}[/bold]: {found.pages} pages to publish, {found.chunks} chunks")
    out.print(f"{found.texts} texts to embed, {found.tokens} tokens: {price}, {time_needed}")
    if found.waiting:
        out.print(f"{found.waiting} texts more wait in batches at the provider")
    limit = "no limit" if found.limit is None else f"limit {found.limit} USD"
    out.print(f"{found.spent:.4f} USD spent in {found.month} (UTC), {limit}")
    if found.limit is not None and found.cost and found.spent + found.cost > found.limit:
        out.print("[yellow]That is over the limit: the sync would stop before it.[/yellow]")


def run_sync(
    database: Database,
    slug: str,
    mode: Mode,
    *,
    show_progress: bool = False,
    job: str = "sync_workspace",
    **config: Any,
) -> dict[str, Any]:
    """Run the job for one partition and return its report. `config`: see `SyncConfig`.

    Raises:
        ArcanaError: the run failed; the message is the first failed asset's own.
    """
    with database.connection() as connection:
        workspace = workspaces.find(connection, slug)
    from arcana_pipelines.defs.schedules import sync_config

    started = time.monotonic()
    run_id = run_job(database, workspace, job, sync_config(mode, **config), show_progress=show_progress)
    with database.connection() as connection:
        workspace = workspaces.find(connection, slug)
        generation = ledger.current(connection, workspace.workspace_id)
        if generation is None:
            raise ArcanaError(f"The run {run_id} ended without a sync of '{slug}'.")
        report = sync_report(connection, workspace, generation)
    return {**report, "seconds": round(time.monotonic() - started, 3), "run_id": run_id}


def run_job(
    database: Database, workspace: Workspace, job: str, config: Mapping[str, object], *, show_progress: bool
) -> str:
    """Run a job for one partition in this process and return the run's id.

    Raises:
        ArcanaError: the run failed; the message is the first failed asset's own.
    """
    from arcana_pipelines.defs import partitions
    from arcana_pipelines.defs.instance import open_instance
    from arcana_pipelines.defs.run import execute

    with open_instance(database) as instance, progress(database, workspace, show_progress):
        partitions.add(instance, workspace.slug)
        run_id, failure = execute(instance, workspace.slug, config, job)
    if failure is not None:
        named = f"'{workspace.slug}'" in str(failure)
        raise failure if named else type(failure)(f"Workspace '{workspace.slug}': {failure}")
    return run_id


def _print(report: dict[str, Any]) -> None:
    pages, chunks, embeddings = report["pages"], report["chunks"], report["embeddings"]
    out = console()
    out.print(
        f"[bold]{report['workspace']}[/bold]: {pages['enumerated']} pages listed ({report['mode']}): "
        f"{pages['added']} added, {pages['updated']} updated, {pages['unchanged']} unchanged, "
        f"{pages['removed']} removed"
    )
    price = f" for {embeddings['cost']:.4f} USD" if embeddings.get("cost") else ""
    out.print(
        f"{chunks['published']} chunks published, {chunks['retired']} retired; "
        f"{embeddings['computed']} embeddings computed{price}, {embeddings['reused']} reused; "
        f"{report['notion']['requests']} requests; {report['seconds']:.1f} s"
    )
    for name in ("skipped", "quarantined", "pending"):
        if pages[name]:
            out.print(f"[yellow]{pages[name]} pages {name}[/yellow]: arcana status {report['workspace']} says why")
    if embeddings.get("waiting"):
        out.print(f"[yellow]{embeddings['waiting']} texts wait in batches[/yellow] at the embedding provider")
    for problem in embeddings.get("problems", []):
        out.print(f"  {problem}", markup=False)
    if not report["listing_complete"]:
        out.print("[yellow]The listing was incomplete; nothing was removed:[/yellow]")
    for problem in report.get("problems", []):
        out.print(f"  {problem}", markup=False)
    if report.get("waiting_removals"):
        waiting = report["waiting_removals"]
        out.print(
            f"[yellow]{waiting} pages are gone from the source, too many to remove unasked.[/yellow] If that is "
            f"right: arcana sync {report['workspace']} --mode {report['mode']} --allow-removals {waiting}"
        )
