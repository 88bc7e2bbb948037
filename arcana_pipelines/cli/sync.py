"""`arcana sync`: the five assets for one workspace, run through Dagster in this process."""

from __future__ import annotations

import time
from typing import Any

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.output import console, json_option, print_json
from arcana_pipelines.cli.progress import progress
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.schema import upgrade
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.pipeline import ledger, workspaces
from arcana_pipelines.pipeline.reports import is_incomplete, sync_report
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
@json_option
@click.pass_context
def command(context: click.Context, slug: str, mode: str, allow_removals: int, as_json: bool) -> None:
    """Bring a workspace's index up to date with its source.

    The first sync lists everything; later ones what changed. --mode full lists everything again, --mode audit
    also follows links, and both prove what is gone. Exit code 3: done, but something was left out.
    """
    database = open_database()
    upgrade(database)
    report = run_sync(database, slug, Mode(mode), allow_removals=allow_removals, show_progress=not as_json)
    show(context, report, as_json)


def show(context: click.Context, report: dict[str, Any], as_json: bool) -> None:
    """Print a report and exit with what it says."""
    if as_json:
        print_json(report)
    else:
        _print(report)
    context.exit(INCOMPLETE if is_incomplete(report) else 0)


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
    from arcana_pipelines.defs import partitions
    from arcana_pipelines.defs.instance import open_instance
    from arcana_pipelines.defs.run import execute
    from arcana_pipelines.defs.schedules import sync_config

    started = time.monotonic()
    with open_instance(database) as instance, progress(database, workspace, show_progress):
        partitions.add(instance, slug)
        run_id, failure = execute(instance, slug, sync_config(mode, **config), job)
    if failure is not None:
        raise failure
    with database.connection() as connection:
        workspace = workspaces.find(connection, slug)
        generation = ledger.current(connection, workspace.workspace_id)
        if generation is None:
            raise ArcanaError(f"The run {run_id} ended without a sync of '{slug}'.")
        report = sync_report(connection, workspace, generation)
    return {**report, "seconds": round(time.monotonic() - started, 3), "run_id": run_id}


def _print(report: dict[str, Any]) -> None:
    pages, chunks, embeddings = report["pages"], report["chunks"], report["embeddings"]
    out = console()
    out.print(
        f"[bold]{report['workspace']}[/bold]: {pages['enumerated']} pages listed ({report['mode']}): "
        f"{pages['added']} added, {pages['updated']} updated, {pages['unchanged']} unchanged, "
        f"{pages['removed']} removed"
    )
    out.print(
        f"{chunks['published']} chunks published, {chunks['retired']} retired; "
        f"{embeddings['computed']} embeddings computed, {embeddings['reused']} reused; "
        f"{report['notion']['requests']} requests; {report['seconds']:.1f} s"
    )
    for name in ("skipped", "quarantined", "pending"):
        if pages[name]:
            out.print(f"[yellow]{pages[name]} pages {name}[/yellow]: arcana status {report['workspace']} says why")
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
