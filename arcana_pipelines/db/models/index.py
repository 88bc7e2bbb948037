"""Indexes, their builds, and what a search reads."""

from __future__ import annotations

from typing import Any

from pgvector.sqlalchemy import HALFVEC, SPARSEVEC, VECTOR
from sqlalchemy import (
    DDL,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    PrimaryKeyConstraint,
    Sequence,
    UniqueConstraint,
    event,
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
from sqlalchemy.types import BOOLEAN, INTEGER

from arcana_pipelines.db.models.base import Base, now, one_of, owned_by_workspace, time, uuid_key

INDEX_TYPES = ("pgvector", "chroma", "qdrant", "milvus", "sqlite")


class RagIndex(Base):
    """A named index of a workspace. It serves its active build from the store that `index_type` says.

    `object_count`, `vector_count` and `updated` are that store's: what it has and when that changed last. What
    PostgreSQL publishes, which every store follows, are `published_objects` and `published_vectors`, of
    `published_at`. Where PostgreSQL serves itself (`pgvector`) they are the same. Triggers count in `publish_seq` how
    often what it serves has changed, or how hard its approximate index looks, and notify `arcana_published`.
    """

    __tablename__ = "rag_indexes"
    __table_args__ = (
        UniqueConstraint("workspace_id", "name"),
        owned_by_workspace("rag_indexes"),
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
    workspace_id: Mapped[str] = mapped_column(UUID)
    company_id: Mapped[str] = mapped_column(UUID)
    platform: Mapped[str] = mapped_column(TEXT)
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
    publish_seq: Mapped[int] = mapped_column(BIGINT, server_default=text("0"))
    published_objects: Mapped[int] = mapped_column(BIGINT, server_default=text("0"))
    published_vectors: Mapped[int] = mapped_column(BIGINT, server_default=text("0"))
    published_at: Mapped[Any] = now()


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
    """Which content of a document a build serves, and of which chunks it consists, in their order.

    `places` says of each of them where in its file it stands (`{"page": 12}`); NULL where the document is no file.
    Publishing moves this pointer and the chunks together.
    """

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
    chunk_ids: Mapped[Any] = mapped_column(ARRAY(BIGINT), nullable=False, server_default=text("'{}'"))
    places: Mapped[Any] = mapped_column(JSONB, nullable=True)


class RetiredDocument(Base):
    """What a build served of a document before, from when to when: for searches of the past."""

    __tablename__ = "retired_document"
    __table_args__ = (PrimaryKeyConstraint("rag_index_build_id", "document_id", "published_at"),)

    rag_index_build_id: Mapped[int] = mapped_column(
        INTEGER, ForeignKey("rag_index_build.rag_index_build_id", ondelete="CASCADE"), autoincrement=False
    )
    document_id: Mapped[str] = mapped_column(UUID, ForeignKey("document.document_id", ondelete="CASCADE"), index=True)
    document_content_id: Mapped[str] = mapped_column(
        UUID, ForeignKey("document_content.document_content_id", ondelete="CASCADE"), index=True
    )
    chunk_ids: Mapped[Any] = mapped_column(ARRAY(BIGINT), nullable=False)
    published_at: Mapped[Any] = mapped_column(TIMESTAMP(timezone=True), nullable=False)
    retired_at: Mapped[Any] = mapped_column(TIMESTAMP(timezone=True), nullable=False)
    places: Mapped[Any] = mapped_column(JSONB, nullable=True)


CHUNK_SEQUENCE = Sequence("document_chunk_document_chunk_id_seq", metadata=Base.metadata, data_type=BIGINT)


class Chunk(Base):
    """A searchable piece of a document, through all versions that have it. Partitioned by build (`chunk_b{id}`).

    `document_content_id` is the version that brought it. `published_document.chunk_ids` and
    `retired_document.chunk_ids` say which versions have it, and where; the view `document_chunk` shows each version
    with its chunks.
    """

    __tablename__ = "chunk"
    __table_args__ = (
        PrimaryKeyConstraint("rag_index_build_id", "document_chunk_id"),
        {"postgresql_partition_by": "LIST (rag_index_build_id)"},
    )

    rag_index_build_id: Mapped[int] = mapped_column(INTEGER, autoincrement=False)
    document_chunk_id: Mapped[int] = mapped_column(
        BIGINT, server_default=text("nextval('document_chunk_document_chunk_id_seq')")
    )
    document_content_id: Mapped[str] = mapped_column(
        UUID, ForeignKey("document_content.document_content_id", ondelete="CASCADE"), index=True
    )
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


# Each version of a document with its chunks, as programs that read the index by SQL know it.
event.listen(
    Base.metadata,
    "after_create",
    DDL(  # type: ignore[no-untyped-call]
        """
        CREATE VIEW document_chunk WITH (security_invoker = true) AS
        SELECT v.rag_index_build_id, k.document_chunk_id, v.document_content_id, (part.number - 1)::int AS position,
               k.chunk_content, k.heading_path, k.text_hash, k.token_count, k.chunk_embedding,
               v.published_at AS created_at, coalesce(v.retired_at, v.published_at) AS updated_at,
               v.retired_at AS deleted_at, k.heading_levels, k.passages, k.language
        FROM (
            SELECT rag_index_build_id, document_content_id, chunk_ids, published_at, NULL::timestamptz AS retired_at
            FROM published_document
            UNION ALL
            SELECT rag_index_build_id, document_content_id, chunk_ids, published_at, retired_at FROM retired_document
        ) v
        CROSS JOIN LATERAL unnest(v.chunk_ids) WITH ORDINALITY AS part (document_chunk_id, number)
        JOIN chunk k ON k.rag_index_build_id = v.rag_index_build_id AND k.document_chunk_id = part.document_chunk_id
        """
    ),
)


class Passage(Base):
    """The vector of a passage of some chunk of a build, by the hash of what was embedded. Partitioned by build.

    Chunks name their passages in order (`chunk.passages`). No index finds these: they rank what is found.
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


class ContentStage(Base):
    """A content that was cut and is not served yet: the chunks that it keeps, in their places among those it brings.

    `chunk_ids` are chunks of the version that was served when it was cut (since `served_since`); where one is NULL, the
    row of `chunk_stage` with that position comes. Unlogged, as that is.
    """

    __tablename__ = "content_stage"
    __table_args__ = (
        PrimaryKeyConstraint("rag_index_build_id", "document_content_id"),
        {"prefixes": ["UNLOGGED"]},
    )

    rag_index_build_id: Mapped[int] = mapped_column(
        INTEGER, ForeignKey("rag_index_build.rag_index_build_id", ondelete="CASCADE"), autoincrement=False
    )
    document_content_id: Mapped[str] = mapped_column(
        UUID, ForeignKey("document_content.document_content_id", ondelete="CASCADE"), index=True
    )
    chunk_ids: Mapped[Any] = mapped_column(ARRAY(BIGINT), nullable=False)
    served_since: Mapped[Any] = time()
    places: Mapped[Any] = mapped_column(JSONB, nullable=True)


class ChunkStage(Base):
    """Chunks that a content brings which a build does not serve yet. Rows leave with the publish.

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
