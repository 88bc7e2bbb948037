"""`arcana ticket`: support tickets, and summaries of them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.one_workspace import WorkspaceCommand
from arcana_pipelines.cli.output import json_option, local_time, print_json, printable, say
from arcana_pipelines.cli.ticket_summaries import summarise
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.sources.registry import require_tickets
from arcana_pipelines.tickets.repository import MOST_LISTED, Message, SyncTicketRepository, Ticket, WholeTicket
from arcana_pipelines.workspaces import workspaces

# What a summary says of itself, and not of the ticket.
OF_A_SUMMARY = frozenset({"language", "model", "prompt_version", "of", "made_at"})


@click.group(name="ticket")
def command() -> None:
    """Support tickets, and summaries of them."""


command.add_command(summarise)


@command.command(name="list", cls=WorkspaceCommand)
@click.argument("slug")
@click.option("--status", help="Only tickets with this status, as `stats` names it.")
@click.option("--priority", help="Only tickets of this priority.")
@click.option("--assignee", metavar="EMAIL", help="Only tickets that somebody works on who has this address.")
@click.option("--processed/--unprocessed", default=None, help="Only tickets with a summary of now, or the others.")
@click.option("--since", metavar="TIME", callback=lambda *given: _time(given[-1]), help="Changed then or later (UTC).")
@click.option("--before", metavar="TIME", callback=lambda *given: _time(given[-1]), help="Changed before that (UTC).")
@click.option("--limit", type=click.IntRange(1, MOST_LISTED), default=20, show_default=True, help="Tickets.")
@click.option("--offset", type=click.IntRange(0, 2**31), default=0, help="So many are left out first.")
@click.option("--after", metavar="CURSOR", help="What follows: `cursor` of the output before.")
@json_option
def list_(
    slug: str, status: str | None, priority: str | None, assignee: str | None, processed: bool | None,
    since: datetime | None, before: datetime | None, limit: int, offset: int, after: str | None, as_json: bool,
) -> None:  # fmt: skip
    """List tickets of a workspace without their texts, those that changed last first.

    For example: arcana ticket list help --status Open --since 2026-03-01
    """
    page = _tickets(slug).get_tickets(
        status=status, priority=priority, assignee_email=assignee, is_processed=processed, date_range=(since, before),
        limit=limit, offset=offset, after=after,
    )  # fmt: skip
    if as_json:
        print_json({"workspace": slug, **asdict(page)})
        return
    if not page.tickets:
        say("{}", page.note or f"There are no such tickets in '{slug}'.")
    for ticket in page.tickets:
        _say_line(ticket)
    if page.cursor:
        say("[dim]There are more: --after '{}'[/dim]", page.cursor)


@command.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("ticket")
@json_option
def show(slug: str, ticket: str, as_json: bool) -> None:
    """Print a ticket with its messages, private ones among them.

    TICKET is its number on the platform, or our id of it. For example: arcana ticket show help 20
    """
    found = _tickets(slug).get_ticket_by_id(ticket)
    if as_json:
        print_json(asdict(found))
    else:
        _say_ticket(found)


@command.command(cls=WorkspaceCommand)
@click.argument("slug")
@json_option
def stats(slug: str, as_json: bool) -> None:
    """Count the tickets of a workspace, by status, by priority, and with a summary.

    For example: arcana ticket stats help --json
    """
    counted = _tickets(slug).get_ticket_stats()
    if as_json:
        print_json({"workspace": slug, **asdict(counted)})
        return
    say("[bold]{}[/bold]: {} tickets, {} with a summary of what they hold now", slug, f"{counted.total_tickets:,}",
        f"{counted.processed_count:,}")  # fmt: skip
    for name, tickets in (("status", counted.status_distribution), ("priority", counted.priority_distribution)):
        if tickets:
            say(
                "[dim]{}:[/dim] {}", name, ", ".join(f"{each or 'none'} {number:,}" for each, number in tickets.items())
            )


def _tickets(slug: str) -> SyncTicketRepository:
    database = open_database()
    require_current(database)
    with database.connection() as connection:
        workspace = workspaces.find(connection, slug)
    require_tickets(workspace.platform, slug)
    return SyncTicketRepository(
        database, workspace.company_id, workspace.platform, workspaces=[workspace.workspace_id], private_notes=True
    )


def _time(text: str | None) -> datetime | None:
    """An ISO 8601 time: UTC, or with an offset."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(
            f"'{text}' is not a time: write 2026-02-01, 2026-02-01T09:30 or 2026-02-01T09:30+09:00."
        ) from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _say_line(ticket: Ticket) -> None:
    say(
        "[bold]{}[/bold]  {}  [dim]{}, {}{}, {}[/dim]", ticket.ticket_id, ticket.title, ticket.status or "no status",
        ticket.priority or "no priority", f", {ticket.assignee_name}" if ticket.assignee_name else "",
        local_time(ticket.updated_at),
    )  # fmt: skip


def _say_ticket(ticket: WholeTicket) -> None:
    _say_line(ticket)
    if ticket.requester_name or ticket.requester_email:
        say("[dim]from[/dim] {} {}", ticket.requester_name or "", ticket.requester_email or "")
    for name, held in ticket.custom_fields.items():
        if held not in (None, "", []):
            say("[dim]{}:[/dim] {}", name, held)
    if ticket.summary:
        click.echo()
        say("[bold]Summary[/bold]{}", "" if ticket.is_processed else " of an earlier content")
        for name, held in ticket.summary.items():
            if name not in OF_A_SUMMARY and held not in (None, "", []):
                say("[dim]{}:[/dim] {}", name, held)
    click.echo()
    click.echo(printable(ticket.description))
    for message in ticket.messages:
        _say_message(message)


def _say_message(message: Message) -> None:
    kind = "" if message.message_type == "public" else f", {message.message_type}"
    click.echo()
    say("[bold]{} {}[/bold]  [dim]{}{}[/dim]", message.author_type, message.author_name or "",
        local_time(message.created_at), kind)  # fmt: skip
    click.echo(printable(message.content))
    for each in message.attachments:
        say("[dim]attached:[/dim] {}", each.get("name"))
