"""A support ticket as a source gives it, beside its Markdown: what the tables of tickets are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

__all__ = ["AttachmentRecord", "ConversationRecord", "TicketRecord"]


class AttachmentRecord(TypedDict):
    """A file of a message. No address: those that sources give hold signatures.

    Attributes:
        name: as a person sees it.
        content_type: as the source says; None: it does not.
        size: bytes; None likewise.
    """

    name: str
    content_type: str | None
    size: int | None


class ConversationRecord(TypedDict):
    """A message of a ticket.

    Attributes:
        conversation_id: the source's id.
        content: Markdown, without the history that a mail quotes.
        message_type: `public` was sent to or by the customer, `note` is one that customers see, `private` one that only
            agents do.
        author_email: None: not known, or there is none.
        author_name: likewise.
        author_type: `system`: an automation wrote it.
        attachments: in the order of the source.
        created_at: ISO 8601 with a zone.
    """

    conversation_id: str
    content: str
    message_type: Literal["public", "private", "note"]
    author_email: str | None
    author_name: str | None
    author_type: Literal["agent", "customer", "system"]
    attachments: Sequence[AttachmentRecord]
    created_at: str


class TicketRecord(TypedDict):
    """A ticket with its messages, oldest first.

    Attributes:
        ticket_id: as people call it.
        description: the question, Markdown.
        status: its name in the source, such as `Open`.
        priority: likewise.
        requester_email: whose question it is; None: not known.
        requester_name: likewise.
        assignee_email: the agent's; None: nobody's.
        assignee_name: likewise.
        tags: in the order of the source.
        custom_fields: by name, JSON.
        conversations: private ones only where the workspace reads them.
        created_at: ISO 8601 with a zone.
        updated_at: likewise.
    """

    ticket_id: str
    description: str
    status: str
    priority: str
    requester_email: str | None
    requester_name: str | None
    assignee_email: str | None
    assignee_name: str | None
    tags: Sequence[str]
    custom_fields: Mapping[str, Any]
    conversations: Sequence[ConversationRecord]
    created_at: str
    updated_at: str
