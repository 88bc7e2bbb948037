"""What a sync did, on a terminal, and the exit code that says it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from arcana_pipelines.cli.output import print_json, say, so_many

if TYPE_CHECKING:
    from arcana_pipelines.cli.runs import Ran
    from arcana_pipelines.operations.reports import NotServing

INCOMPLETE = 3


def show(context: click.Context, ran: Ran, as_json: bool) -> None:
    """Print a report and exit with what it says."""
    if as_json:
        print_json(ran.as_dict())
    else:
        print_report(ran)
    context.exit(INCOMPLETE if ran.report.is_incomplete else 0)


def print_report(ran: Ran) -> None:
    """Print a report for people."""
    report = ran.report
    slug, pages, embeddings = report.workspace, report.pages_as_dict(), report.embeddings
    say(
        "[bold]{slug}[/bold]: {listed} listed ({mode}): {added} added, {updated} updated, "
        "{unchanged} unchanged, {removed} removed",
        slug=slug,
        listed=so_many(pages["enumerated"], "page"),
        mode=report.mode,
        **pages,
    )
    price = f" for {embeddings.cost:.4f} USD" if embeddings.cost else ""
    say(
        "{} published, {} retired; {} computed{}, {} reused; {}; {} s",
        so_many(report.chunks.published, "chunk"), report.chunks.retired, so_many(embeddings.computed, "embedding"),
        price, embeddings.reused, so_many(report.traffic.requests, "request"), f"{ran.seconds:.1f}",
    )  # fmt: skip
    if report.files:
        from arcana_pipelines.ledger.files import files_in

        read = files_in(report.files, "parsed")
        say(
            "{} fetched, {} read; {} of {} have text",
            so_many(report.file_work.fetched, "file"), report.file_work.read, read,
            sum(count.files for count in report.files),
        )  # fmt: skip
    if ran.classified:
        documents = "1 document was" if ran.classified == 1 else f"{ran.classified:,} documents were"
        say("{} looked at for topics: arcana taxonomy status {} says what has some", documents, slug)
    for name in ("skipped", "quarantined", "pending"):
        if pages[name]:
            say("[yellow]{} {}[/yellow]: arcana status {} says why", so_many(pages[name], "page"), name, slug)
    if incomplete := report.partial.pages:
        are = "is" if incomplete == 1 else "are"
        say("[yellow]{} {} incomplete[/yellow] in the index: arcana status {} says why",
            so_many(incomplete, "page"), are, slug)  # fmt: skip
    if embeddings.waiting:
        wait = "waits in a batch" if embeddings.waiting == 1 else "wait in batches"
        say("[yellow]{} {}[/yellow] at the embedding provider", so_many(embeddings.waiting, "text"), wait)
    for problem in embeddings.problems:
        say("  {}", problem)
    if not report.listing_complete:
        say("[yellow]The listing was incomplete; nothing was removed:[/yellow]")
    for problem in report.problems:
        say("  {}", problem)
    say_not_serving(report.builds_not_serving)
    if report.waiting_removals:
        say_waiting_removals(slug, report.mode, report.waiting_removals)


def say_not_serving(builds: Sequence[NotServing]) -> None:
    """Builds that are being made, and why they do not serve."""
    for build in builds:
        say("  index {}: build {} does not serve: {}", build.index, build.build, "; ".join(build.reasons))


def say_waiting_removals(slug: str, mode: str, pages: int, titles: Sequence[str | None] = ()) -> None:
    """Pages that are gone from the source, some of them by name, and the command that lets them be removed."""
    from arcana_pipelines.operations.reports import removal_command

    say(
        "[yellow]{} pages are gone from the source, too many to remove without confirmation.[/yellow] If they are:",
        pages,
    )
    for title in titles:
        say("    {}", title or "Untitled")
    if titles and pages > len(titles):
        say("    and {} more", pages - len(titles))
    say(f"  {removal_command(slug, mode, pages)}")
