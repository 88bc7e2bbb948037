"""The schema, described once. The migrations create it; a test compares the two with a live database.

Reads and writes of sets do not go through these classes: they are SQL beside their callers.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Sequence,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import (
    ARRAY,
    BIGINT,
    BYTEA,
    DATE,
    DOUBLE_PRECISION,
    JSONB,
    NUMERIC,
    SMALLINT,
    TEXT,
    TIMESTAMP,
    UUID,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import BOOLEAN, INTEGER, REAL, UserDefinedType


class LTREE(UserDefinedType[str]):
    """PostgreSQL's label path (extension ltree)."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "LTREE"


class VECTOR(UserDefinedType[Any]):
    """pgvector's vector without a fixed dimension: each partition checks its own."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "VECTOR"


class SPARSEVEC(UserDefinedType[Any]):
    """pgvector's sparse vector."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "SPARSEVEC"


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


def _uuid_key() -> Mapped[str]:
    return mapped_column(UUID, primary_key=True, server_default=text("gen_random_uuid()"))


def _now() -> Mapped[Any]:
    return mapped_column(TIMESTAMP(timezone=True), nullable=False, server_default=text("now()"))


def _time() -> Mapped[Any]:
    return mapped_column(TIMESTAMP(timezone=True), nullable=True)


def _workspace(**options: Any) -> Mapped[str]:
    return mapped_column(UUID, ForeignKey("workspace.workspace_id", ondelete="CASCADE"), **options)


WORKSPACE_STATUSES = ("active", "paused", "deleting")
PLATFORMS = ("notion", "notion_export", "freshdesk")
PAGE_STATES = ("pending", "fetched", "unchanged", "skipped", "quarantined", "suspect", "tombstoned")
INDEX_TYPES = ("pgvector", "chroma", "qdrant", "milvus", "sqlite")


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    quoted = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({quoted})", name=column)


class Workspace(Base):
    """A tenant: one connected source, its documents and its indexes. The slug is the partition key."""

    __tablename__ = "workspace"
    __table_args__ = (
        UniqueConstraint("slug"),
        CheckConstraint("slug ~ '^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$'", name="slug"),
        _one_of("status", WORKSPACE_STATUSES),
        _one_of("platform", PLATFORMS),
    )

    workspace_id: Mapped[str] = _uuid_key()
    company_id: Mapped[str | None] = mapped_column(UUID)
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
    polled_at: Mapped[Any] = _time()
    poll_after: Mapped[Any] = _time()
    poll_failures: Mapped[int] = mapped_column(INTEGER, server_default=text("0"))
    poll_problem: Mapped[str | None] = mapped_column(TEXT)
    sync_needed: Mapped[str | None] = mapped_column(TEXT)
    embedding_budget: Mapped[Any] = mapped_column(NUMERIC, nullable=True)
    created_at: Mapped[Any] = _now()
    updated_at: Mapped[Any] = _now()


class RetiredSlug(Base):
    """A slug that was removed. Dagster keeps a deleted partition's history, so it is never given again."""

    __tablename__ = "retired_slug"

    slug: Mapped[str] = mapped_column(TEXT, primary_key=True)
    retired_at: Mapped[Any] = _now()


class SyncGeneration(Base):
    """One sync of one workspace: what it listed and what became of it."""

    __tablename__ = "sync_generation"
    __table_args__ = (
        PrimaryKeyConstraint("workspace_id", "generation"),
        _one_of("mode", ("full", "incremental", "audit")),
    )

    workspace_id: Mapped[str] = _workspace()
    generation: Mapped[int] = mapped_column(BIGINT, autoincrement=False)
    mode: Mapped[str] = mapped_column(TEXT)
    listing_complete: Mapped[bool | None] = mapped_column(BOOLEAN)
    problems: Mapped[Any] = mapped_column(JSONB, nullable=False, server_default=text("'[]'"))
    counters: Mapped[Any] = mapped_column(JSONB, nullable=False, server_default=text("'{}'"))
    started_at: Mapped[Any] = _now()
    finished_at: Mapped[Any] = _time()


