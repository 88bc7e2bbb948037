"""Support tickets over HTTP: their list, one with its messages, and how many there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import FastAPI, Path, Query, Response
from pydantic import AwareDatetime, ConfigDict

from arcana_pipelines.db.engine import Database
from arcana_pipelines.keys.access import Access
from arcana_pipelines.retrieval.limits import LONGEST_VALUE
from arcana_pipelines.retrieval.results import DESCRIBED
from arcana_pipelines.retrieval.shown import shown_all
from arcana_pipelines.sources.registry import require_tickets
from arcana_pipelines.tickets.repository import FRESHDESK, SyncTicketRepository, Ticket, platforms_of
from arcana_pipelines.web import cursors
from arcana_pipelines.web.cursors import Cursors
from arcana_pipelines.web.etags import Seen, tagged
from arcana_pipelines.web.examples import LISTED_TICKET, TICKET, TICKET_STATS, shown
from arcana_pipelines.web.gate import Gate, Keyed, lacking
from arcana_pipelines.web.problems import Refused, described

MOST_LISTED = 100
FURTHEST = 10_000

_Platform = Annotated[
    str | None,
    Query(
        description="Where the tickets were written: `freshdesk`. Needed where a company has those of several.",
        max_length=63,
    ),
]
_Workspace = Annotated[str | None, Query(description="Only those that this workspace reads: its slug.", max_length=63)]
_Named = Annotated[str | None, Query(max_length=LONGEST_VALUE)]


@dataclass(frozen=True, slots=True)
class ListedTickets:
    """Tickets without their texts, those that changed last first."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    tickets: list[Ticket]

    cursor: str | None
    """For what follows: `cursor` of the next request, with the same filters. None where nothing does."""

    note: str | None = None
    """Why there are none, where no ticket has a name that was asked for, and which names there are."""


def add_tickets(app: FastAPI, gate: Gate, database: Database) -> None:
    """What is read of tickets: those of the workspaces in which the key has the scope `read`, and no others."""
    pages = Cursors(database.settings)

    def repository(access: Access, platform: str | None, workspace: str | None) -> SyncTicketRepository:
        """What the key may read.

        Raises:
            Refused: 403: it may read nowhere, or not there. 404: there is no such workspace. 422: no platform is named,
                and there are tickets of several.
            WrongUse: the workspace has no tickets.
        """
        read, notes = access.workspaces("read"), access.workspaces("notes")
        if workspace is not None:
            opened = gate.workspace(access, "read", workspace)
            require_tickets(opened.platform, workspace)
            read, platform = frozenset([opened.workspace_id]), platform or opened.platform
        elif read is not None and not read:
            raise lacking(access, "read")
        return SyncTicketRepository(
            database.for_company(access.company_id),
            access.company_id,
            platform or only_platform(access, read),
            workspaces=read,
            private_notes=True if notes is None else notes,
        )

    def only_platform(access: Access, read: frozenset[UUID] | None) -> str:
        with database.connection(access.company_id) as connection:
            known = platforms_of(connection, access.company_id, read)
        if len(known) > 1:
            said = (
                f"There are tickets of several platforms: name one as `platform`, {' or '.join(known)}, or a workspace "
                "as `workspace`."
            )
            raise Refused(422, "invalid-request", said)
        return known[0] if known else FRESHDESK

    def answers(example: object, *more: int) -> dict[int | str, dict[str, Any]]:
        return {
            200: {"model": type(example), "content": shown(example)},
            304: {"description": "As it was."},
            **described(401, 403, 404, *more, 422, 503),
        }

    @app.get("/v1/tickets", summary="Support tickets, without their texts", tags=["tickets"],
             responses={200: {"content": shown(ListedTickets([LISTED_TICKET], "GZ3tU0vS4l1xk9fYpQ"))},
                        **described(401, 403, 404, 422, 503)})  # fmt: skip
    def tickets(
        access: Keyed,
        status: _Named = None,
        priority: _Named = None,
        assignee_email: _Named = None,
        is_processed: Annotated[
            bool | None, Query(description="Only those with a summary of what they hold now, or only the others.")
        ] = None,
        updated_since: Annotated[
            AwareDatetime | None, Query(description="Only what changed then or later: `2026-01-05T00:00:00Z`.")
        ] = None,
        updated_before: Annotated[
            AwareDatetime | None, Query(description="Only what changed before that time.")
        ] = None,
        workspace: _Workspace = None,
        platform: _Platform = None,
        limit: Annotated[int, Query(ge=1, le=MOST_LISTED, description="Tickets of one answer.")] = 50,
        offset: Annotated[
            int, Query(ge=0, le=FURTHEST, description="So many are left out first; a cursor costs less.")
        ] = 0,
        cursor: Annotated[
            str | None, Query(description="That of the answer before.", max_length=cursors.LONGEST)
        ] = None,
    ) -> ListedTickets:
        filters: dict[str, Any] = {
            "status": status, "priority": priority, "assignee_email": assignee_email, "is_processed": is_processed,
            "date_range": (updated_since, updated_before),
        }  # fmt: skip
        held = repository(access, platform, workspace)
        list_ = {"company": access.company_id, "tickets": held.platform, "workspace": workspace, **filters}
        after = pages.read(list_, cursor) if cursor is not None else None
        page = held.get_tickets(**filters, limit=limit, offset=offset, after=after)
        following = pages.write(list_, page.cursor) if page.cursor is not None else None
        return ListedTickets(shown_all(page.tickets), following, shown_all(page.note))

    @app.get("/v1/tickets/stats", summary="How many tickets there are, by status and priority", tags=["tickets"],
             responses=answers(TICKET_STATS))  # fmt: skip
    def stats(access: Keyed, workspace: _Workspace = None, platform: _Platform = None, seen: Seen = None) -> Response:
        return tagged(shown_all(repository(access, platform, workspace).get_ticket_stats()), seen)

    @app.get("/v1/tickets/{ticket}", summary="A ticket with its messages", tags=["tickets"],
             responses=answers(TICKET))  # fmt: skip
    def ticket(
        access: Keyed,
        ticket: Annotated[
            str, Path(description="Its number on the platform, or its `id`.", max_length=200, examples=["20"])
        ],
        workspace: _Workspace = None,
        platform: _Platform = None,
        seen: Seen = None,
    ) -> Response:
        """Messages that agents alone see are among them where the key has the scope `notes` in its workspace."""
        return tagged(shown_all(repository(access, platform, workspace).get_ticket_by_id(ticket)), seen)
