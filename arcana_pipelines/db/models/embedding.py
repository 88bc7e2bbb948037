"""Embeddings, what they cost, and what waits at a provider."""

from __future__ import annotations

from typing import Any

from pgvector.sqlalchemy import VECTOR
from sqlalchemy import (
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import (
    BIGINT,
    BYTEA,
    DATE,
    DOUBLE_PRECISION,
    NUMERIC,
    TEXT,
    UUID,
)
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import INTEGER

from arcana_pipelines.db.models.base import Base, now, one_of, time, uuid_key, workspace_key


class EmbeddingStore(Base):
    """Every embedding a workspace ever paid for, by what was embedded with what."""

    __tablename__ = "embedding_store"
    __table_args__ = (PrimaryKeyConstraint("workspace_id", "embedding_model", "dimensions", "text_hash"),)

    workspace_id: Mapped[str] = workspace_key()
    embedding_model: Mapped[str] = mapped_column(TEXT)
    dimensions: Mapped[int] = mapped_column(INTEGER, autoincrement=False)
    text_hash: Mapped[bytes] = mapped_column(BYTEA)
    embedding: Mapped[Any] = mapped_column(VECTOR, nullable=False)
    token_count: Mapped[int] = mapped_column(INTEGER)
    created_at: Mapped[Any] = now()


class EmbeddingRejected(Base):
    """A text that the provider refuses; it is not sent again until a person says so."""

    __tablename__ = "embedding_rejected"
    __table_args__ = (PrimaryKeyConstraint("workspace_id", "embedding_model", "dimensions", "text_hash"),)

    workspace_id: Mapped[str] = workspace_key()
    embedding_model: Mapped[str] = mapped_column(TEXT)
    dimensions: Mapped[int] = mapped_column(INTEGER, autoincrement=False)
    text_hash: Mapped[bytes] = mapped_column(BYTEA)
    reason: Mapped[str] = mapped_column(TEXT)
    rejected_at: Mapped[Any] = now()


class EmbeddingUsage(Base):
    """What a workspace's embeddings cost in one month (UTC), in US dollars. A model without a known price costs 0."""

    __tablename__ = "embedding_usage"
    __table_args__ = (
        PrimaryKeyConstraint("workspace_id", "month", "embedding_model", "tier"),
        one_of("tier", ("standard", "batch")),
    )

    workspace_id: Mapped[str] = workspace_key()
    month: Mapped[Any] = mapped_column(DATE)
    embedding_model: Mapped[str] = mapped_column(TEXT)
    tier: Mapped[str] = mapped_column(TEXT)
    texts: Mapped[int] = mapped_column(BIGINT)
    tokens: Mapped[int] = mapped_column(BIGINT)
    cost: Mapped[Any] = mapped_column(NUMERIC, nullable=False)
    seconds: Mapped[float] = mapped_column(DOUBLE_PRECISION)


class EmbeddingBatch(Base):
    """Texts that were sent through a provider's batch interface. `most_cost` is reserved until they are answered."""

    __tablename__ = "embedding_batch"
    __table_args__ = (
        one_of("state", ("sending", "waiting", "done", "failed")),
        Index("embedding_batch_workspace_id_idx", "workspace_id"),
    )

    embedding_batch_id: Mapped[str] = uuid_key()
    workspace_id: Mapped[str] = workspace_key()
    embedding_model: Mapped[str] = mapped_column(TEXT)
    dimensions: Mapped[int] = mapped_column(INTEGER)
    state: Mapped[str] = mapped_column(TEXT, server_default=text("'sending'"))
    provider_batch_id: Mapped[str | None] = mapped_column(TEXT)
    input_file_id: Mapped[str | None] = mapped_column(TEXT)
    texts: Mapped[int] = mapped_column(INTEGER)
    most_cost: Mapped[Any] = mapped_column(NUMERIC, nullable=False)
    reason: Mapped[str | None] = mapped_column(TEXT)
    created_at: Mapped[Any] = now()
    checked_at: Mapped[Any] = time()
    finished_at: Mapped[Any] = time()


class EmbeddingBatchText(Base):
    """A text that waits in a batch. It leaves with its answer, or with the end of the batch."""

    __tablename__ = "embedding_batch_text"
    __table_args__ = (PrimaryKeyConstraint("embedding_batch_id", "text_hash"),)

    embedding_batch_id: Mapped[str] = mapped_column(
        UUID, ForeignKey("embedding_batch.embedding_batch_id", ondelete="CASCADE")
    )
    text_hash: Mapped[bytes] = mapped_column(BYTEA)
