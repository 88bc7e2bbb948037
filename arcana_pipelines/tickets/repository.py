"""Tickets as records, of one company's account on a platform: listed, read, counted, made and changed.

`TicketRepository` is for programs with an event loop, and its `sync` for all others: the same statements, which the
former runs in threads.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import wraps
from typing import Annotated, Any, ClassVar, Concatenate, LiteralString, ParamSpec, TypeVar, Unpack
from unicodedata import normalize
from uuid import UUID

from psycopg import sql
from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection, Database, snapshot
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.db.storable import storable_json
from arcana_pipelines.errors import CursorRefused, TicketExists, UnknownTicket, UnknownTicketField, WrongUse

__all__ = [
    "Message",
    "SyncTicketRepository",
    "Ticket",
    "TicketPage",
    "TicketRepository",
    "TicketStats",
    "WholeTicket",
]

load_sql = statements_beside(__file__)

# The platform of tickets where nobody names one.
FRESHDESK = "freshdesk"
_PLATFORM = re.compile("[a-z][a-z0-9_]{0,62}")
MOST_LISTED = 1000
# Of a ticket: what a database can hold, and people can read.
_NUMBER = re.compile("[^\x00-\x20\x7f-\x9f\ud800-\udfff]{1,200}")
LONGEST_NAME, LONGEST_TEXT = 2000, 1_000_000  # characters
# An index takes a third of a page: characters of what stands in one, and those of all that is written of a ticket.
LONGEST_INDEXED, LONGEST_WRITTEN = 500, 2_000_000

_P = ParamSpec("_P")
_R = TypeVar("_R")
_DESCRIBED = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket without its texts."""

    __pydantic_config__: ClassVar[ConfigDict] = _DESCRIBED

    id: UUID
    """Ours; it stays."""

    ticket_id: str
    """Its number on the platform."""

    workspace: str | None
    """The slug of the workspace that reads it. None: it was made here."""

    title: str

    status: str
    """As the platform names it: `Open`."""

    priority: str
    """As the platform names it: `High`."""

    requester_email: str | None

    requester_name: str | None

    assignee_email: str | None

    assignee_name: str | None

    tags: list[str]

    is_processed: bool
    """Whether it has a summary of what it holds now."""

    created_at: datetime

    updated_at: datetime
    """When the platform says that it was changed."""

    @property
    def place(self) -> str:
        """A cursor: what comes behind it in a list."""
        return f"{self.updated_at.astimezone(UTC).isoformat()} {self.id}"


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a ticket."""

    __pydantic_config__: ClassVar[ConfigDict] = _DESCRIBED

    conversation_id: str

    message_type: str
    """`public`: sent to the customer or by them; `note`: customers see it; `private`: agents alone see it."""

    author_type: str
    """`agent`, `customer`, or `system`: sent by itself."""

    author_name: str | None

    author_email: str | None

    content: str
    """Markdown."""

    attachments: list[dict[str, Any]]
    """`name`, `content_type` and `size` (bytes) of each."""

    created_at: datetime


@dataclass(frozen=True, slots=True)
class WholeTicket(Ticket):
    """A ticket with its texts."""

    description: str
    """What was asked, Markdown."""

    custom_fields: dict[str, Any]
    """The company's own fields, by their names on the platform."""

    summary: dict[str, Any] | None
    """What was made of it (docs/tickets.md); of an earlier content while `is_processed` is false."""

    document_id: UUID | None
    """The document that searches find. None: it was made here."""

    messages: list[Message] = field(default_factory=list)
    """In the order of time; private ones only for who may see them."""


@dataclass(frozen=True, slots=True)
class TicketPage:
    """Some tickets of a list."""

    tickets: list[Ticket]

    cursor: str | None
    """For what follows: `after` of the next call, with the same filters. None where nothing does."""

    note: str | None = None
    """Why there are none, where no ticket has a name that was asked for, and which names there are."""


