"""`arcana status`: indexes with counts, the last sync, and what is not indexed and why."""

from __future__ import annotations

from collections.abc import Sequence

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.output import json_option, local_time, print_json, say, so_many
from arcana_pipelines.cli.reports import say_not_serving, say_waiting_removals
from arcana_pipelines.cli.watching import watch
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.indexes.targets.targets import Target
from arcana_pipelines.ledger.files import FileCount, files_in
from arcana_pipelines.ledger.freshness import Freshness
from arcana_pipelines.monitoring.installation import InstallationState, installation_state
from arcana_pipelines.operations.status import SourceState, WorkspaceStatus, workspace_status
from arcana_pipelines.tickets.summaries.counts import SummaryCounts
from arcana_pipelines.workspaces import workspaces


@click.command(name="status")
@click.argument("slug", required=False)
@click.option(
    "--check",
    "only_check",
    is_flag=True,
    help="For a monitor: print only what is wrong, one cause a line. Exit code 0: nothing; 1: something is broken, or "
    "the installation is out of reach; 3: something waits for a person, or is incomplete or stale.",
)
@click.option("--watch", "watches", is_flag=True, help="Draw it anew whenever it has changed, until Ctrl-C.")
@json_option
@click.pass_context
def command(context: click.Context, slug: str | None, only_check: bool, watches: bool, as_json: bool) -> None:
    """Show what is indexed, what is not and why, and what a sync is doing now. Times are this machine's."""
    if watches and (as_json or only_check):
        raise WrongUse("--watch is for people at a terminal: leave out --json and --check.")
    if only_check:
        from arcana_pipelines.cli.check import show_check

        context.exit(show_check(slug, as_json))
    database = open_database()
    require_current(database)
    if watches:
        watch(lambda: _show(database, slug, as_json=False))
    else:
        _show(database, slug, as_json)


def _show(database: Database, slug: str | None, as_json: bool) -> None:
    with database.connection() as connection:
        rows = [workspaces.find(connection, slug)] if slug else workspaces.list_all(connection)
        states = [workspace_status(connection, row, database.settings.summary_model) for row in rows]
        installation = None if slug else installation_state(connection, database.settings.home)
    if as_json:
        reports = [state.as_dict() for state in states]
        told = {"workspaces": reports, "installation": installation.as_dict() if installation else None}
        print_json(reports[0] if slug else told)
        return
    if not states:
        say("No workspaces yet. `arcana workspace add` registers one.")
    for state in states:
        _print(state, database.settings.summary_model is not None)
    if installation is not None:
        _print_installation(installation)


def _print_installation(state: InstallationState) -> None:
    largest = ", ".join(f"{table.table} {table.bytes / 1e6:,.0f}" for table in state.tables[:3])
    free = f"; {state.disk.free_bytes / 1e9:,.1f} GB free" if state.disk is not None else ""
    say("[bold]database[/bold]: {} MB (the largest tables: {}){}", f"{state.database_bytes / 1e6:,.0f}", largest, free)
    for problem in state.problems:
        say("  [yellow]{}[/yellow]", problem)


def _print(state: WorkspaceStatus, summarises: bool) -> None:
    say("[bold]{}[/bold] ({}, {})", state.workspace, state.platform, state.status)
    for index in state.indexes:
        say(
            "  index {}: {}, {}, {} ({}), updated {}",
            index.name, so_many(index.object_count, "document"), so_many(index.vector_count, "chunk"),
            index.embedding_model, index.dimensions, local_time(index.updated),
        )  # fmt: skip
    say_not_serving(state.builds_not_serving)
    _print_targets(state.targets)
    _print_running(state)
    _print_last_sync(state)
    _print_freshness(state.freshness)
    _print_source(state.source)
    _print_files(state.files)
    if summarises or (state.summaries and state.summaries.made):
        _print_summaries(state.summaries)
    _print_topics(state)
    for group in state.not_indexed:
        if group.state == "pending" and state.running:
            continue  # they are being read
        unseen = "the source does not show them; what is proven to be gone is removed"
        reason = group.reason or (unseen if group.state == "suspect" else "to be read by the next sync")
        say("  [yellow]{} {}[/yellow]: {}", so_many(group.pages, "page"), group.state, reason)
        for example in group.examples:
            say("    {} ({})", example["title"] or "Untitled", example["external_id"])
    for incomplete in state.partial.reasons:
        are = "is" if incomplete.pages == 1 else "are"
        say("  [yellow]{} {} incomplete[/yellow]: {}", so_many(incomplete.pages, "page"), are, incomplete.reason)
        for example in incomplete.examples:
            say("    {} ({})", example["title"] or "Untitled", example["external_id"])


def _print_files(files: Sequence[FileCount]) -> None:
    if not files:
        return
    total, size = sum(count.files for count in files), sum(count.bytes for count in files)
    say("  files: {} of {} read, {} MB stored", files_in(files, "parsed"), total, f"{size / 1e6:.1f}")
    for count in files:
        if count.state != "parsed":
            say("    [yellow]{} {}[/yellow]{}", count.files, count.state, f": {count.reason}" if count.reason else "")


