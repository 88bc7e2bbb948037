"""Files: where they hang, where their bytes are, and what was read of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, PrimaryKeyConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, BYTEA, JSONB, SMALLINT, TEXT, UUID
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import BOOLEAN, INTEGER, REAL

from arcana_pipelines.db.models.base import Base, now, one_of, time, workspace_key

FILE_STATES = ("pending", "stored", "parsed", "skipped", "quarantined", "removed")


class StoredFile(Base):
    """Bytes in the file store, once a workspace. Each row was written when they were there, whole."""

    __tablename__ = "stored_file"
    __table_args__ = (
        PrimaryKeyConstraint("workspace_id", "sha256"),
        CheckConstraint("octet_length(sha256) = 32", name="sha256"),
        Index("stored_file_unwanted_idx", "workspace_id", postgresql_where=text("unwanted_since IS NOT NULL")),
    )

    workspace_id: Mapped[str] = workspace_key()
    sha256: Mapped[bytes] = mapped_column(BYTEA)
    size: Mapped[int] = mapped_column(BIGINT)
    kind: Mapped[str] = mapped_column(TEXT)
    mime_type: Mapped[str] = mapped_column(TEXT)
    storage_key: Mapped[str] = mapped_column(TEXT)
    stored_at: Mapped[Any] = now()
    unwanted_since: Mapped[Any] = time()


class ParsedFile(Base):
    """What one parser, in one version and with its options, made of some bytes: their text, or why there is none.

    `places` says where in the file the parts of `text` stand: `[[offset, place, continues], …]`; `inside` which files
    lie in it: `[{"name", "sha256"}, …]`.
    """

    __tablename__ = "parsed_file"
    __table_args__ = (
        PrimaryKeyConstraint("workspace_id", "sha256", "parser"),
        ForeignKeyConstraint(
            ["workspace_id", "sha256"],
            ["stored_file.workspace_id", "stored_file.sha256"],
            name="parsed_file_workspace_id_fkey",
            ondelete="CASCADE",
        ),
    )

    workspace_id: Mapped[str] = mapped_column(UUID)
    sha256: Mapped[bytes] = mapped_column(BYTEA)
    parser: Mapped[str] = mapped_column(TEXT)
    title: Mapped[str | None] = mapped_column(TEXT)
    places: Mapped[Any] = mapped_column(JSONB, nullable=False, server_default=text("'[]'"))
    notes: Mapped[Any] = mapped_column(JSONB, nullable=False, server_default=text("'[]'"))
    inside: Mapped[Any] = mapped_column(JSONB, nullable=False, server_default=text("'[]'"))
    reason: Mapped[str | None] = mapped_column(TEXT)
    detail: Mapped[str | None] = mapped_column(TEXT)
    attempts: Mapped[int] = mapped_column(INTEGER, server_default=text("1"))
    seconds: Mapped[float] = mapped_column(REAL, server_default=text("0"))
    parsed_at: Mapped[Any] = now()
    text: Mapped[str] = mapped_column(TEXT, server_default=text("''"))


class SourceFile(Base):
    """The ledger of files: each file that a page ever had, and what became of it.

    One that was added by hand may hang on no page. `container` is the file that it lies in: a mail or an archive.
    `address` is kept until it was fetched. `policy` is what was allowed when it was skipped without being fetched.
    `topics` are the nodes of the taxonomy that it was added with. `copy_of` is the file with the same bytes whose
    text is searched in the place of this one's, `made_of` what its version was made of.
    """

    __tablename__ = "source_file"
    __table_args__ = (
        PrimaryKeyConstraint("workspace_id", "external_id"),
        ForeignKeyConstraint(
            ["workspace_id", "page_external_id"],
            ["source_page.workspace_id", "source_page.external_id"],
            name="source_file_page_external_id_fkey",
            ondelete="CASCADE",
        ),
        ForeignKeyConstraint(
            ["document_id"], ["document.document_id"], name="source_file_document_id_fkey", ondelete="SET NULL"
        ),
        one_of("state", FILE_STATES),
        Index("source_file_page_key", "workspace_id", "page_external_id", "file_id", unique=True),
        Index("source_file_document_id_idx", "document_id"),
        Index("source_file_sha256_idx", "workspace_id", "sha256"),
        Index(
            "source_file_work_idx",
            "workspace_id",
            "state",
            postgresql_where=text("state IN ('pending', 'stored', 'quarantined')"),
        ),
    )

    workspace_id: Mapped[str] = workspace_key()
    external_id: Mapped[str] = mapped_column(TEXT)
    page_external_id: Mapped[str | None] = mapped_column(TEXT)
    file_id: Mapped[str] = mapped_column(TEXT)
    container: Mapped[str | None] = mapped_column(TEXT)
    depth: Mapped[int] = mapped_column(SMALLINT, server_default=text("0"))
    position: Mapped[int] = mapped_column(INTEGER)
    name: Mapped[str] = mapped_column(TEXT)
    origin: Mapped[str] = mapped_column(TEXT)
    caption: Mapped[str] = mapped_column(TEXT, server_default=text("''"))
    is_external: Mapped[bool] = mapped_column(BOOLEAN, server_default=text("false"))
    revision: Mapped[str] = mapped_column(TEXT, server_default=text("''"))
    address: Mapped[str | None] = mapped_column(TEXT)
    expires_at: Mapped[Any] = time()
    state: Mapped[str] = mapped_column(TEXT, server_default=text("'pending'"))
    reason: Mapped[str | None] = mapped_column(TEXT)
    detail: Mapped[str | None] = mapped_column(TEXT)
    policy: Mapped[str | None] = mapped_column(TEXT)
    attempts: Mapped[int] = mapped_column(INTEGER, server_default=text("0"))
    next_attempt_at: Mapped[Any] = time()
    sha256: Mapped[bytes | None] = mapped_column(BYTEA)
    fetched_at: Mapped[Any] = time()
    parser: Mapped[str | None] = mapped_column(TEXT)
    copy_of: Mapped[str | None] = mapped_column(TEXT)
    made_of: Mapped[str | None] = mapped_column(TEXT)
    content_hash: Mapped[bytes | None] = mapped_column(BYTEA)
    document_id: Mapped[str | None] = mapped_column(UUID)
    topics: Mapped[Any] = mapped_column(ARRAY(UUID), nullable=True)
    added_at: Mapped[Any] = now()
    removed_at: Mapped[Any] = time()