@dataclass(frozen=True, slots=True)
class TicketStats:
    """How many tickets there are."""

    __pydantic_config__: ClassVar[ConfigDict] = _DESCRIBED

    total_tickets: int

    status_distribution: dict[str, int]
    """Tickets by status."""

    priority_distribution: dict[str, int]
    """Tickets by priority."""

    processed_count: int
    """Those with a summary of what they hold now."""

    unprocessed_count: int


_Name = Annotated[str, Field(max_length=LONGEST_NAME, pattern=r"^[^\x00]*$")]
_Indexed = Annotated[str, Field(max_length=LONGEST_INDEXED, pattern=r"^[^\x00]*$")]
_Text = Annotated[str, Field(max_length=LONGEST_TEXT)]
_STRICT = ConfigDict(extra="forbid", strict=True)


class TicketFields(TypedDict, total=False):
    """What may be said of a ticket."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]

    title: _Name
    description: _Text
    status: _Indexed
    priority: _Indexed
    requester_email: _Name | None
    requester_name: _Name | None
    assignee_email: _Indexed | None
    assignee_name: _Name | None
    tags: list[_Name]
    custom_fields: dict[str, Any]
    summary: dict[str, Any] | None
    is_processed: bool


def _in_utc(time: datetime) -> datetime:
    """Of zones further from it than 16 hours PostgreSQL knows nothing."""
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a time before the first year or after the last") from error


_Time = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class _Filters(TypedDict, total=False):
    __pydantic_config__ = _STRICT  # type: ignore[misc]

    status: _Name | None
    priority: _Name | None
    assignee_email: _Name | None
    is_processed: bool | None
    date_range: tuple[_Time | None, _Time | None] | None
    limit: Annotated[int, Field(ge=1, le=MOST_LISTED)]
    offset: Annotated[int, Field(ge=0, le=2**31)]


_FIELDS = TypeAdapter(TicketFields)
_FILTERS = TypeAdapter(_Filters)
# The company's own on the platform, without those of a workspace that is being removed.
_WITHIN: LiteralString = (
    "t.company_id = %(company_id)s AND t.platform = %(platform)s AND (t.workspace_id = ANY "
    "(ARRAY(SELECT w.workspace_id FROM workspace w WHERE w.status = 'deleting'))) IS NOT TRUE"
)
# Those that hold where something is given for them.
_CONDITIONS: dict[str, LiteralString] = {
    "workspaces": "t.workspace_id = ANY (%(workspaces)s)",
    "status": "t.status = ANY (%(status)s)",
    "priority": "t.priority = ANY (%(priority)s)",
    "assignee_email": "t.assignee_email = ANY (%(assignee_email)s)",
    "is_processed": "t.is_processed = %(is_processed)s",
    "since": "t.updated_at >= %(since)s",
    "before": "t.updated_at < %(before)s",
    "after_time": "t.updated_at <= %(after_time)s AND (t.updated_at < %(after_time)s OR t.id > %(after_id)s)",
}


def platforms_of(connection: Connection, company_id: UUID, workspaces: Collection[UUID] | None = None) -> list[str]:
    """The platforms on which a company has tickets, or has had some; those of some workspaces."""
    asked = {"company_id": company_id, "workspaces": None if workspaces is None else list(workspaces)}
    return query.scalars(connection, load_sql("platforms"), asked)


# What is asked for by name: what it is called, and the statement for the names that tickets have.
_NAMED = {
    "status": ("status", load_sql("statuses")),
    "priority": ("priority", load_sql("priorities")),
    "assignee_email": ("assignee", load_sql("assignees")),
}
MOST_NAMES, LONGEST_SAID = 20, 60


class SyncTicketRepository:
    """The tickets of a company on one platform, for programs without an event loop. Safe to share between threads."""

    def __init__(
        self,
        database: Database,
        company_id: UUID,
        platform: str = FRESHDESK,
        *,
        workspaces: Collection[UUID] | None = None,
        private_notes: bool | Collection[UUID] = False,
    ) -> None:
        """Nothing of another company or platform can be reached through it, and removed tickets are not there.

        Args:
            database: where they are; of `Database.for_company` everything is read with that company's rights alone.
            company_id: whose they are.
            platform: where they were written.
            workspaces: only the tickets of these; None: of all, and those that were made here.
            private_notes: whether messages that agents alone see are shown, or in which workspaces.

        Raises:
            WrongUse: no platform has such a name.
        """
        if not _PLATFORM.fullmatch(platform):
            raise WrongUse(f"{platform[:60]!r} is no platform: it is one of lower-case letters, digits and '_'.")
        self._database, self.platform = database, platform
        self._within: dict[str, Any] = {"company_id": company_id, "platform": platform}
        if workspaces is not None:
            self._within["workspaces"] = list(workspaces)
        named = [] if isinstance(private_notes, bool) else list(private_notes)
        self._notes = {"everywhere": private_notes is True, "workspaces": named}
        self._sees_internal = bool(private_notes)

    def get_tickets(
        self,
        *,
        status: str | None = None,
        priority: str | None = None,
        assignee_email: str | None = None,
        is_processed: bool | None = None,
        date_range: tuple[datetime | None, datetime | None] | None = None,
        limit: int = 50,
        offset: int = 0,
        after: str | None = None,
    ) -> TicketPage:
        """Tickets without their texts, those that changed last first.

        Args:
            status: only those with this status, as the platform names it, in capital letters or small ones.
            priority: only those with this priority, likewise.
            assignee_email: only those that somebody works on who has this address, likewise.
            is_processed: only those with a summary of what they hold now, or only the others.
            date_range: only those that changed at the first of two aware times or later, and before the second; either
                may be None.
            limit: tickets, 1 to 1,000.
            offset: so many are left out first; a cursor costs less.
            after: `cursor` of the page before.

        Raises:
            WrongUse: an argument cannot be meant.
            CursorRefused: `after` is no cursor.
        """
        asked = _checked(
            _FILTERS,
            {"status": status, "priority": priority, "assignee_email": assignee_email, "is_processed": is_processed,
             "date_range": date_range, "limit": limit, "offset": offset},
        )  # fmt: skip
        if after is not None and offset:
            raise WrongUse("Give `after` or `offset`, not both.")
        since, before = asked.pop("date_range") or (None, None)
        last = {} if after is None else _read_cursor(after)
        parameters = {**self._within, **asked, "since": since, "before": before, **last, "most": limit + 1}
        with self._database.connection() as connection:
            for name, (kind, statement) in _NAMED.items():
                if (wanted := asked[name]) is None:
                    continue
                asked_for = {**self._within, "name": wanted}
                known = query.scalars(connection, self._statement(statement, self._within), asked_for)
                parameters[name] = [each for each in known if _folded(each) == _folded(wanted)]
                if not parameters[name]:
                    return TicketPage([], None, _none_has(kind, wanted, known))
            found = query.rows(connection, Ticket, self._statement(load_sql("tickets_list"), parameters), parameters)
        return TicketPage(found[:limit], found[limit - 1].place if len(found) > limit else None)

    def get_ticket_by_id(self, ticket: str | UUID) -> WholeTicket:
        """A ticket with its messages.

        Args:
            ticket: its number on the platform, or our id of it.

        Raises:
            UnknownTicket: there is none here.
        """
        with self._database.connection(sees_internal=self._sees_internal) as connection, snapshot(connection):
            return self._read(connection, ticket)

    def get_ticket_stats(self) -> TicketStats:
        """How many tickets there are, by status, by priority, and with a summary: in one statement."""
        with self._database.connection() as connection:
            stats = query.one(
                connection, TicketStats, self._statement(load_sql("ticket_stats"), self._within), self._within
            )
        return replace(
            stats,
            status_distribution=_most_first(stats.status_distribution),
            priority_distribution=_most_first(stats.priority_distribution),
        )

    def create_ticket(self, ticket_id: str, **fields: Unpack[TicketFields]) -> WholeTicket:
        """Make a ticket that no workspace reads; searches find it in no index.

        Args:
            ticket_id: its number, which no other ticket of the platform has.
            fields: what is known of it.

        Raises:
            TicketExists: there is one of this number, or was.
            UnknownTicketField: there is no such field.
            WrongUse: a value cannot be one, or the repository is one of some workspaces only.
        """
        if "workspaces" in self._within:
            raise WrongUse("A ticket that is made here is in no workspace: make it without naming workspaces.")
        if not isinstance(ticket_id, str) or not _NUMBER.fullmatch(ticket_id):
            raise WrongUse("The number of a ticket is a text of 1 to 200 printable characters.")
        given = _storable(_checked(_FIELDS, fields))
        with self._database.connection() as connection, connection.transaction():
            parameters = {**self._within, "ticket_id": ticket_id, "fields": given}
            made = query.scalar(connection, load_sql("ticket_create"), parameters)
            if made is None:
                raise TicketExists(
                    f"There is, or was, a ticket of the number {ticket_id!r} on {self._within['platform']}: change it "
                    "by `update_ticket`, or take another number."
                )
            return self._read(connection, made)

    def update_ticket(self, ticket: str | UUID, **changes: Unpack[TicketFields]) -> WholeTicket:
        """Change a ticket here, and not on its platform: what is changed there later takes the place of all of this.

        Its summary counts as one of something else as soon as its title or text is another.

        Raises:
            UnknownTicket: there is none here.
            UnknownTicketField: there is no such field.
            WrongUse: a value cannot be one.
        """
        parameters = {**self._within, **_named(ticket), "changes": _storable(_checked(_FIELDS, changes))}
        with self._database.connection() as connection, connection.transaction():
            changed = query.scalar(connection, self._statement(load_sql("ticket_update"), self._within), parameters)
            if changed is None:
                raise _unknown(ticket)
            return self._read(connection, changed)

    def _read(self, connection: Connection, ticket: str | UUID) -> WholeTicket:
        """A ticket, in the caller's transaction."""
        statement, parameters = self._statement(load_sql("ticket"), self._within), {**self._within, **_named(ticket)}
        found = query.find(connection, WholeTicket, statement, parameters)
        if found is None:
            raise _unknown(ticket)
        asked = {**self._notes, "id": found.id}
        return replace(found, messages=query.rows(connection, Message, load_sql("ticket_messages"), asked))

    def _statement(self, statement: LiteralString, given: Mapping[str, Any]) -> sql.Composed:
        conditions = [_WITHIN, *(condition for each, condition in _CONDITIONS.items() if given.get(each) is not None)]
        return sql.SQL(statement).format(wanted=sql.SQL(" AND ").join(map(sql.SQL, conditions)))


