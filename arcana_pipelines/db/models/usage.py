"""The log of what keys are used for."""

from __future__ import annotations

from typing import Any

from sqlalchemy import DDL, event, text
from sqlalchemy.dialects.postgresql import BOOLEAN, INTEGER, SMALLINT, TEXT, TIMESTAMP, UUID
from sqlalchemy.orm import Mapped, mapped_column

from arcana_pipelines.db.models.base import Base, one_of

ACTIONS = ("search", "read", "sync", "admin", "mcp", "other")


class ApiUsageLog(Base):
    """One request that had a good key, or several that were refused alike. Nothing of what was asked or answered.

    A search in several workspaces has a row for each, of which all but one are `is_further`.

    Partitioned by month, so that old months are dropped and not deleted from; what no month has goes into a default
    partition. No foreign keys: it outlives what it tells of, and a row that refers to nothing must not keep others
    from being written. No key of its own: an index of the parent could not be dropped by `pg_restore --clean`, so each
    partition has its own.
    """

    __tablename__ = "api_usage_logs"
    __table_args__ = (
        one_of("action", ACTIONS),
        {"postgresql_partition_by": "RANGE (at)"},
    )

    at: Mapped[Any] = mapped_column(TIMESTAMP(timezone=True))
    key_id: Mapped[str] = mapped_column(TEXT)
    company_id: Mapped[str] = mapped_column(UUID)
    workspace_id: Mapped[str | None] = mapped_column(UUID)
    action: Mapped[str] = mapped_column(TEXT)
    route: Mapped[str] = mapped_column(TEXT)
    status: Mapped[int] = mapped_column(SMALLINT)
    milliseconds: Mapped[int] = mapped_column(INTEGER)
    hits: Mapped[int | None] = mapped_column(INTEGER)
    tokens: Mapped[int | None] = mapped_column(INTEGER)
    request_id: Mapped[str] = mapped_column(TEXT)
    requests: Mapped[int] = mapped_column(INTEGER)
    is_further: Mapped[bool] = mapped_column(BOOLEAN, server_default=text("false"))

    # What the mapper tells rows apart by; the table has no such constraint.
    __mapper_args__ = {"primary_key": [key_id, at, request_id]}  # noqa: RUF012


for _statement in (
    "CREATE TABLE api_usage_logs_default PARTITION OF api_usage_logs DEFAULT",
    "CREATE INDEX api_usage_logs_default_key_id_at_idx ON api_usage_logs_default (key_id, at)",
):
    event.listen(ApiUsageLog.__table__, "after_create", DDL(_statement))  # type: ignore[no-untyped-call]
