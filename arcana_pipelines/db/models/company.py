"""Companies, and the keys that open what is theirs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.dialects.postgresql import BYTEA, INTEGER, JSONB, TEXT, TIMESTAMP, UUID
from sqlalchemy.orm import Mapped, mapped_column

from arcana_pipelines.db.models.base import Base, now, one_of, time, uuid_key

SCOPES = ("search", "read", "notes", "sync", "feedback", "review", "admin")


class Company(Base):
    """Whoever owns workspaces: the tenant of rights, keys and quotas."""

    __tablename__ = "company"
    __table_args__ = (
        UniqueConstraint("name"),
        CheckConstraint(r"name ~ '^\S(.{0,198}\S)?$'", name="name"),
        CheckConstraint("requests_per_minute > 0", name="requests_per_minute"),
        CheckConstraint("searches_per_month > 0", name="searches_per_month"),
    )

    company_id: Mapped[str] = uuid_key()
    name: Mapped[str] = mapped_column(TEXT)
    created_at: Mapped[Any] = now()
    updated_at: Mapped[Any] = now()
    # Of all of its keys together.
    requests_per_minute: Mapped[int | None] = mapped_column(INTEGER)
    searches_per_month: Mapped[int | None] = mapped_column(INTEGER)


class ApiKey(Base):
    """A key, of which only a keyed hash is stored. `key_id` is the readable part of the key itself."""

    __tablename__ = "api_keys"
    __table_args__ = (
        UniqueConstraint("company_id", "key_id"),
        CheckConstraint("octet_length(key_hash) = 32", name="key_hash"),
        CheckConstraint("requests_per_minute > 0", name="requests_per_minute"),
        CheckConstraint("searches_per_month > 0", name="searches_per_month"),
    )

    key_id: Mapped[str] = mapped_column(TEXT, primary_key=True)
    company_id: Mapped[str] = mapped_column(UUID, ForeignKey("company.company_id"))
    name: Mapped[str] = mapped_column(TEXT)
    key_hash: Mapped[bytes] = mapped_column(BYTEA)
    created_by: Mapped[str] = mapped_column(TEXT)
    created_at: Mapped[Any] = now()
    expires_at: Mapped[Any] = time()
    revoked_at: Mapped[Any] = time()
    rotated_from: Mapped[str | None] = mapped_column(TEXT, ForeignKey("api_keys.key_id"))
    last_used_at: Mapped[Any] = time()
    requests_per_minute: Mapped[int | None] = mapped_column(INTEGER)
    searches_per_month: Mapped[int | None] = mapped_column(INTEGER)


class EndedSession(Base):
    """A session of the page that somebody has logged out of, by a hash of its random part, until it would have ended.

    No company's: it names neither a key nor a person. The next log-out deletes those whose time has come.
    """

    __tablename__ = "ended_sessions"
    __table_args__ = (CheckConstraint("octet_length(session_hash) = 32", name="session_hash"),)

    session_hash: Mapped[bytes] = mapped_column(BYTEA, primary_key=True)
    ends_at: Mapped[Any] = mapped_column(TIMESTAMP(timezone=True), nullable=False)


class ApiKeyPermission(Base):
    """One thing that a key may do: in a workspace, or in all of its company's where none is named.

    `filters` are added to every search that the key makes by this permission.
    """

    __tablename__ = "api_key_permissions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["company_id", "key_id"],
            ["api_keys.company_id", "api_keys.key_id"],
            name="api_key_permissions_key_id_fkey",
            ondelete="CASCADE",
        ),
        ForeignKeyConstraint(
            ["company_id", "workspace_id"],
            ["workspace.company_id", "workspace.workspace_id"],
            name="api_key_permissions_workspace_id_fkey",
            ondelete="CASCADE",
        ),
        UniqueConstraint("key_id", "scope", "workspace_id", "index_name", postgresql_nulls_not_distinct=True),
        one_of("scope", SCOPES),
        CheckConstraint("index_name IS NULL OR workspace_id IS NOT NULL", name="index_name"),
        # Nothing else knows them: what is granted beside would be granted whole.
        CheckConstraint("filters IS NULL OR scope = 'search'", name="filters"),
    )

    api_key_permission_id: Mapped[str] = uuid_key()
    key_id: Mapped[str] = mapped_column(TEXT)
    company_id: Mapped[str] = mapped_column(UUID)
    scope: Mapped[str] = mapped_column(TEXT)
    workspace_id: Mapped[str | None] = mapped_column(UUID)
    index_name: Mapped[str | None] = mapped_column(TEXT)
    filters: Mapped[Any] = mapped_column(JSONB, nullable=True)