def _print_summaries(counts: SummaryCounts | None) -> None:
    if counts is None:
        return
    say(
        "  summaries of tickets: {} made, {} waiting{}, {} tokens today",
        counts.made, counts.waiting, f", {counts.under_way} under way" if counts.under_way else "",
        f"{counts.tokens_today:,}",
    )  # fmt: skip
    if counts.failed:
        say("    [yellow]{} failed[/yellow]: tried again a day later, or when they change", counts.failed)


def _print_topics(state: WorkspaceStatus) -> None:
    counts = state.topics
    if counts is None:
        return
    say("  topics ({}): {} of {} documents have one", counts.version, counts.with_topic, counts.documents)
    lookups = state.last_sync.lookups if state.last_sync else None
    if lookups is not None and lookups.hit_rate is not None:
        say("    the last sync looked up {} paths, {} of them from memory", lookups.asked, f"{lookups.hit_rate:.0%}")
    if counts.waiting:
        since = f", the first since {local_time(counts.waits_since)}" if counts.waits_since else ""
        say("    {} wait for a person{}: arcana taxonomy queue {}", counts.waiting, since, state.workspace)
    if counts.unknown_paths:
        say(
            "    [yellow]{} paths came with documents that are no topics[/yellow]: arcana taxonomy status {}",
            counts.unknown_paths, state.workspace,
        )  # fmt: skip


def _print_targets(targets: Sequence[Target]) -> None:
    for target in targets:
        say(
            "  target {} ({}): {}{}, {}, {}{}{}{}",
            target.name, target.kind, target.state, ", serves the index" if target.serves else "",
            so_many(target.object_count, "document"), so_many(target.vector_count, "chunk"),
            f", {target.waiting} waiting for {target.lag_seconds:.0f} s" if target.waiting else "",
            f", {target.parked} refused" if target.parked else "",
            f". {target.last_error}" if target.last_error else "",
        )  # fmt: skip


def _print_running(state: WorkspaceStatus) -> None:
    running, last = state.running, state.last_sync
    if running is None:
        return
    if last is None or last.state != "running":
        say("  [green]a run is at work[/green] on this workspace")
        return
    say(
        "  [green]a sync is running[/green]: generation {}, {}, since {}: {} pages listed, {} to be read, "
        "{} read and not found yet, {} chunks waiting, {} of them embedded{}{}",
        last.generation, last.mode, local_time(last.started_at), running.listed, running.pending, running.behind,
        running.chunks, running.embedded,
        "; the index of the vectors is being made" if running.is_indexing else "",
        f"; {running.limited_by} limits" if running.limited_by else "",
    )  # fmt: skip


def _print_last_sync(state: WorkspaceStatus) -> None:
    last = state.last_sync
    if last is None:
        say("  never synced")
        return
    if last.state != "running":
        whole = "complete" if last.listing_complete else "[yellow]incomplete[/yellow]"
        ended = f"listing {whole}, ended {{ended}}"
        if not last.finished_at:
            ended = "[yellow]{state}[/yellow]; the next sync goes on from there"
        say(
            f"  last sync: generation {{generation}}, {{mode}}, began {{began}}, {ended}",
            generation=last.generation,
            mode=last.mode,
            began=local_time(last.started_at),
            ended=local_time(last.finished_at) if last.finished_at else "",
            state=last.state,
        )
    for problem in last.problems:
        say("    {}", problem)
    if last.waiting_removals:
        say_waiting_removals(state.workspace, last.mode, last.waiting_removals, last.waiting_titles)


def _print_freshness(fresh: Freshness) -> None:
    if fresh.edits_seen_to:
        absences = local_time(fresh.absences_seen_to) if fresh.absences_seen_to else "never"
        say("  edits seen up to {}, absences up to {}", local_time(fresh.edits_seen_to), absences)
    if fresh.began_at:
        say("  a sweep for absences is under way since {}: {}", local_time(fresh.began_at),
            so_many(fresh.requests, "request"))  # fmt: skip
    elif fresh.problem:
        say("  [yellow]the last sweep for absences proved nothing[/yellow]: {}", fresh.problem)
    if fresh.unlisted:
        say("  {} pages are in no listing though they are there; only the audit sees them go", fresh.unlisted)


def _print_source(source: SourceState) -> None:
    if source.paused_until:
        say(
            "  [yellow]the source asked for a pause[/yellow] until {}: {}",
            local_time(source.paused_until),
            source.pause_reason,
        )
    if source.problem:
        say("  [yellow]the source could not be read:[/yellow]")
        say("    {}", source.problem)
    for kind, pages in source.unknown_types.items():
        say("  {} pages hold '{}', which this release does not know", pages, kind)
