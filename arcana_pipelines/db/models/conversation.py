"""Conversations: what was asked in them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, text
from sqlalchemy.dialects.postgresql import INTEGER, TEXT, TIMESTAMP, UUID
from sqlalchemy.orm import Mapped, mapped_column

from arcana_pipelines.db.models.base import Base, now


class ConversationContext(Base):
    """A question that was asked in a conversation, or, as turn 0, the beginning of one, which has none.

    `key_id` is that of the key that began it, or what stands for somebody who logged in elsewhere: no foreign key. The
    question was searched with those up to the turn `asked_after`.
    """

    __tablename__ = "conversation_context"
    __table_args__ = (
        ForeignKeyConstraint(
            ["company_id", "workspace_id"],
            ["workspace.company_id", "workspace.workspace_id"],
            name="conversation_context_workspace_id_fkey",
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        CheckConstraint("turn >= 0 AND (turn = 0) = (question IS NULL)", name="turn"),
        Index("conversation_context_workspace_id_idx", "company_id", "workspace_id"),
        Index("conversation_context_expires_at_idx", "expires_at"),
    )

    conversation_id: Mapped[str] = mapped_column(UUID, primary_key=True)
    turn: Mapped[int] = mapped_column(INTEGER, primary_key=True, autoincrement=False)
    company_id: Mapped[str] = mapped_column(UUID)
    workspace_id: Mapped[str] = mapped_column(UUID)
    index_name: Mapped[str] = mapped_column(TEXT)
    key_id: Mapped[str] = mapped_column(TEXT)
    question: Mapped[str | None] = mapped_column(TEXT)
    asked_at: Mapped[Any] = now()
    asked_after: Mapped[int] = mapped_column(INTEGER, server_default=text("0"))
    expires_at: Mapped[Any] = mapped_column(TIMESTAMP(timezone=True), nullable=False)
