"""What the tables share: their names, keys, times and types."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    MetaData,
    text,
)
from sqlalchemy.dialects.postgresql import (
    TIMESTAMP,
    UUID,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import UserDefinedType


class LTREE(UserDefinedType[str]):
    """PostgreSQL's label path (extension ltree)."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "LTREE"


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "fk": "%(table_name)s_%(column_0_name)s_fkey",
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ck": "%(table_name)s_%(constraint_name)s_check",
        }
    )


def uuid_key() -> Mapped[str]:
    return mapped_column(UUID, primary_key=True, server_default=text("gen_random_uuid()"))


def now() -> Mapped[Any]:
    return mapped_column(TIMESTAMP(timezone=True), nullable=False, server_default=text("now()"))


def time() -> Mapped[Any]:
    return mapped_column(TIMESTAMP(timezone=True), nullable=True)


def workspace_key(**options: Any) -> Mapped[str]:
    return mapped_column(UUID, ForeignKey("workspace.workspace_id", ondelete="CASCADE"), **options)


def owned_by_workspace(table: str) -> ForeignKeyConstraint:
    """The workspace of a row, whose company and platform it has, too."""
    owner = ("workspace_id", "company_id", "platform")
    return ForeignKeyConstraint(
        owner,
        [f"workspace.{column}" for column in owner],
        name=f"{table}_workspace_id_fkey",
        onupdate="CASCADE",
        ondelete="CASCADE",
    )


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    quoted = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({quoted})", name=column)