class SourceLimit(Base):
    """How fast one token may ask its source, learned and shared by every process."""

    __tablename__ = "source_limit"

    credential_hash: Mapped[str] = mapped_column(TEXT, primary_key=True)
    configured: Mapped[int] = mapped_column(INTEGER)
    per_minute: Mapped[float] = mapped_column(REAL)
    paused_until: Mapped[Any] = _time()
    reason: Mapped[str | None] = mapped_column(TEXT)
    adjusted_at: Mapped[Any] = _now()


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

    workspace_id: Mapped[str] = _workspace()
    event_id: Mapped[str] = mapped_column(TEXT)
    event_type: Mapped[str] = mapped_column(TEXT)
    external_id: Mapped[str | None] = mapped_column(TEXT)
    occurred_at: Mapped[Any] = _time()
    received_at: Mapped[Any] = _now()
    generation: Mapped[int | None] = mapped_column(BIGINT)


class Document(Base):
    """Identity, place and owner of a page, and a pointer to its latest content."""

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
        _one_of("kind", ("note", "file", "folder")),
        _one_of("upload_status", ("pending", "uploading", "uploaded", "upload_failed")),
        Index(
            "document_user_id_path_key",
            "user_id",
            "path",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("document_path_gist", "path", postgresql_using="gist"),
        Index("document_workspace_id_idx", "workspace_id"),
    )

    document_id: Mapped[str] = _uuid_key()
    workspace_id: Mapped[str] = _workspace()
    user_id: Mapped[str] = mapped_column(UUID)
    path: Mapped[str] = mapped_column(LTREE)
    kind: Mapped[str] = mapped_column(TEXT, server_default=text("'note'"))
    file_meta: Mapped[Any] = mapped_column(JSONB, nullable=True)
    upload_status: Mapped[str | None] = mapped_column(TEXT)
    latest_content_id: Mapped[str | None] = mapped_column(UUID)
    created_at: Mapped[Any] = _now()
    updated_at: Mapped[Any] = _now()
    deleted_at: Mapped[Any] = _time()


class SourcePage(Base):
    """The ledger: every item the source ever listed, and what became of it."""

    __tablename__ = "source_page"
    __table_args__ = (
        PrimaryKeyConstraint("workspace_id", "external_id"),
        _one_of("kind", ("page", "row", "data_source")),
        _one_of("state", PAGE_STATES),
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
        Index("source_page_database_idx", "workspace_id", postgresql_where=text("kind = 'data_source'")),
        Index("source_page_removed_idx", "workspace_id", "removed_at", postgresql_where=text("state = 'tombstoned'")),
    )

    workspace_id: Mapped[str] = _workspace()
    external_id: Mapped[str] = mapped_column(TEXT)
    kind: Mapped[str] = mapped_column(TEXT)
    parent_kind: Mapped[str] = mapped_column(TEXT)
    parent_external_id: Mapped[str | None] = mapped_column(TEXT)
    title: Mapped[str] = mapped_column(TEXT, server_default=text("''"))
    url: Mapped[str | None] = mapped_column(TEXT)
    properties: Mapped[Any] = mapped_column(JSONB, nullable=False, server_default=text("'{}'"))
    revision: Mapped[str] = mapped_column(TEXT)
    last_edited_at: Mapped[Any] = _time()
    in_trash: Mapped[bool] = mapped_column(BOOLEAN, server_default=text("false"))
    body: Mapped[str | None] = mapped_column(TEXT)
    body_links: Mapped[Any] = mapped_column(ARRAY(TEXT), nullable=False, server_default=text("'{}'"))
    fetched_revision: Mapped[str | None] = mapped_column(TEXT)
    fetched_at: Mapped[Any] = _time()
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
    next_attempt_at: Mapped[Any] = _time()
    seen_generation: Mapped[int] = mapped_column(BIGINT)
    document_id: Mapped[str | None] = mapped_column(UUID, ForeignKey("document.document_id", ondelete="SET NULL"))
    removed_at: Mapped[Any] = _time()
    unknown_types: Mapped[Any] = mapped_column(ARRAY(TEXT), nullable=False, server_default=text("'{}'"))


