"""Indexes, their builds, and what a search reads."""

from __future__ import annotations

from typing import Any

from pgvector.sqlalchemy import HALFVEC, SPARSEVEC, VECTOR
from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    PrimaryKeyConstraint,
    Sequence,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import (
    ARRAY,
    BIGINT,
    BYTEA,
    JSONB,
    TEXT,
    UUID,
)
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import BOOLEAN, INTEGER

from arcana_pipelines.db.models.base import Base, now, one_of, time, uuid_key, workspace_key

INDEX_TYPES = ("pgvector", "chroma", "qdrant", "milvus", "sqlite")


class RagIndex(Base):
    """A named index of a workspace. It serves its active build; its counts are what a search can reach."""

    __tablename__ = "rag_indexes"
    __table_args__ = (
        UniqueConstraint("workspace_id", "name"),
        one_of("index_type", INDEX_TYPES),
        ForeignKeyConstraint(
            ["active_build_id"],
            ["rag_index_build.rag_index_build_id"],
            name="rag_indexes_active_build_id_fkey",
            use_alter=True,
            ondelete="SET NULL",
        ),
    )

    rag_index_id: Mapped[str] = uuid_key()
    workspace_id: Mapped[str] = workspace_key()
    name: Mapped[str] = mapped_column(TEXT)
    index_type: Mapped[str] = mapped_column(TEXT, server_default=text("'pgvector'"))
    storage_uri: Mapped[str] = mapped_column(TEXT)
    embedding_model: Mapped[str] = mapped_column(TEXT)
    dimensions: Mapped[int] = mapped_column(INTEGER)
    active_build_id: Mapped[int | None] = mapped_column(INTEGER)
    object_count: Mapped[int] = mapped_column(BIGINT, server_default=text("0"))
    vector_count: Mapped[int] = mapped_column(BIGINT, server_default=text("0"))
    created_at: Mapped[Any] = now()
    updated: Mapped[Any] = now()


class RagIndexBuild(Base):
    """One physical incarnation of an index: chunker, model and dimensions are fixed for its life.

    It served last from `promoted_at` to `retired_at`; before `remembers_since` it lacks some of what it showed.
    """

    __tablename__ = "rag_index_build"
    __table_args__ = (
        one_of("ann", ("none", "hnsw", "ivfflat")),
        one_of("ann_setting", ("auto", "none", "hnsw", "ivfflat")),
        one_of("state", ("building", "verifying", "active", "retired")),
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
    promoted_at: Mapped[Any] = time()
    retired_at: Mapped[Any] = time()
    remembers_since: Mapped[Any] = now()
    fill_requested_at: Mapped[Any] = time()
    created_at: Mapped[Any] = now()
    updated_at: Mapped[Any] = now()


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
    published_at: Mapped[Any] = now()


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
    created_at: Mapped[Any] = now()
    updated_at: Mapped[Any] = now()
    deleted_at: Mapped[Any] = time()
    heading_levels: Mapped[Any] = mapped_column(ARRAY(INTEGER), nullable=False, server_default=text("'{}'"))
    passages: Mapped[Any] = mapped_column(ARRAY(BYTEA), nullable=False, server_default=text("'{}'"))
    language: Mapped[str | None] = mapped_column(TEXT)


class Passage(Base):
    """The vector of a passage of some chunk of a build, by the hash of what was embedded. Partitioned by build.

    Chunks name their passages in order (`document_chunk.passages`). No index finds these: they rank what is found.
    """

    __tablename__ = "passage"
    __table_args__ = (
        PrimaryKeyConstraint("rag_index_build_id", "text_hash"),
        {"postgresql_partition_by": "LIST (rag_index_build_id)"},
    )

    rag_index_build_id: Mapped[int] = mapped_column(INTEGER, autoincrement=False)
    text_hash: Mapped[bytes] = mapped_column(BYTEA)
    passage_embedding: Mapped[Any] = mapped_column(HALFVEC, nullable=False)


class PassageStage(Base):
    """Passages that have no vector yet."""

    __tablename__ = "passage_stage"
    __table_args__ = (PrimaryKeyConstraint("rag_index_build_id", "text_hash"),)

    rag_index_build_id: Mapped[int] = mapped_column(
        INTEGER, ForeignKey("rag_index_build.rag_index_build_id", ondelete="CASCADE"), autoincrement=False
    )
    text_hash: Mapped[bytes] = mapped_column(BYTEA)
    embedded: Mapped[str] = mapped_column(TEXT)


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
    heading_levels: Mapped[Any] = mapped_column(ARRAY(INTEGER), nullable=False, server_default=text("'{}'"))
    passages: Mapped[Any] = mapped_column(ARRAY(BYTEA), nullable=False, server_default=text("'{}'"))
