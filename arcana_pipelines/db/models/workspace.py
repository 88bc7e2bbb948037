"""Workspaces."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import (
    BIGINT,
    BYTEA,
    JSONB,
    NUMERIC,
    TEXT,
    UUID,
)
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import BOOLEAN, INTEGER

from arcana_pipelines.db.models.base import Base, now, one_of, time, uuid_key, workspace_key

WORKSPACE_STATUSES = ("active", "paused", "deleting")


class Workspace(Base):
    """A tenant: one connected source, its documents and its indexes. The slug is the partition key."""

    __tablename__ = "workspace"
    __table_args__ = (
        UniqueConstraint("slug"),
        UniqueConstraint("company_id", "workspace_id"),
        UniqueConstraint("workspace_id", "company_id", "platform", name="workspace_owner_key"),
        CheckConstraint("slug ~ '^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$'", name="slug"),
        one_of("status", WORKSPACE_STATUSES),
        CheckConstraint("platform ~ '^[a-z][a-z0-9_]*$'", name="platform"),
    )

    workspace_id: Mapped[str] = uuid_key()
    company_id: Mapped[str] = mapped_column(UUID, ForeignKey("company.company_id"))
    slug: Mapped[str] = mapped_column(TEXT)
    name: Mapped[str] = mapped_column(TEXT)
    platform: Mapped[str] = mapped_column(TEXT)
    user_id: Mapped[str] = mapped_column(UUID, server_default=text("gen_random_uuid()"))
    source_config: Mapped[Any] = mapped_column(JSONB, nullable=False, server_default=text("'{}'"))
    credential_ref: Mapped[str | None] = mapped_column(TEXT)
    source_workspace_id: Mapped[str | None] = mapped_column(TEXT)
    credential_hash: Mapped[str | None] = mapped_column(TEXT)
    storage_path: Mapped[str] = mapped_column(TEXT)
    status: Mapped[str] = mapped_column(TEXT, server_default=text("'active'"))
    generation: Mapped[int] = mapped_column(BIGINT, server_default=text("0"))
    source_cursor: Mapped[str | None] = mapped_column(TEXT)
    polled_at: Mapped[Any] = time()
    poll_after: Mapped[Any] = time()
    poll_failures: Mapped[int] = mapped_column(INTEGER, server_default=text("0"))
    poll_problem: Mapped[str | None] = mapped_column(TEXT)
    sync_needed: Mapped[str | None] = mapped_column(TEXT)
    embedding_budget: Mapped[Any] = mapped_column(NUMERIC, nullable=True)
    declared_by: Mapped[str | None] = mapped_column(TEXT)
    created_at: Mapped[Any] = now()
    updated_at: Mapped[Any] = now()
    unchanged_at: Mapped[Any] = time()
    sync_asked_at: Mapped[Any] = time()


class WorkspacePlaces(Base):
    """How often the places, properties and links of a workspace's documents have changed, which searches look at beside
    what an index serves. Triggers count; none of a company's roles reads it."""

    __tablename__ = "workspace_places"

    workspace_id: Mapped[str] = workspace_key(primary_key=True)
    changes: Mapped[int] = mapped_column(BIGINT)


class SourceCredential(Base):
    """A workspace's token, encrypted with the key whose id stands beside it (see `credentials.cipher`)."""

    __tablename__ = "source_credential"
    __table_args__ = (CheckConstraint("octet_length(sealed) > 28", name="sealed"),)

    workspace_id: Mapped[str] = workspace_key(primary_key=True)
    key_id: Mapped[str] = mapped_column(TEXT)
    sealed: Mapped[bytes] = mapped_column(BYTEA)
    created_at: Mapped[Any] = now()
    updated_at: Mapped[Any] = now()


class WorkspaceLease(Base):
    """Which run works on a workspace (see `workspaces.lease`). `run` is NULL while none does; the row stays.

    `fencing` counts the holders. `is_resting`: no process is at work, and the next step of the run is to come.
    """

    __tablename__ = "workspace_lease"
    __table_args__ = (one_of("role", ("read", "index")),)

    workspace_id: Mapped[str] = workspace_key(primary_key=True)
    run: Mapped[str | None] = mapped_column(TEXT)
    role: Mapped[str | None] = mapped_column(TEXT)
    is_resting: Mapped[bool] = mapped_column(BOOLEAN, server_default=text("false"))
    heartbeat_at: Mapped[Any] = now()
    fencing: Mapped[int] = mapped_column(BIGINT, server_default=text("0"))


class RetiredSlug(Base):
    """A slug that was removed. Dagster keeps a deleted partition's history, so it is never given again."""

    __tablename__ = "retired_slug"

    slug: Mapped[str] = mapped_column(TEXT, primary_key=True)
    retired_at: Mapped[Any] = now()
