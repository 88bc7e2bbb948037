"""The world: tickets that tests change as people would, and that the server shows as Freshdesk would."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from arcana_pipelines.testing.clock import Clock
from arcana_pipelines.testing.freshdesk_server.account import Upload
from arcana_pipelines.testing.freshdesk_server.knowledge_base import KnowledgeBase
from arcana_pipelines.testing.freshdesk_server.model import (
    CLOSED,
    EMAIL,
    FORWARD,
    LOW,
    NOTE,
    OPEN,
    REPLY,
    RESOLVED,
    Conversation,
    Html,
    Text,
    Ticket,
    as_html,
)

ARCHIVED_AFTER_DAYS = 120


class FreshdeskWorld(KnowledgeBase):
    """A help desk. Its clock stands still until a test moves it.

    What nobody could find out about the real one is an attribute here, so that both answers can be tested.

    Attributes:
        edits_move_tickets: editing or deleting a message sets the ticket's `updated_at`.
        removal_moves_tickets: trash, spam and coming back set it.
        trash_takes_updated_since: lists of the trash and of spam heed `updated_since`.
        lists_attachments: rows of the list show attachments.
        scope_status: what a look at a ticket outside the key's scope answers, 403 or 404.
        sla_seconds: for so long after each update `due_by` and `fr_due_by` are null.
        attachment_seconds: for how long an address of an attachment holds.
        new_fields: conversations have fields now and then that no documentation knows.
    """

    def __init__(self, *, seed: int = 1, clock: Clock | None = None, domain: str = "acme") -> None:
        super().__init__(seed=seed, clock=clock, domain=domain)
        self.tickets: dict[int, Ticket] = {}
        self.highest_id = 0
        self._ticket_of: dict[int, int] = {}
        self.edits_move_tickets = False
        self.removal_moves_tickets = False
        self.trash_takes_updated_since = True
        self.lists_attachments = False
        self.scope_status = 403
        self.sla_seconds = 0
        self.attachment_seconds = 300
        self.new_fields = True

    # --- tickets ---------------------------------------------------------------------------------

    def add_ticket(
        self,
        subject: str | None,
        text: Text = "",
        *,
        requester: int | None = None,
        status: int = OPEN,
        priority: int = LOW,
        source: int = EMAIL,
        type: str | None = None,
        responder: int | None = None,
        group: int | None = None,
        tags: Iterable[str] = (),
        custom_fields: Mapping[str, Any] | None = None,
        cc_emails: list[str] | str | None = None,
        attach: Iterable[Upload] = (),
        inline: Iterable[Upload] = (),
    ) -> int:
        """A new ticket; returns its id. Without a requester the first contact asks, who is made if there is none."""
        with self.lock:
            now = self.now()
            if requester is None:
                requester = next(iter(self.contacts), None) or self.add_contact("김하늘", "haneul@customer.example")
            self.highest_id += 1
            ticket = Ticket(
                self.highest_id,
                subject,
                as_html(text),
                requester,
                status,
                priority,
                source,
                type,
                responder,
                group,
                tuple(tags),
                dict(custom_fields or {}),
                now,
                now,
                cc_emails=[] if cc_emails is None else cc_emails,
                attachments=self.store(attach),
                inline=self.store(inline),
                closed_at=now if status in (RESOLVED, CLOSED) else None,
            )
            self.tickets[ticket.id] = ticket
            self.tickets_version += 1
            self.events.append((ticket.id, "{ticket_action:created}"))
            return ticket.id

    def update(self, ticket: int, **fields: Any) -> None:
        """Set fields of a ticket: `subject`, `text`, `status`, `priority`, `type`, `tags`, `responder_id`, `group_id`,
        `custom_fields` (those given, the others stay), `requester_id`.
        """
        with self.lock:
            found = self._writable(ticket)
            changes = []
            for name, value in fields.items():
                before = getattr(found, name)
                if name == "text":
                    value = as_html(value)
                    found.withdrawn += before.phrases
                elif name == "custom_fields":
                    value = {**before, **value}
                elif name == "tags":
                    value = tuple(value)
                elif name == "status":
                    closes = value in (RESOLVED, CLOSED)
                    found.closed_at = (found.closed_at or self.now()) if closes else None
                    changes.append(f"{{Status:{{from:{self._status(before)},to:{self._status(value)}}}}}")
                setattr(found, name, value)
            self._move(found, *changes or ["{ticket_action:update}"])

    def set_status(self, ticket: int, status: int) -> None:
        """2 open, 3 pending, 4 resolved, 5 closed, or one of the account's own."""
        self.update(ticket, status=status)

    def tag(self, ticket: int, *tags: str) -> None:
        """Add tags."""
        self.update(ticket, tags=dict.fromkeys((*self.tickets[ticket].tags, *tags)))

    def assign(self, ticket: int, agent: int | None, group: int | None = None) -> None:
        """Give the ticket to an agent, or to nobody."""
        self.update(ticket, responder_id=agent, group_id=group)

    def bulk_update(self, tickets: Iterable[int], **fields: Any) -> None:
        """The same fields of many tickets, all in one second."""
        with self.lock:
            for ticket in tickets:
                self.update(ticket, **fields)

    def touch(self, ticket: int) -> None:
        """An automation updates the ticket; there is nothing to see."""
        with self.lock:
            self._move(self._writable(ticket))

    def merge_contacts(self, into: int, others: Iterable[int]) -> None:
        """The others vanish; their tickets become those of the first one, and none moves."""
        with self.lock:
            gone = set(others)
            for ticket in self.tickets.values():
                if ticket.requester_id in gone:
                    ticket.requester_id = into
                    self._changed(ticket)
            for contact in gone:
                del self.contacts[contact]
            self.names_version += 1

    # --- messages --------------------------------------------------------------------------------

    def reply(
        self,
        ticket: int,
        text: Text,
        *,
        by: int | None = None,
        auto_response: bool = False,
        automation_id: int | None = None,
        source: int = REPLY,
        attach: Iterable[Upload] = (),
        inline: Iterable[Upload] = (),
    ) -> int:
        """A public answer by an agent (the first one by default), or by a customer where `by` is a contact; its id."""
        event = "{ticket_action:replied}"
        return self._say(
            ticket, text, by, event, source, attach, inline, auto_response=auto_response, automation_id=automation_id
        )

    def add_note(
        self,
        ticket: int,
        text: Text,
        *,
        private: bool = True,
        by: int | None = None,
        automation_id: int | None = None,
        attach: Iterable[Upload] = (),
        inline: Iterable[Upload] = (),
    ) -> int:
        """A note of an agent; its id."""
        event = f"{{note_type:{'private' if private else 'public'}}}"
        return self._say(ticket, text, by, event, NOTE, attach, inline, private=private, automation_id=automation_id)

    def forward(self, ticket: int, text: Text, *, by: int | None = None) -> int:
        """The ticket sent on to a third party; its id."""
        return self._say(ticket, text, by, "{ticket_action:forwarded}", FORWARD, (), (), private=True)

    def edit_conversation(self, conversation: int, text: Text) -> None:
        """Change a message; whether its ticket moves says `edits_move_tickets`."""
        with self.lock:
            ticket, message = self._message(conversation)
            ticket.withdrawn += message.text.phrases
            message.text, message.updated_at, message.edited_by = as_html(text), self.now(), self.agent
            if self.edits_move_tickets:
                self._move(ticket)

    def delete_conversation(self, conversation: int) -> None:
        """Remove a message; whether its ticket moves says `edits_move_tickets`."""
        with self.lock:
            ticket, message = self._message(conversation)
            ticket.withdrawn += message.text.phrases
            ticket.conversations.remove(message)
            if self.edits_move_tickets:
                self._move(ticket)

    def delete_attachment(self, attachment: int) -> None:
        """Remove a file of a ticket or message; its bytes are gone. No ticket moves."""
        with self.lock:
            kept = self.attachments.pop(attachment)
            for ticket in self.tickets.values():
                holders: list[Ticket | Conversation] = [ticket, *ticket.conversations]
                for holder in holders:
                    holder.attachments = tuple(one for one in holder.attachments if one is not kept)

    # --- coming and going ------------------------------------------------------------------------

    def delete(self, ticket: int) -> None:
        """Into the trash."""
        self._put(ticket, deleted=True)

    def restore(self, ticket: int) -> None:
        """Out of the trash."""
        self._put(ticket, deleted=False)

    def spam(self, ticket: int) -> None:
        """Into the spam folder."""
        self._put(ticket, spam=True)

    def unspam(self, ticket: int) -> None:
        """Out of the spam folder."""
        self._put(ticket, spam=False)

    def delete_for_ever(self, ticket: int) -> None:
        """Gone, from wherever it was."""
        with self.lock:
            del self.tickets[ticket]
            self.gone.add(ticket)
            self.tickets_version += 1

    def archive(self, ticket: int) -> None:
        """Out of every list, read-only, for good. Raises `ValueError` unless it is closed."""
        with self.lock:
            found = self._writable(ticket)
            if found.status != CLOSED or not found.is_listed:
                raise ValueError(f"Ticket {ticket} is not closed: only closed ones are archived.")
            found.archived = True
            self._changed(found)

    def archive_old(self) -> list[int]:
        """Archive what is closed and had no activity for 120 days, as Freshdesk does every night; the ids."""
        with self.lock:
            limit = self.now() - timedelta(days=ARCHIVED_AFTER_DAYS)
            found = [
                each.id
                for each in self.tickets.values()
                if each.is_listed and each.status == CLOSED and each.updated_at <= limit
            ]
            for ticket in found:
                self.archive(ticket)
            return found

    def merge(self, primary: int, secondaries: Iterable[int]) -> None:
        """Close the secondaries with a note that names the primary, which gets their text as a private note."""
        with self.lock:
            into = self._writable(primary)
            for secondary in secondaries:
                other = self._writable(secondary)
                heading = f"Ticket with ID {other.id} is merged into this one: {other.subject or ''}".rstrip(": ")
                copied = Html(
                    f"<div>{html.escape(heading, quote=False)}</div><br>{other.text.source}",
                    (" ".join(heading.split()), *other.text.phrases),
                    other.text.hidden,
                )
                # Addresses of inline images stay those of the secondary's files.
                note = self.add_note(primary, copied)
                into.conversations[-1].inline = other.inline
                assert into.conversations[-1].id == note
                self.add_note(secondary, f"This ticket is closed and merged into ticket {primary}")
                other.merged_into = primary
                self.update(secondary, status=CLOSED)

    # --- history ---------------------------------------------------------------------------------

    def at(self, ticket: int, *, created: datetime | None = None, updated: datetime | None = None) -> None:
        """Let a ticket have been made or updated at another time, as if the clock had stood there."""
        with self.lock:
            found = self.tickets[ticket]
            found.created_at = created or found.created_at
            found.updated_at = updated or found.updated_at
            self._changed(found)

    # --- inside ----------------------------------------------------------------------------------

    def is_agent(self, somebody: int) -> bool:
        """Whether an id is an agent's; contacts share the space of ids."""
        return somebody in self.agents

    def _say(
        self,
        ticket: int,
        text: Text,
        by: int | None,
        event: str,
        source: int,
        attach: Iterable[Upload],
        inline: Iterable[Upload],
        *,
        private: bool = False,
        auto_response: bool = False,
        automation_id: int | None = None,
    ) -> int:
        with self.lock:
            found = self._writable(ticket)
            now = self.now()
            author = self.agent if by is None else by
            message = Conversation(
                self.new_id(),
                ticket,
                as_html(text),
                author,
                not self.is_agent(author),
                private,
                source,
                now,
                now,
                auto_response,
                automation_id,
                attachments=self.store(attach),
                inline=self.store(inline),
            )
            found.conversations.append(message)
            self._ticket_of[message.id] = ticket
            self._move(found, event)
            return message.id

    def _status(self, code: int) -> str:
        return self.statuses[code][0] if code in self.statuses else str(code)

    def _message(self, conversation: int) -> tuple[Ticket, Conversation]:
        ticket = self._writable(self._ticket_of[conversation])
        return ticket, next(message for message in ticket.conversations if message.id == conversation)

    def _writable(self, ticket: int) -> Ticket:
        found = self.tickets[ticket]
        if found.archived:
            raise ValueError(f"Ticket {ticket} is archived: nothing of it changes any more.")
        return found

    def _put(self, ticket: int, **where: bool) -> None:
        with self.lock:
            found = self._writable(ticket)
            for name, value in where.items():
                setattr(found, name, value)
            if self.removal_moves_tickets:
                found.updated_at = self.now()
            self._changed(found)

    def _move(self, ticket: Ticket, *events: str) -> None:
        ticket.updated_at = self.now()
        self._changed(ticket)
        self.events += [(ticket.id, event) for event in events]

    def _changed(self, ticket: Ticket) -> None:
        ticket.version += 1
        self.tickets_version += 1