class DocumentContent(Base):
    """One immutable version of a document's content."""

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

    document_content_id: Mapped[str] = _uuid_key()
    document_id: Mapped[str] = mapped_column(UUID, ForeignKey("document.document_id", ondelete="CASCADE"))
    user_id: Mapped[str] = mapped_column(UUID)
    contents: Mapped[Any] = mapped_column(JSONB, nullable=False)
    version: Mapped[int] = mapped_column(INTEGER)
    created_at: Mapped[Any] = _now()
    updated_at: Mapped[Any] = _now()
    deleted_at: Mapped[Any] = _time()


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

    workspace_id: Mapped[str] = _workspace()
    document_id: Mapped[str] = mapped_column(UUID, ForeignKey("document.document_id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(TEXT)
    position: Mapped[int] = mapped_column(SMALLINT, server_default=text("0"))
    text: Mapped[str] = mapped_column(TEXT)
    number: Mapped[Any] = mapped_column(NUMERIC, nullable=True)
    truth: Mapped[bool | None] = mapped_column(BOOLEAN)
    starts: Mapped[Any] = mapped_column(TIMESTAMP, nullable=True)
    ends: Mapped[Any] = mapped_column(TIMESTAMP, nullable=True)


class DocumentRelation(Base):
    """A typed edge between two documents (a link is a `reference`)."""

    __tablename__ = "document_relation"
    __table_args__ = (
        _one_of("relation_type", ("reference", "summary", "translation", "derived", "duplicate")),
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
    created_at: Mapped[Any] = _now()
    updated_at: Mapped[Any] = _now()
    deleted_at: Mapped[Any] = _time()


class RagIndex(Base):
    """A named index of a workspace. It serves its active build; its counts are what a search can reach."""

    __tablename__ = "rag_indexes"
    __table_args__ = (
        UniqueConstraint("workspace_id", "name"),
        _one_of("index_type", INDEX_TYPES),
        ForeignKeyConstraint(
            ["active_build_id"],
            ["rag_index_build.rag_index_build_id"],
            name="rag_indexes_active_build_id_fkey",
            use_alter=True,
            ondelete="SET NULL",
        ),
    )

    rag_index_id: Mapped[str] = _uuid_key()
    workspace_id: Mapped[str] = _workspace()
    name: Mapped[str] = mapped_column(TEXT)
    index_type: Mapped[str] = mapped_column(TEXT, server_default=text("'pgvector'"))
    storage_uri: Mapped[str] = mapped_column(TEXT)
    embedding_model: Mapped[str] = mapped_column(TEXT)
    dimensions: Mapped[int] = mapped_column(INTEGER)
    active_build_id: Mapped[int | None] = mapped_column(INTEGER)
    object_count: Mapped[int] = mapped_column(BIGINT, server_default=text("0"))
    vector_count: Mapped[int] = mapped_column(BIGINT, server_default=text("0"))
    created_at: Mapped[Any] = _now()
    updated: Mapped[Any] = _now()


class RagIndexBuild(Base):
    """One physical incarnation of an index: chunker, model and dimensions are fixed for its life.

    It served last from `promoted_at` to `retired_at`; before `remembers_since` it lacks some of what it showed.
    """

    __tablename__ = "rag_index_build"
    __table_args__ = (
        _one_of("ann", ("none", "hnsw", "ivfflat")),
        _one_of("ann_setting", ("auto", "none", "hnsw", "ivfflat")),
        _one_of("state", ("building", "verifying", "active", "retired")),
        CheckConstraint("dimensions BETWEEN 1 AND 16000", name="dimensions"),
        Index("rag_index_build_rag_index_id_idx", "rag_index_id"),
    )

    rag_index_build_id: Mapped[int] = mapped_column(INTEGER, Identity(always=True), primary_key=True)
    rag_index_id: Mapped[str] = mapped_column(UUID, ForeignKey("rag_indexes.rag_index_id", ondelete="CASCADE"))
    chunker: Mapped[Any] = mapped_column(JSONB, nullable=False)
    embedding_model: Mapped[str] = mapped_column(TEXT)
    dimensions: Mapped[int] = mapped_column(INTEGER)
    fingerprint: Mapped[str] = mapped_column(TEXT)
    ann: Mapped[str] = mapped_column(TEXT, server_default=text("'none'"))
    ann_setting: Mapped[str] = mapped_column(TEXT, server_default=text("'auto'"))
    ann_effort: Mapped[int] = mapped_column(INTEGER, server_default=text("0"))
    state: Mapped[str] = mapped_column(TEXT, server_default=text("'building'"))
    promote_when_verified: Mapped[bool] = mapped_column(BOOLEAN, server_default=text("false"))
    verification: Mapped[Any] = mapped_column(JSONB, nullable=True)
    promoted_at: Mapped[Any] = _time()
    retired_at: Mapped[Any] = _time()
    remembers_since: Mapped[Any] = _now()
    fill_requested_at: Mapped[Any] = _time()
    created_at: Mapped[Any] = _now()
    updated_at: Mapped[Any] = _now()


class PublishedDocument(Base):
    """Which content of a document a build serves. Publishing moves this pointer and the chunks together."""

    __tablename__ = "published_document"
    __table_args__ = (PrimaryKeyConstraint("rag_index_build_id", "document_id"),)

    rag_index_build_id: Mapped[int] = mapped_column(
        INTEGER, ForeignKey("rag_index_build.rag_index_build_id", ondelete="CASCADE"), autoincrement=False
    )
    document_id: Mapped[str] = mapped_column(UUID, ForeignKey("document.document_id", ondelete="CASCADE"), index=True)
    document_content_id: Mapped[str] = mapped_column(
        UUID, ForeignKey("document_content.document_content_id", ondelete="CASCADE")
    )
    published_at: Mapped[Any] = _now()


CHUNK_SEQUENCE = Sequence("document_chunk_document_chunk_id_seq", metadata=Base.metadata, data_type=BIGINT)


class DocumentChunk(Base):
    """A published, searchable piece of one content. Partitioned by build (`document_chunk_b{id}`)."""

    __tablename__ = "document_chunk"
    __table_args__ = (
        PrimaryKeyConstraint("rag_index_build_id", "document_chunk_id"),
        Index(
            "document_chunk_content_position_key",
            "rag_index_build_id",
            "document_content_id",
            "position",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("document_chunk_document_content_id_idx", "document_content_id"),
        {"postgresql_partition_by": "LIST (rag_index_build_id)"},
    )

    rag_index_build_id: Mapped[int] = mapped_column(INTEGER, autoincrement=False)
    document_chunk_id: Mapped[int] = mapped_column(
        BIGINT, server_default=text("nextval('document_chunk_document_chunk_id_seq')")
    )
    document_content_id: Mapped[str] = mapped_column(
        UUID, ForeignKey("document_content.document_content_id", ondelete="CASCADE")
    )
    position: Mapped[int] = mapped_column(INTEGER)
    chunk_content: Mapped[str] = mapped_column(TEXT)
    heading_path: Mapped[Any] = mapped_column(ARRAY(TEXT), nullable=False)
    text_hash: Mapped[bytes] = mapped_column(BYTEA)
    token_count: Mapped[int] = mapped_column(INTEGER)
    chunk_embedding: Mapped[Any] = mapped_column(VECTOR, nullable=False)
    created_at: Mapped[Any] = _now()
    updated_at: Mapped[Any] = _now()
    deleted_at: Mapped[Any] = _time()


class ChunkTerms(Base):
    """What a search by words reads of a published chunk. Partitioned by build (`chunk_terms_b{id}`).

    `terms` are BM25 weights without idf; `keys`, which an index finds, are terms with the step of their weight
    (`arcana_pipelines.lexical.analysis`).
    """

    __tablename__ = "chunk_terms"
    __table_args__ = (
        PrimaryKeyConstraint("rag_index_build_id", "document_chunk_id"),
        Index("chunk_terms_document_id_idx", "document_id"),
        {"postgresql_partition_by": "LIST (rag_index_build_id)"},
    )

    rag_index_build_id: Mapped[int] = mapped_column(INTEGER, autoincrement=False)
    document_chunk_id: Mapped[int] = mapped_column(BIGINT, autoincrement=False)
    document_id: Mapped[str] = mapped_column(UUID)
    terms: Mapped[Any] = mapped_column(SPARSEVEC, nullable=False)
    keys: Mapped[Any] = mapped_column(ARRAY(INTEGER), nullable=False)


class RetiredChunkTerms(Base):
    """The words of a chunk that is not searchable any more: what a search of the past reads. Purged with the chunk."""

    __tablename__ = "retired_chunk_terms"
    __table_args__ = (PrimaryKeyConstraint("rag_index_build_id", "document_chunk_id"),)

    rag_index_build_id: Mapped[int] = mapped_column(
        INTEGER, ForeignKey("rag_index_build.rag_index_build_id", ondelete="CASCADE"), autoincrement=False
    )
    document_chunk_id: Mapped[int] = mapped_column(BIGINT, autoincrement=False)
    document_id: Mapped[str] = mapped_column(UUID)
    terms: Mapped[Any] = mapped_column(SPARSEVEC, nullable=False)
    keys: Mapped[Any] = mapped_column(ARRAY(INTEGER), nullable=False)


class TermCount(Base):
    """How many chunks of a build have a key."""

    __tablename__ = "term_count"
    __table_args__ = (PrimaryKeyConstraint("rag_index_build_id", "key"),)

    rag_index_build_id: Mapped[int] = mapped_column(INTEGER, autoincrement=False)
    key: Mapped[int] = mapped_column(INTEGER, autoincrement=False)
    chunks: Mapped[int] = mapped_column(INTEGER)


class IndexWord(Base):
    """A word that some text of a build has or had: what a typing error may have meant."""

    __tablename__ = "index_word"
    __table_args__ = (
        PrimaryKeyConstraint("rag_index_build_id", "word"),
        Index("index_word_word_idx", "word", postgresql_using="gin", postgresql_ops={"word": "gin_trgm_ops"}),
    )

    rag_index_build_id: Mapped[int] = mapped_column(INTEGER, autoincrement=False)
    word: Mapped[str] = mapped_column(TEXT)


class ChunkStage(Base):
    """Chunks of contents that a build does not serve yet. Rows leave with the publish.

    What is embedded is `lead` and `chunk_content`. Unlogged: after a crash of the server it is empty, and cut again.
    """

    __tablename__ = "chunk_stage"
    __table_args__ = (
        PrimaryKeyConstraint("rag_index_build_id", "document_content_id", "position"),
        Index("chunk_stage_text_hash_idx", "rag_index_build_id", "text_hash"),
        {"prefixes": ["UNLOGGED"]},
    )

    rag_index_build_id: Mapped[int] = mapped_column(
        INTEGER, ForeignKey("rag_index_build.rag_index_build_id", ondelete="CASCADE"), autoincrement=False
    )
    document_content_id: Mapped[str] = mapped_column(
        UUID, ForeignKey("document_content.document_content_id", ondelete="CASCADE"), index=True
    )
    position: Mapped[int] = mapped_column(INTEGER, autoincrement=False)
    chunk_content: Mapped[str] = mapped_column(TEXT)
    lead: Mapped[str] = mapped_column(TEXT)
    heading_path: Mapped[Any] = mapped_column(ARRAY(TEXT), nullable=False)
    text_hash: Mapped[bytes] = mapped_column(BYTEA)
    token_count: Mapped[int] = mapped_column(INTEGER)
    terms: Mapped[Any] = mapped_column(SPARSEVEC, nullable=False)
    keys: Mapped[Any] = mapped_column(ARRAY(INTEGER), nullable=False)


class EmbeddingStore(Base):
    """Every embedding a workspace ever paid for, by what was embedded with what."""

    __tablename__ = "embedding_store"
    __table_args__ = (PrimaryKeyConstraint("workspace_id", "embedding_model", "dimensions", "text_hash"),)

    workspace_id: Mapped[str] = _workspace()
    embedding_model: Mapped[str] = mapped_column(TEXT)
    dimensions: Mapped[int] = mapped_column(INTEGER, autoincrement=False)
    text_hash: Mapped[bytes] = mapped_column(BYTEA)
    embedding: Mapped[Any] = mapped_column(VECTOR, nullable=False)
    token_count: Mapped[int] = mapped_column(INTEGER)
    created_at: Mapped[Any] = _now()


class EmbeddingRejected(Base):
    """A text that the provider refuses; it is not sent again until a person says so."""

    __tablename__ = "embedding_rejected"
    __table_args__ = (PrimaryKeyConstraint("workspace_id", "embedding_model", "dimensions", "text_hash"),)

    workspace_id: Mapped[str] = _workspace()
    embedding_model: Mapped[str] = mapped_column(TEXT)
    dimensions: Mapped[int] = mapped_column(INTEGER, autoincrement=False)
    text_hash: Mapped[bytes] = mapped_column(BYTEA)
    reason: Mapped[str] = mapped_column(TEXT)
    rejected_at: Mapped[Any] = _now()


class EmbeddingUsage(Base):
    """What a workspace's embeddings cost in one month (UTC), in US dollars. A model without a known price costs 0."""

    __tablename__ = "embedding_usage"
    __table_args__ = (
        PrimaryKeyConstraint("workspace_id", "month", "embedding_model", "tier"),
        _one_of("tier", ("standard", "batch")),
    )

    workspace_id: Mapped[str] = _workspace()
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
        _one_of("state", ("sending", "waiting", "done", "failed")),
        Index("embedding_batch_workspace_id_idx", "workspace_id"),
    )

    embedding_batch_id: Mapped[str] = _uuid_key()
    workspace_id: Mapped[str] = _workspace()
    embedding_model: Mapped[str] = mapped_column(TEXT)
    dimensions: Mapped[int] = mapped_column(INTEGER)
    state: Mapped[str] = mapped_column(TEXT, server_default=text("'sending'"))
    provider_batch_id: Mapped[str | None] = mapped_column(TEXT)
    input_file_id: Mapped[str | None] = mapped_column(TEXT)
    texts: Mapped[int] = mapped_column(INTEGER)
    most_cost: Mapped[Any] = mapped_column(NUMERIC, nullable=False)
    reason: Mapped[str | None] = mapped_column(TEXT)
    created_at: Mapped[Any] = _now()
    checked_at: Mapped[Any] = _time()
    finished_at: Mapped[Any] = _time()


class EmbeddingBatchText(Base):
    """A text that waits in a batch. It leaves with its answer, or with the end of the batch."""

    __tablename__ = "embedding_batch_text"
    __table_args__ = (PrimaryKeyConstraint("embedding_batch_id", "text_hash"),)

    embedding_batch_id: Mapped[str] = mapped_column(
        UUID, ForeignKey("embedding_batch.embedding_batch_id", ondelete="CASCADE")
    )
    text_hash: Mapped[bytes] = mapped_column(BYTEA)


class GoldenQuestion(Base):
    """A question with the pages and passages that answer it, kept so that every build can be evaluated."""

    __tablename__ = "golden_question"
    __table_args__ = (PrimaryKeyConstraint("workspace_id", "query"),)

    workspace_id: Mapped[str] = _workspace()
    query: Mapped[str] = mapped_column(TEXT)
    relevant: Mapped[Any] = mapped_column(JSONB, nullable=False)
    added_at: Mapped[Any] = _now()


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
    measured_at: Mapped[Any] = _now()
    questions: Mapped[int] = mapped_column(INTEGER)
    metrics: Mapped[Any] = mapped_column(JSONB, nullable=False)
    by_question: Mapped[Any] = mapped_column(JSONB, nullable=False)
    is_baseline: Mapped[bool] = mapped_column(BOOLEAN, server_default=text("false"))


class Alert(Base):
    """Something that a person should know: one row for each cause while it lasts, told once.

    `workspace` is a slug, and empty for what concerns the installation; the row outlives its workspace, so that the end
    can be told. `subject` tells causes of the same kind apart. `detail` is text from outside. `unanswered_at` is when
    it, or its end, was last sent to a receiver that did not answer.
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
    since: Mapped[Any] = _now()
    last_seen_at: Mapped[Any] = _now()
    resolved_at: Mapped[Any] = _time()
    told_at: Mapped[Any] = _time()
    resolved_told_at: Mapped[Any] = _time()
    text: Mapped[str] = mapped_column(TEXT)
    unanswered_at: Mapped[Any] = _time()
