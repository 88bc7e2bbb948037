"""Support tickets beside their documents: what can be asked of them as of records, and summaries of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    PrimaryKeyConstraint,
    UniqueConstraint,
    desc,
    text,
)
from sqlalchemy.dialects.postgresql import BIGINT, BYTEA, DATE, DOUBLE_PRECISION, JSONB, TEXT, TIMESTAMP, UUID
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import BOOLEAN, INTEGER

from arcana_pipelines.db.models.base import Base, one_of, owned_by_workspace, time, uuid_key, workspace_key

MESSAGE_TYPES = ("public", "private", "note")
AUTHOR_TYPES = ("agent", "customer", "system")
_PRESENT = text("removed_at IS NULL")


class Ticket(Base):
    """A ticket of a company's account on one platform.

    Without a workspace it was made here, and no source knows it. `created_at` and `updated_at` are the source's. One
    with `removed_at` is no longer there. `content_hash` is of what a summary is made of: title, question, and messages
    that customers see. `is_processed`: its summary is of this content.
    """

    __tablename__ = "tickets"
    __table_args__ = (
        owned_by_workspace("tickets"),
        ForeignKeyConstraint(
            ["document_id"], ["document.document_id"], name="tickets_document_id_fkey", ondelete="CASCADE"
        ),
        UniqueConstraint("id", "company_id", "platform"),
        CheckConstraint("platform ~ '^[a-z][a-z0-9_]*$'", name="platform"),
        CheckConstraint("ticket_id <> ''", name="ticket_id"),
        Index("idx_ticket_composite", "company_id", "platform", "ticket_id", unique=True),
        Index("idx_ticket_status", "company_id", "platform", "status", postgresql_where=_PRESENT),
        Index("idx_ticket_priority", "company_id", "platform", "priority", postgresql_where=_PRESENT),
        Index("idx_ticket_assignee", "company_id", "platform", "assignee_email", postgresql_where=_PRESENT),
        Index("idx_ticket_processed", "company_id", "platform", "is_processed", postgresql_where=_PRESENT),
        Index("idx_ticket_updated", "company_id", "platform", desc("updated_at"), "id", postgresql_where=_PRESENT),
        Index("tickets_document_id_idx", "document_id"),
        Index("tickets_workspace_id_idx", "workspace_id"),
    )

    id: Mapped[str] = uuid_key()
    company_id: Mapped[str] = mapped_column(UUID, ForeignKey("company.company_id", ondelete="CASCADE"))
    platform: Mapped[str] = mapped_column(TEXT)
    workspace_id: Mapped[str | None] = mapped_column(UUID)
    document_id: Mapped[str | None] = mapped_column(UUID)
    ticket_id: Mapped[str] = mapped_column(TEXT)
    title: Mapped[str] = mapped_column(TEXT, server_default=text("''"))
    description: Mapped[str] = mapped_column(TEXT, server_default=text("''"))
    status: Mapped[str] = mapped_column(TEXT, server_default=text("''"))
    priority: Mapped[str] = mapped_column(TEXT, server_default=text("''"))
    requester_email: Mapped[str | None] = mapped_column(TEXT)
    requester_name: Mapped[str | None] = mapped_column(TEXT)
    assignee_email: Mapped[str | None] = mapped_column(TEXT)
    assignee_name: Mapped[str | None] = mapped_column(TEXT)
    tags: Mapped[Any] = mapped_column(JSONB, nullable=False, server_default=text("'[]'"))
    custom_fields: Mapped[Any] = mapped_column(JSONB, nullable=False, server_default=text("'{}'"))
    summary: Mapped[Any] = mapped_column(JSONB, nullable=True)
    is_processed: Mapped[bool] = mapped_column(BOOLEAN, server_default=text("false"))
    created_at: Mapped[Any] = mapped_column(TIMESTAMP(timezone=True), nullable=False, server_default=text("now()"))
    updated_at: Mapped[Any] = mapped_column(TIMESTAMP(timezone=True), nullable=False, server_default=text("now()"))
    removed_at: Mapped[Any] = time()
    content_hash: Mapped[bytes | None] = mapped_column(BYTEA)


class Conversation(Base):
    """A message of a ticket: `public` was sent, customers see a `note`, and agents alone what is `private`."""

    __tablename__ = "conversations"
    __table_args__ = (
        ForeignKeyConstraint(
            ["ticket_id", "company_id", "platform"],
            ["tickets.id", "tickets.company_id", "tickets.platform"],
            name="conversations_ticket_id_fkey",
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        one_of("message_type", MESSAGE_TYPES),
        one_of("author_type", AUTHOR_TYPES),
        Index("conversations_ticket_id_conversation_id_key", "ticket_id", "conversation_id", unique=True),
        Index("idx_conversation_composite", "company_id", "platform", "ticket_id", "created_at"),
        Index("idx_conversation_type", "company_id", "platform", "message_type"),
        Index("idx_conversation_author", "company_id", "platform", "author_email"),
    )

    id: Mapped[str] = uuid_key()
    company_id: Mapped[str] = mapped_column(UUID)
    platform: Mapped[str] = mapped_column(TEXT)
    ticket_id: Mapped[str] = mapped_column(UUID)
    conversation_id: Mapped[str] = mapped_column(TEXT)
    content: Mapped[str] = mapped_column(TEXT, server_default=text("''"))
    message_type: Mapped[str] = mapped_column(TEXT)
    author_email: Mapped[str | None] = mapped_column(TEXT)
    author_name: Mapped[str | None] = mapped_column(TEXT)
    author_type: Mapped[str] = mapped_column(TEXT)
    attachments: Mapped[Any] = mapped_column(JSONB, nullable=False, server_default=text("'[]'"))
    created_at: Mapped[Any] = mapped_column(TIMESTAMP(timezone=True), nullable=False)


class TicketCount(Base):
    """How many tickets that are alike have come, or gone: the sum of such rows is how many there are.

    Triggers keep it. To count the tickets themselves takes the longer, the more there are.
    """

    __tablename__ = "ticket_counts"
    __table_args__ = (
        Index("ticket_counts_company_id_platform_idx", "company_id", "platform"),
        Index("ticket_counts_workspace_id_idx", "workspace_id"),
    )

    ticket_count_id: Mapped[int] = mapped_column(BIGINT, Identity(always=True), primary_key=True)
    company_id: Mapped[str] = mapped_column(UUID, ForeignKey("company.company_id", ondelete="CASCADE"))
    platform: Mapped[str] = mapped_column(TEXT)
    workspace_id: Mapped[str | None] = mapped_column(UUID, ForeignKey("workspace.workspace_id", ondelete="CASCADE"))
    status: Mapped[str] = mapped_column(TEXT)
    priority: Mapped[str] = mapped_column(TEXT)
    is_processed: Mapped[bool] = mapped_column(BOOLEAN)
    tickets: Mapped[int] = mapped_column(BIGINT)


class SummaryAttempt(Base):
    """A ticket whose summary is being made, or could not be made: of which content, by which model and prompt.

    `ends_at`: until then nobody else makes it, or tries again. `reserved_tokens` count against the day's budget while
    it is under way.
    """

    __tablename__ = "summary_attempt"
    __table_args__ = (
        one_of("state", ("under_way", "failed")),
        Index("summary_attempt_workspace_id_idx", "workspace_id"),
    )

    ticket_id: Mapped[str] = mapped_column(UUID, ForeignKey("tickets.id", ondelete="CASCADE"), primary_key=True)
    workspace_id: Mapped[str] = workspace_key()
    claim: Mapped[str] = mapped_column(UUID)
    state: Mapped[str] = mapped_column(TEXT)
    content_hash: Mapped[bytes] = mapped_column(BYTEA)
    model: Mapped[str] = mapped_column(TEXT)
    prompt_version: Mapped[int] = mapped_column(INTEGER)
    reserved_tokens: Mapped[int] = mapped_column(BIGINT)
    ends_at: Mapped[Any] = mapped_column(TIMESTAMP(timezone=True), nullable=False)
    reason: Mapped[str | None] = mapped_column(TEXT)


class SummaryUsage(Base):
    """What summaries have used of a chat model on one day (UTC)."""

    __tablename__ = "summary_usage"
    __table_args__ = (PrimaryKeyConstraint("workspace_id", "day", "model"),)

    workspace_id: Mapped[str] = workspace_key()
    day: Mapped[Any] = mapped_column(DATE)
    model: Mapped[str] = mapped_column(TEXT)
    requests: Mapped[int] = mapped_column(BIGINT)
    input_tokens: Mapped[int] = mapped_column(BIGINT)
    output_tokens: Mapped[int] = mapped_column(BIGINT)
    seconds: Mapped[float] = mapped_column(DOUBLE_PRECISION)