def _in_a_thread(
    method: Callable[Concatenate[SyncTicketRepository, _P], _R],
) -> Callable[Concatenate[TicketRepository, _P], Coroutine[Any, Any, _R]]:
    @wraps(method)
    async def awaited(self: TicketRepository, /, *arguments: _P.args, **named: _P.kwargs) -> _R:
        return await asyncio.to_thread(method, self.sync, *arguments, **named)

    return awaited


class TicketRepository:
    """The tickets of a company on one platform, for programs with an event loop.

        tickets = TicketRepository(database, company_id)
        page = await tickets.get_tickets(status="Open", limit=20)

    Each call runs in a thread, over a connection of the database's pool; what is cancelled ends there.

    Attributes:
        sync: the same for programs without an event loop.
    """

    def __init__(
        self,
        database: Database,
        company_id: UUID,
        platform: str = FRESHDESK,
        *,
        workspaces: Collection[UUID] | None = None,
        private_notes: bool | Collection[UUID] = False,
    ) -> None:
        """See `SyncTicketRepository`."""
        self.sync = SyncTicketRepository(
            database, company_id, platform, workspaces=workspaces, private_notes=private_notes
        )

    get_tickets = _in_a_thread(SyncTicketRepository.get_tickets)
    get_ticket_by_id = _in_a_thread(SyncTicketRepository.get_ticket_by_id)
    get_ticket_stats = _in_a_thread(SyncTicketRepository.get_ticket_stats)
    create_ticket = _in_a_thread(SyncTicketRepository.create_ticket)
    update_ticket = _in_a_thread(SyncTicketRepository.update_ticket)


