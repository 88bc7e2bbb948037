"""Alerts: what was found, and what was told of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ForeignKey,
    Identity,
    Index,
    text,
)
from sqlalchemy.dialects.postgresql import (
    BIGINT,
    TEXT,
)
from sqlalchemy.orm import Mapped, mapped_column

from arcana_pipelines.db.models.base import Base, now, time


class Alert(Base):
    """Something that a person should know: one row for each cause while it lasts, told once.

    `workspace` is a slug, and empty for what concerns the installation; the row outlives its workspace, so that the end
    can be told. `subject` tells causes of the same kind apart. `detail` is text from outside.
    `told_at`, `resolved_told_at` and `unanswered_at` are of releases that knew one receiver; nothing reads them now.
    """

    __tablename__ = "alert"
    __table_args__ = (
        Index(
            "alert_open_key", "cause", "workspace", "subject", unique=True,
            postgresql_where=text("resolved_at IS NULL"),
        ),
    )  # fmt: skip

    alert_id: Mapped[int] = mapped_column(BIGINT, Identity(always=True), primary_key=True)
    cause: Mapped[str] = mapped_column(TEXT)
    workspace: Mapped[str] = mapped_column(TEXT)
    subject: Mapped[str] = mapped_column(TEXT, server_default=text("''"))
    detail: Mapped[str] = mapped_column(TEXT, server_default=text("''"))
    next_step: Mapped[str] = mapped_column(TEXT, server_default=text("''"))
    run_id: Mapped[str | None] = mapped_column(TEXT)
    since: Mapped[Any] = now()
    last_seen_at: Mapped[Any] = now()
    resolved_at: Mapped[Any] = time()
    told_at: Mapped[Any] = time()
    resolved_told_at: Mapped[Any] = time()
    text: Mapped[str] = mapped_column(TEXT)
    unanswered_at: Mapped[Any] = time()


class AlertDelivery(Base):
    """Who is to be told of an alert, and was: one row for each of its receivers.

    `unanswered_at` is when it, or its end, was last sent to a receiver that did not answer, `failed_at` when one last
    did not take it. `problem` is why, of the last attempt; empty where it succeeded.
    """

    __tablename__ = "alert_delivery"

    alert_id: Mapped[int] = mapped_column(BIGINT, ForeignKey("alert.alert_id", ondelete="CASCADE"), primary_key=True)
    receiver: Mapped[str] = mapped_column(TEXT, primary_key=True)
    told_at: Mapped[Any] = time()
    resolved_told_at: Mapped[Any] = time()
    unanswered_at: Mapped[Any] = time()
    failed_at: Mapped[Any] = time()
    problem: Mapped[str] = mapped_column(TEXT, server_default=text("''"))
