"""The audit log."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.dialects.postgresql import BIGINT, BYTEA, JSONB, TEXT, TIMESTAMP, UUID
from sqlalchemy.orm import Mapped, mapped_column

from arcana_pipelines.db.models.base import Base, one_of

ACTIONS = (
    "workspace.registered",
    "workspace.changed",
    "workspace.removed",
    "key.created",
    "key.rotated",
    "key.revoked",
    "token.stored",
    "encryption_key.rotated",
    "removals.allowed",
    "index.published",
    "index.promoted",
    "index.rolled_back",
    "index.dropped",
    "usage.purged",
    "target.added",
    "target.dropped",
    "relation.added",
    "relation.removed",
    "file.added",
    "file.removed",
    "taxonomy.imported",
    "taxonomy.promoted",
    "taxonomy.rolled_back",
    "taxonomy.dropped",
    "taxonomy.changed",
    "topic.assigned",
    "topic.removed",
    "topic.accepted",
    "topic.rejected",
    "company.changed",
)


class AuditLog(Base):
    """Who did what, one row each, which no statement changes or deletes: a trigger refuses it (`rules.py`).

    Another trigger gives each row its number, its time, and its hash over its content and the hash of the row before.
    No foreign keys: it outlives what it tells of.
    """

    __tablename__ = "audit_logs"
    __table_args__ = (
        one_of("action", ACTIONS),
        CheckConstraint("octet_length(hash) = 32 AND octet_length(previous_hash) = 32", name="hash"),
        Index("audit_logs_workspace_slug_idx", "workspace_slug", "audit_log_id"),
    )

    audit_log_id: Mapped[int] = mapped_column(BIGINT, primary_key=True, autoincrement=False)
    at: Mapped[Any] = mapped_column(TIMESTAMP(timezone=True))
    actor: Mapped[str] = mapped_column(TEXT)
    company_id: Mapped[str | None] = mapped_column(UUID)
    workspace_id: Mapped[str | None] = mapped_column(UUID)
    workspace_slug: Mapped[str | None] = mapped_column(TEXT)
    action: Mapped[str] = mapped_column(TEXT)
    object: Mapped[str] = mapped_column(TEXT)
    details: Mapped[Any] = mapped_column(JSONB)
    previous_hash: Mapped[bytes] = mapped_column(BYTEA)
    hash: Mapped[bytes] = mapped_column(BYTEA)