def _checked(adapter: TypeAdapter[Any], given: Any) -> dict[str, Any]:
    """What was given, if it can be meant.

    Raises:
        UnknownTicketField: something of it is no field.
        WrongUse: a value cannot be one.
    """
    try:
        checked: dict[str, Any] = adapter.validate_python(given)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(each)[:100] for each in wrong["loc"])
        if wrong["type"] == "extra_forbidden":
            fields = ", ".join(TicketFields.__annotations__)
            raise UnknownTicketField(f"A ticket has no field {name!r} that can be written. It has {fields}.") from error
        raise WrongUse(f"{name} cannot be this: {wrong['msg']}.") from error
    return checked


def _storable(fields: Mapping[str, Any]) -> str:
    """What is written of a ticket, as JSON.

    Raises:
        WrongUse: it is none, or too long.
    """
    try:
        json.dumps(fields, allow_nan=False)
        text = storable_json(fields)
    except (TypeError, ValueError, RecursionError) as error:
        raise WrongUse(
            "custom_fields or summary cannot be this: they hold texts, finite numbers, true, false, null, lists and "
            "objects, not nested too deeply."
        ) from error
    if len(text) > LONGEST_WRITTEN:
        raise WrongUse(f"{' and '.join(fields)} cannot be this: {LONGEST_WRITTEN:,} characters are the most in all.")
    return text


