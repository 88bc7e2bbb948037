"""Documents, their versions, and what can be asked of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    PrimaryKeyConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import (
    BIGINT,
    JSONB,
    NUMERIC,
    SMALLINT,
    TEXT,
    TIMESTAMP,
    UUID,
)
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import BOOLEAN, INTEGER

from arcana_pipelines.db.models.base import LTREE, Base, now, one_of, owned_by_workspace, time, uuid_key, workspace_key


class Document(Base):
    """Identity, place and owner of a page, and a pointer to its latest content.

    `is_internal`: it is not for everybody who may read the workspace; what hangs on it is not, either.
    """

    __tablename__ = "document"
    __table_args__ = (
        ForeignKeyConstraint(
            ["latest_content_id"],
            ["document_content.document_content_id"],
            name="document_latest_content_id_fkey",
            use_alter=True,
            deferrable=True,
            initially="DEFERRED",
        ),
        owned_by_workspace("document"),
        one_of("kind", ("note", "file", "folder")),
        one_of("upload_status", ("pending", "uploading", "uploaded", "upload_failed")),
        Index(
            "document_user_id_path_key",
            "user_id",
            "path",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("document_path_gist", "path", postgresql_using="gist"),
        Index("document_workspace_id_idx", "workspace_id"),
        Index("document_internal_idx", "workspace_id", postgresql_where=text("is_internal")),
    )

    document_id: Mapped[str] = uuid_key()
    workspace_id: Mapped[str] = mapped_column(UUID)
    company_id: Mapped[str] = mapped_column(UUID)
    platform: Mapped[str] = mapped_column(TEXT)
    user_id: Mapped[str] = mapped_column(UUID)
    path: Mapped[str] = mapped_column(LTREE)
    kind: Mapped[str] = mapped_column(TEXT, server_default=text("'note'"))
    file_meta: Mapped[Any] = mapped_column(JSONB, nullable=True)
    upload_status: Mapped[str | None] = mapped_column(TEXT)
    latest_content_id: Mapped[str | None] = mapped_column(UUID)
    created_at: Mapped[Any] = now()
    updated_at: Mapped[Any] = now()
    deleted_at: Mapped[Any] = time()
    is_internal: Mapped[bool] = mapped_column(BOOLEAN, server_default=text("false"))


class DocumentContent(Base):
    """One immutable version of a document's content.

    `user_id` is of the person who edited it last in the source (not of the workspace's owner), NULL where that is not
    known; their name, where the source gives it, is `edited_by` in `contents`.
    """

    __tablename__ = "document_content"
    __table_args__ = (
        CheckConstraint("version >= 1", name="version"),
        Index(
            "document_content_document_id_version_key",
            "document_id",
            "version",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("document_content_document_id_idx", "document_id"),  # the other one does not know all versions
    )

    document_content_id: Mapped[str] = uuid_key()
    document_id: Mapped[str] = mapped_column(UUID, ForeignKey("document.document_id", ondelete="CASCADE"))
    user_id: Mapped[str | None] = mapped_column(UUID)
    contents: Mapped[Any] = mapped_column(JSONB, nullable=False)
    version: Mapped[int] = mapped_column(INTEGER)
    created_at: Mapped[Any] = now()
    updated_at: Mapped[Any] = now()
    deleted_at: Mapped[Any] = time()


class DocumentProperty(Base):
    """A property of a document's latest content, as what it is compared: what filters look at. Empty ones have no row.

    The whole cell stands at position 0, the items of a list behind it. `starts` and `ends` (the first moment after) are
    of a date, as the clock on the wall says; `truth` is of a check box.
    """

    __tablename__ = "document_property"
    __table_args__ = (
        PrimaryKeyConstraint("document_id", "name", "position"),
        Index("document_property_text_idx", "workspace_id", "name", text("lower(left(text, 200))")),
        *(
            Index(
                f"document_property_{column}_idx",
                "workspace_id",
                "name",
                column,
                postgresql_where=text(f"{column} IS NOT NULL"),
            )
            for column in ("number", "starts", "ends")
        ),
    )

    workspace_id: Mapped[str] = workspace_key()
    document_id: Mapped[str] = mapped_column(UUID, ForeignKey("document.document_id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(TEXT)
    position: Mapped[int] = mapped_column(SMALLINT, server_default=text("0"))
    text: Mapped[str] = mapped_column(TEXT)
    number: Mapped[Any] = mapped_column(NUMERIC, nullable=True)
    truth: Mapped[bool | None] = mapped_column(BOOLEAN)
    starts: Mapped[Any] = mapped_column(TIMESTAMP, nullable=True)
    ends: Mapped[Any] = mapped_column(TIMESTAMP, nullable=True)


class DocumentRelation(Base):
    """A typed edge between two documents: a link is a `reference`, a page's file `derived`, equal bytes a `duplicate`.

    `origin`: syncs keep those of the source and of properties; those made by hand they leave alone.
    """

    __tablename__ = "document_relation"
    __table_args__ = (
        one_of("relation_type", ("reference", "summary", "translation", "derived", "duplicate")),
        one_of("origin", ("source", "hand", "property")),
        CheckConstraint("base_document_id <> related_document_id", name="two_documents"),
        Index(
            "document_relation_key",
            "base_document_id",
            "related_document_id",
            "relation_type",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("document_relation_related_document_id_idx", "related_document_id"),
    )

    document_relation_id: Mapped[int] = mapped_column(BIGINT, Identity(always=True), primary_key=True)
    base_document_id: Mapped[str] = mapped_column(UUID, ForeignKey("document.document_id", ondelete="CASCADE"))
    related_document_id: Mapped[str] = mapped_column(UUID, ForeignKey("document.document_id", ondelete="CASCADE"))
    relation_type: Mapped[str] = mapped_column(TEXT)
    origin: Mapped[str] = mapped_column(TEXT, server_default=text("'source'"))
    created_at: Mapped[Any] = now()
    updated_at: Mapped[Any] = now()
    deleted_at: Mapped[Any] = time()
