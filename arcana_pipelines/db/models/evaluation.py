"""Golden questions and how well they were answered."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ForeignKey,
    Identity,
    Index,
    PrimaryKeyConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import (
    BIGINT,
    JSONB,
    TEXT,
    UUID,
)
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import BOOLEAN, INTEGER

from arcana_pipelines.db.models.base import Base, now, workspace_key


class GoldenQuestion(Base):
    """A question with the pages and passages that answer it, kept so that every build can be evaluated."""

    __tablename__ = "golden_question"
    __table_args__ = (PrimaryKeyConstraint("workspace_id", "query"),)

    workspace_id: Mapped[str] = workspace_key()
    query: Mapped[str] = mapped_column(TEXT)
    relevant: Mapped[Any] = mapped_column(JSONB, nullable=False)
    added_at: Mapped[Any] = now()


class RetrievalQuality(Base):
    """How well one build answered golden questions. A result, and so a baseline, outlives its build.

    `by_question` has the decisive measure of each question by its key, so that two results can be compared on the
    questions that both answered.
    """

    __tablename__ = "retrieval_quality"
    __table_args__ = (
        Index("retrieval_quality_rag_index_id_idx", "rag_index_id", "measured_at"),
        Index("retrieval_quality_baseline_key", "rag_index_id", unique=True, postgresql_where=text("is_baseline")),
    )

    retrieval_quality_id: Mapped[int] = mapped_column(BIGINT, Identity(always=True), primary_key=True)
    rag_index_id: Mapped[str] = mapped_column(UUID, ForeignKey("rag_indexes.rag_index_id", ondelete="CASCADE"))
    rag_index_build_id: Mapped[int] = mapped_column(INTEGER)
    measured_at: Mapped[Any] = now()
    questions: Mapped[int] = mapped_column(INTEGER)
    metrics: Mapped[Any] = mapped_column(JSONB, nullable=False)
    by_question: Mapped[Any] = mapped_column(JSONB, nullable=False)
    is_baseline: Mapped[bool] = mapped_column(BOOLEAN, server_default=text("false"))
