"""The tools for support tickets: lists, one with its messages, counts. They only read, as the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import UnknownWorkspace, WrongUse
from arcana_pipelines.mcp import sizes
from arcana_pipelines.mcp.answers import NAME_TOKENS, NOTICE, PROPERTY_TOKENS, TITLE_TOKENS, largest
from arcana_pipelines.retrieval.shown import shown, shown_all
from arcana_pipelines.sources.registry import require_tickets
from arcana_pipelines.tickets.repository import Message, SyncTicketRepository, Ticket, TicketPage, WholeTicket

# Those that are listed where there are tickets alone.
TOOLS = frozenset({"list_tickets", "get_ticket", "ticket_stats"})
MOST_LISTED, MOST_FIELDS, MOST_NAMES = 50, 20, 40
_PLACE = "SELECT workspace_id, company_id, platform FROM workspace WHERE slug = %s AND status <> 'deleting'"
_ARE_THERE = (
    "SELECT EXISTS (SELECT FROM ticket_counts c JOIN workspace w USING (workspace_id) "
    "WHERE w.slug = ANY (%s) AND w.status <> 'deleting')"
)


class ListedTicket(BaseModel):
    """A ticket without its texts."""

    ticket: str = Field(description="For `get_ticket`.")
    title: str
    status: str
    priority: str
    requester: str | None
    assignee: str | None
    assignee_email: str | None
    tags: list[str]
    updated: str


class TicketsAnswer(BaseModel):
    """Tickets, those that changed last first."""

    notice: str = NOTICE
    tickets: list[ListedTicket]
    next: str | None = Field(description="For `after`, when there are more.")
    note: str | None = Field(None, description="Why there are none, and which names there are.")


class TicketAnswer(BaseModel):
    """A ticket, or a part of a long one."""

    notice: str = NOTICE
    ticket: str
    title: str
    status: str
    priority: str
    requester: str | None
    assignee: str | None
    tags: list[str]
    created: str
    updated: str
    fields: dict[str, str] = Field(description="The company's own.")
    text: str = Field(description="What was asked, and each message in order. Markdown.")
    part: int
    parts: int = Field(description="Parts of the text, for `part`.")


class StatsAnswer(BaseModel):
    """How many tickets there are."""

    notice: str = NOTICE
    total_tickets: int
    status_distribution: dict[str, int]
    priority_distribution: dict[str, int]
    processed_count: int = Field(description="Those with a summary of what they hold now.")
    unprocessed_count: int


@dataclass(frozen=True, slots=True)
class _Place:
    workspace_id: UUID
    company_id: UUID
    platform: str


def tickets_of(database: Database, slug: str, sees_internal: bool) -> SyncTicketRepository:
    """The tickets of a workspace.

    Raises:
        UnknownWorkspace: there is none of this name (any more).
        WrongUse: it has no tickets.
    """
    with database.connection() as connection:
        place = query.find(connection, _Place, _PLACE, [slug])
    if place is None:
        raise UnknownWorkspace.named(slug)
    require_tickets(place.platform, slug)
    where = [place.workspace_id]
    return SyncTicketRepository(
        database, place.company_id, place.platform, workspaces=where, private_notes=where if sees_internal else False
    )


def are_there(database: Database, slugs: Sequence[str]) -> bool:
    """Whether one of the workspaces has tickets, and they may be read: a role of one's own may have no right to."""
    with database.connection() as connection:
        may = query.scalar(connection, "SELECT has_table_privilege('ticket_counts', 'SELECT')")
        return bool(may and query.scalar(connection, _ARE_THERE, [list(slugs)]))


def tickets_answer(page: TicketPage) -> TicketsAnswer:
    """As many of the tickets as fit into `sizes.SEARCH_TOKENS`."""
    listed = [
        ListedTicket(
            ticket=each.ticket_id,
            title=_cut(each.title, TITLE_TOKENS),
            status=_cut(each.status, NAME_TOKENS),
            priority=_cut(each.priority, NAME_TOKENS),
            requester=_name(each.requester_name),
            assignee=_name(each.assignee_name),
            assignee_email=_name(each.assignee_email),
            tags=_tags(each),
            updated=_time(each.updated_at),
        )
        for each in page.tickets
    ]
    note = page.note and _cut(page.note, PROPERTY_TOKENS)

    def made(most: int) -> TicketsAnswer:
        is_cut = most < len(listed)
        following = page.tickets[most - 1].place if is_cut and most else page.cursor
        return TicketsAnswer(tickets=listed[:most], next=following, note=note)

    return largest(made, len(listed))


def ticket_answer(ticket: WholeTicket, part: int) -> TicketAnswer:
    """A part of a ticket, in at most `sizes.DOCUMENT_TOKENS`.

    Raises:
        WrongUse: it has no such part.
    """
    text = "\n\n".join([ticket.description, *map(_said, ticket.messages)]).strip()
    parts = sizes.parts(shown(text), sizes.TEXT_TOKENS)
    if not 1 <= part <= len(parts):
        raise WrongUse(f"The ticket has {len(parts)} part{'s' if len(parts) > 1 else ''}: `part` is 1 to {len(parts)}.")
    fields = [(name, held) for name, held in shown_all(ticket.custom_fields).items() if held not in (None, "", [])]

    def made(most: int) -> TicketAnswer:
        return TicketAnswer(
            ticket=ticket.ticket_id,
            title=_cut(ticket.title, TITLE_TOKENS),
            status=_cut(ticket.status, NAME_TOKENS),
            priority=_cut(ticket.priority, NAME_TOKENS),
            requester=_name(ticket.requester_name),
            assignee=_name(ticket.assignee_name),
            tags=_tags(ticket),
            created=_time(ticket.created_at),
            updated=_time(ticket.updated_at),
            fields={
                sizes.cut(name, NAME_TOKENS): sizes.cut(str(held), PROPERTY_TOKENS) for name, held in fields[:most]
            },
            text=parts[part - 1],
            part=part,
            parts=len(parts),
        )

    return largest(made, min(len(fields), MOST_FIELDS), sizes.DOCUMENT_TOKENS, least=0)


def stats_answer(tickets: SyncTicketRepository) -> StatsAnswer:
    """How many there are; of many names those of the most tickets."""
    stats = tickets.get_ticket_stats()

    def most_of(counted: dict[str, int]) -> dict[str, int]:
        return {_cut(name, NAME_TOKENS): number for name, number in list(counted.items())[:MOST_NAMES]}

    return StatsAnswer(
        total_tickets=stats.total_tickets,
        status_distribution=most_of(stats.status_distribution),
        priority_distribution=most_of(stats.priority_distribution),
        processed_count=stats.processed_count,
        unprocessed_count=stats.unprocessed_count,
    )


def _said(message: Message) -> str:
    who = " ".join(filter(None, (message.author_type.title(), message.author_name)))
    kind = "" if message.message_type == "public" else f" ({message.message_type})"
    files = [f"Attached: {each.get('name')}" for each in message.attachments]
    return "\n\n".join([f"## {who}{kind} · {_time(message.created_at)}", message.content, *files])


def _tags(ticket: Ticket) -> list[str]:
    return [_cut(str(each), NAME_TOKENS) for each in ticket.tags[:10]]


def _name(text: str | None) -> str | None:
    return None if text is None else _cut(text, NAME_TOKENS)


def _cut(text: str, most: int) -> str:
    return sizes.cut(shown(text), most)


def _time(time: datetime) -> str:
    return time.isoformat(timespec="seconds")