def _named(ticket: str | UUID) -> dict[str, Any]:
    """A ticket by its number, and by our id where it can be one.

    Raises:
        UnknownTicket: no ticket is called this.
    """
    number = str(ticket)
    if not _NUMBER.fullmatch(number):
        raise _unknown(ticket)
    try:
        return {"ticket_id": number, "id": UUID(number)}
    except ValueError:
        return {"ticket_id": number, "id": None}


def _unknown(ticket: str | UUID) -> UnknownTicket:
    return UnknownTicket(
        f"There is no ticket {str(ticket)[:60]!r} here (any more): give its number, or the `id` that a list has."
    )


def _folded(name: str) -> str:
    """The same for all spellings in capital and small letters, and of composed and decomposed Hangul."""
    return normalize("NFC", normalize("NFC", name).casefold())


def _none_has(kind: str, wanted: str, known: list[str]) -> str:
    said = [each[:LONGEST_SAID] for each in known if each]
    more = f" and {len(said) - MOST_NAMES} more" if len(said) > MOST_NAMES else ""
    there_are = f" There are: {', '.join(said[:MOST_NAMES])}{more}." if said else ""
    return f"No ticket has the {kind} {wanted[:LONGEST_SAID]!r}.{there_are}"


def _most_first(tickets: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(tickets.items(), key=lambda each: (-each[1], each[0])))


def _read_cursor(cursor: str) -> dict[str, Any]:
    """The place behind which a page begins.

    Raises:
        CursorRefused: it is none.
    """
    time, _, last = cursor.partition(" ")
    try:
        return {"after_time": datetime.fromisoformat(time).astimezone(UTC), "after_id": UUID(last)}
    except (ValueError, OverflowError) as error:
        raise CursorRefused(
            "This is no cursor of a list of tickets. Ask again without it, from the beginning."
        ) from error
