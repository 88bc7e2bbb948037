"""What was listed, by which sync, and what the sources said and allow."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import (
    ARRAY,
    BIGINT,
    BYTEA,
    JSONB,
    TEXT,
    TIMESTAMP,
    UUID,
)
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import BOOLEAN, INTEGER, REAL

from arcana_pipelines.db.models.base import Base, now, one_of, time, workspace_key

PAGE_STATES = ("pending", "fetched", "unchanged", "skipped", "quarantined", "suspect", "tombstoned")


class SyncGeneration(Base):
    """One sync of one workspace: what it listed and what became of it."""

    __tablename__ = "sync_generation"
    __table_args__ = (
        PrimaryKeyConstraint("workspace_id", "generation"),
        one_of("mode", ("full", "incremental", "audit")),
    )

    workspace_id: Mapped[str] = workspace_key()
    generation: Mapped[int] = mapped_column(BIGINT, autoincrement=False)
    mode: Mapped[str] = mapped_column(TEXT)
    listing_complete: Mapped[bool | None] = mapped_column(BOOLEAN)
    problems: Mapped[Any] = mapped_column(JSONB, nullable=False, server_default=text("'[]'"))
    counters: Mapped[Any] = mapped_column(JSONB, nullable=False, server_default=text("'{}'"))
    started_at: Mapped[Any] = now()
    finished_at: Mapped[Any] = time()


class SourcePage(Base):
    """The ledger: every item the source ever listed, and what became of it.

    `is_archived`: it is there, and no listing shows it any more. `comes_with` is the page whose reading brings this
    one, which no listing ever shows. `record` is what the listing brought beside the reference until the page is read,
    and what the reading brought for the tables of tickets until it is there.
    """

    __tablename__ = "source_page"
    __table_args__ = (
        PrimaryKeyConstraint("workspace_id", "external_id"),
        # A source has words of its own for what holds others.
        CheckConstraint("kind ~ '^[a-z][a-z_]*$'", name="kind"),
        one_of("state", PAGE_STATES),
        Index("source_page_document_id_idx", "document_id"),
        Index(
            "source_page_work_idx",
            "workspace_id",
            "state",
            postgresql_where=text("state NOT IN ('unchanged', 'tombstoned')"),
        ),
        Index(
            "source_page_unsettled_idx",
            "workspace_id",
            postgresql_where=text("state = 'unchanged' AND NOT settled"),
        ),
        Index("source_page_generation_idx", "workspace_id", "seen_generation"),
        Index("source_page_parent_idx", "workspace_id", "parent_external_id"),
        Index("source_page_edited_idx", "workspace_id", "last_edited_at"),
        Index("source_page_title_idx", "workspace_id", text("lower(left(title, 200))")),
        Index("source_page_database_idx", "workspace_id", postgresql_where=text("is_container")),
        Index("source_page_files_idx", "workspace_id", postgresql_where=text("files_unknown")),
        Index("source_page_archived_idx", "workspace_id", "seen_generation", postgresql_where=text("is_archived")),
        Index(
            "source_page_companions_idx",
            "workspace_id",
            "comes_with",
            postgresql_where=text("comes_with IS NOT NULL"),
        ),
        Index("source_page_removed_idx", "workspace_id", "removed_at", postgresql_where=text("state = 'tombstoned'")),
    )

    workspace_id: Mapped[str] = workspace_key()
    external_id: Mapped[str] = mapped_column(TEXT)
    kind: Mapped[str] = mapped_column(TEXT)
    parent_kind: Mapped[str] = mapped_column(TEXT)
    parent_external_id: Mapped[str | None] = mapped_column(TEXT)
    title: Mapped[str] = mapped_column(TEXT, server_default=text("''"))
    url: Mapped[str | None] = mapped_column(TEXT)
    properties: Mapped[Any] = mapped_column(JSONB, nullable=False, server_default=text("'{}'"))
    revision: Mapped[str] = mapped_column(TEXT)
    last_edited_at: Mapped[Any] = time()
    in_trash: Mapped[bool] = mapped_column(BOOLEAN, server_default=text("false"))
    body: Mapped[str | None] = mapped_column(TEXT)
    body_links: Mapped[Any] = mapped_column(ARRAY(TEXT), nullable=False, server_default=text("'{}'"))
    fetched_revision: Mapped[str | None] = mapped_column(TEXT)
    fetched_at: Mapped[Any] = time()
    settled: Mapped[bool] = mapped_column(BOOLEAN, server_default=text("false"))
    partial: Mapped[Any] = mapped_column(JSONB, nullable=False, server_default=text("'[]'"))
    links: Mapped[Any] = mapped_column(ARRAY(TEXT), nullable=False, server_default=text("'{}'"))
    normaliser: Mapped[int | None] = mapped_column(INTEGER)
    content_hash: Mapped[bytes | None] = mapped_column(BYTEA)
    metadata_hash: Mapped[bytes | None] = mapped_column(BYTEA)
    state: Mapped[str] = mapped_column(TEXT, server_default=text("'pending'"))
    outcome: Mapped[str | None] = mapped_column(TEXT)
    reason: Mapped[str | None] = mapped_column(TEXT)
    attempts: Mapped[int] = mapped_column(INTEGER, server_default=text("0"))
    next_attempt_at: Mapped[Any] = time()
    seen_generation: Mapped[int] = mapped_column(BIGINT)
    document_id: Mapped[str | None] = mapped_column(UUID, ForeignKey("document.document_id", ondelete="SET NULL"))
    removed_at: Mapped[Any] = time()
    unknown_types: Mapped[Any] = mapped_column(ARRAY(TEXT), nullable=False, server_default=text("'{}'"))
    is_container: Mapped[bool] = mapped_column(BOOLEAN, server_default=text("false"))
    editor_id: Mapped[str | None] = mapped_column(TEXT)
    editor_name: Mapped[str | None] = mapped_column(TEXT)
    files_unknown: Mapped[bool] = mapped_column(BOOLEAN, server_default=text("false"))
    is_internal: Mapped[bool] = mapped_column(BOOLEAN, server_default=text("false"))
    is_archived: Mapped[bool] = mapped_column(BOOLEAN, server_default=text("false"))
    comes_with: Mapped[str | None] = mapped_column(TEXT)
    record: Mapped[Any] = mapped_column(JSONB, nullable=True)


class SourceSweep(Base):
    """Where the sweep of a workspace stands (see `ledger.sweeps`), and which one was the last whole one.

    `began_at` is NULL while none is under way, `generation` the newest sync when it began. `stage`, `container` and
    `place` say what is asked next: a listing of pages, of a container's rows, or for single pages that none has shown.
    """

    __tablename__ = "source_sweep"
    __table_args__ = (one_of("stage", ("pages", "rows", "looks")),)

    workspace_id: Mapped[str] = workspace_key(primary_key=True)
    began_at: Mapped[Any] = time()
    generation: Mapped[int] = mapped_column(BIGINT, server_default=text("0"))
    stage: Mapped[str] = mapped_column(TEXT, server_default=text("'pages'"))
    container: Mapped[str | None] = mapped_column(TEXT)
    place: Mapped[str | None] = mapped_column(TEXT)
    answers: Mapped[int] = mapped_column(INTEGER, server_default=text("0"))
    idle: Mapped[int] = mapped_column(INTEGER, server_default=text("0"))
    looked: Mapped[Any] = mapped_column(ARRAY(TEXT), nullable=False, server_default=text("'{}'"))
    gone: Mapped[int] = mapped_column(INTEGER, server_default=text("0"))
    failures: Mapped[int] = mapped_column(INTEGER, server_default=text("0"))
    next_at: Mapped[Any] = now()
    problem: Mapped[str | None] = mapped_column(TEXT)
    ended_in_vain: Mapped[int] = mapped_column(INTEGER, server_default=text("0"))
    whole_began_at: Mapped[Any] = time()
    whole_ended_at: Mapped[Any] = time()
    whole_requests: Mapped[int | None] = mapped_column(INTEGER)


class SourceSweepAnswer(Base):
    """The ids of the pages that one answer of a running sweep has shown: a hundred at once, so that few rows do."""

    __tablename__ = "source_sweep_answer"
    __table_args__ = (PrimaryKeyConstraint("workspace_id", "answer"),)

    workspace_id: Mapped[str] = workspace_key()
    answer: Mapped[int] = mapped_column(INTEGER)
    ids: Mapped[Any] = mapped_column(ARRAY(TEXT), nullable=False)


class UnlistedPage(Base):
    """A page that a sweep did not show, and what a direct look at it then said.

    `is_gone`: it was not there. `is_missed`: the sweep that found so was whole, and the next sync takes it for missing.
    Else `sweeps` counts those, one after the other, that did not show it although it was there.
    """

    __tablename__ = "unlisted_page"
    __table_args__ = (
        PrimaryKeyConstraint("workspace_id", "external_id"),
        ForeignKeyConstraint(
            ["workspace_id", "external_id"],
            ["source_page.workspace_id", "source_page.external_id"],
            name="unlisted_page_workspace_id_fkey",
            ondelete="CASCADE",
        ),
    )

    workspace_id: Mapped[str] = mapped_column(UUID)
    external_id: Mapped[str] = mapped_column(TEXT)
    is_gone: Mapped[bool] = mapped_column(BOOLEAN, server_default=text("false"))
    is_missed: Mapped[bool] = mapped_column(BOOLEAN, server_default=text("false"))
    sweeps: Mapped[int] = mapped_column(INTEGER, server_default=text("0"))


class SourceLimit(Base):
    """How fast one token may ask its source, learned and shared by every process.

    `sweep_at`: when a sweep of any of its workspaces may ask again.
    """

    __tablename__ = "source_limit"

    credential_hash: Mapped[str] = mapped_column(TEXT, primary_key=True)
    configured: Mapped[int] = mapped_column(INTEGER)
    per_minute: Mapped[float] = mapped_column(REAL)
    paused_until: Mapped[Any] = time()
    reason: Mapped[str | None] = mapped_column(TEXT)
    adjusted_at: Mapped[Any] = now()
    sweep_at: Mapped[Any] = time()


class SourceRequest(Base):
    """Requests sent with one token, a row a second; a minute of them is kept."""

    __tablename__ = "source_request"
    __table_args__ = (PrimaryKeyConstraint("credential_hash", "second"),)

    credential_hash: Mapped[str] = mapped_column(
        TEXT, ForeignKey("source_limit.credential_hash", ondelete="CASCADE"), nullable=False
    )
    second: Mapped[Any] = mapped_column(TIMESTAMP(timezone=True))
    requests: Mapped[int] = mapped_column(INTEGER)


class WebhookEvent(Base):
    """A change that the source announced: it makes a sync come sooner and changes nothing else."""

    __tablename__ = "webhook_event"
    __table_args__ = (
        PrimaryKeyConstraint("workspace_id", "event_id"),
        Index("webhook_event_waiting_idx", "workspace_id", postgresql_where=text("generation IS NULL")),
    )

    workspace_id: Mapped[str] = workspace_key()
    event_id: Mapped[str] = mapped_column(TEXT)
    event_type: Mapped[str] = mapped_column(TEXT)
    external_id: Mapped[str | None] = mapped_column(TEXT)
    occurred_at: Mapped[Any] = time()
    received_at: Mapped[Any] = now()
    generation: Mapped[int | None] = mapped_column(BIGINT)
