"""Targets: copies of what indexes serve in other stores, and what is still to be delivered to them.

The view `job_queue` shows that beside whatever else waits in this database.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    DDL,
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
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, JSONB, TEXT, UUID
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import BOOLEAN, INTEGER

from arcana_pipelines.db.models.base import Base, now, one_of, owned_by_workspace, time, uuid_key
from arcana_pipelines.db.models.index import INDEX_TYPES

TARGET_KINDS = tuple(kind for kind in INDEX_TYPES if kind != "pgvector")


class IndexTarget(Base):
    """A store that holds a copy of an index, build by build.

    `serves`: searches that name no target are answered from it. `fence` is another number for each who delivers, so
    that one who was overtaken learns it. After `failures` in a row nothing is tried before `next_attempt_at`.
    """

    __tablename__ = "index_target"
    __table_args__ = (
        UniqueConstraint("workspace_id", "name"),
        owned_by_workspace("index_target"),
        ForeignKeyConstraint(
            ["rag_index_id"], ["rag_indexes.rag_index_id"], name="index_target_rag_index_id_fkey", ondelete="CASCADE"
        ),
        one_of("kind", TARGET_KINDS),
        Index("index_target_rag_index_id_idx", "rag_index_id"),
        Index("index_target_serves_idx", "rag_index_id", unique=True, postgresql_where=text("serves")),
    )

    index_target_id: Mapped[str] = uuid_key()
    workspace_id: Mapped[str] = mapped_column(UUID)
    company_id: Mapped[str] = mapped_column(UUID)
    platform: Mapped[str] = mapped_column(TEXT)
    rag_index_id: Mapped[str] = mapped_column(UUID)
    name: Mapped[str] = mapped_column(TEXT)
    kind: Mapped[str] = mapped_column(TEXT)
    location: Mapped[str] = mapped_column(TEXT)
    with_text: Mapped[bool] = mapped_column(BOOLEAN, server_default=text("true"))
    serves: Mapped[bool] = mapped_column(BOOLEAN, server_default=text("false"))
    is_paused: Mapped[bool] = mapped_column(BOOLEAN, server_default=text("false"))
    fence: Mapped[int] = mapped_column(BIGINT, server_default=text("0"))
    serving_build_id: Mapped[int | None] = mapped_column(INTEGER)
    failures: Mapped[int] = mapped_column(INTEGER, server_default=text("0"))
    next_attempt_at: Mapped[Any] = time()
    last_error: Mapped[str | None] = mapped_column(TEXT)
    created_at: Mapped[Any] = now()


class TargetCollection(Base):
    """What a target has of one build. It is `live` while it serves and was proven equal to what PostgreSQL publishes.

    `is_counted` is false from a change of it until its rows were counted.

    The address is that of the target, so that it is known when the target is not there any more.
    """

    __tablename__ = "target_collection"
    __table_args__ = (
        PrimaryKeyConstraint("index_target_id", "rag_index_build_id"),
        one_of("state", ("filling", "live")),
        Index("target_collection_rag_index_build_id_idx", "rag_index_build_id"),
    )

    index_target_id: Mapped[str] = mapped_column(UUID, ForeignKey("index_target.index_target_id", ondelete="CASCADE"))
    rag_index_build_id: Mapped[int] = mapped_column(
        INTEGER, ForeignKey("rag_index_build.rag_index_build_id", ondelete="CASCADE"), autoincrement=False
    )
    kind: Mapped[str] = mapped_column(TEXT)
    location: Mapped[str] = mapped_column(TEXT)
    collection: Mapped[str] = mapped_column(TEXT)
    state: Mapped[str] = mapped_column(TEXT, server_default=text("'filling'"))
    object_count: Mapped[int] = mapped_column(BIGINT, server_default=text("0"))
    vector_count: Mapped[int] = mapped_column(BIGINT, server_default=text("0"))
    delivered_at: Mapped[Any] = time()
    verified_at: Mapped[Any] = time()
    verification: Mapped[Any] = mapped_column(JSONB, nullable=True)
    is_counted: Mapped[bool] = mapped_column(BOOLEAN, server_default=text("false"))


DELIVERY_SEQUENCE = Sequence("sync_operations_seq", metadata=Base.metadata, data_type=BIGINT)


class SyncOperation(Base):
    """A document of which a target may not have what is published. What is delivered is read then.

    `held` are the chunks that the target has of it, and `tried` those that it may have, for somebody began to deliver;
    `held` NULL: not known. `seq` is another one whenever the document is
    published again, so that only what was read is acknowledged. The document may be gone: no foreign key.
    """

    __tablename__ = "sync_operations"
    __table_args__ = (
        PrimaryKeyConstraint("index_target_id", "rag_index_build_id", "document_id"),
        one_of("operation", ("put", "remove")),
        Index("sync_operations_seq_idx", "index_target_id", "rag_index_build_id", "seq"),
        Index("sync_operations_rag_index_build_id_idx", "rag_index_build_id"),
    )

    index_target_id: Mapped[str] = mapped_column(UUID, ForeignKey("index_target.index_target_id", ondelete="CASCADE"))
    rag_index_build_id: Mapped[int] = mapped_column(
        INTEGER, ForeignKey("rag_index_build.rag_index_build_id", ondelete="CASCADE"), autoincrement=False
    )
    document_id: Mapped[str] = mapped_column(UUID)
    operation: Mapped[str] = mapped_column(TEXT)
    held: Mapped[Any] = mapped_column(ARRAY(BIGINT), nullable=True)
    seq: Mapped[int] = mapped_column(BIGINT, server_default=text("nextval('sync_operations_seq')"))
    since: Mapped[Any] = now()
    attempts: Mapped[int] = mapped_column(INTEGER, server_default=text("0"))
    parked_reason: Mapped[str | None] = mapped_column(TEXT)
    tried: Mapped[Any] = mapped_column(ARRAY(BIGINT), server_default=text("'{}'"))


class UnwantedCollection(Base):
    """A collection of a target or a build that is no more, which its store still has until it answers."""

    __tablename__ = "unwanted_collection"

    unwanted_collection_id: Mapped[int] = mapped_column(BIGINT, Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column(TEXT)
    location: Mapped[str] = mapped_column(TEXT)
    collection: Mapped[str] = mapped_column(TEXT)
    since: Mapped[Any] = now()
    failures: Mapped[int] = mapped_column(INTEGER, server_default=text("0"))
    next_attempt_at: Mapped[Any] = time()
    last_error: Mapped[str | None] = mapped_column(TEXT)


# Whoever deletes it: a target, a build, an index or a workspace takes it along.
FORGOTTEN = """
    CREATE FUNCTION note_unwanted_collection() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
        INSERT INTO unwanted_collection (kind, location, collection) VALUES (OLD.kind, OLD.location, OLD.collection);
        RETURN NULL;
    END
    $$
"""
FORGETTING = """
    CREATE TRIGGER target_collection_forgotten AFTER DELETE ON target_collection FOR EACH ROW
        EXECUTE FUNCTION note_unwanted_collection()
"""
# Of the operator: it names what several companies have. `state`: waiting; retrying, after a failure; running; paused,
# by somebody; parked, until somebody does something about it.
JOB_QUEUE = """
    SELECT 'delivery' AS kind, w.slug AS workspace,
           CASE WHEN s.parked_reason IS NOT NULL THEN 'parked'
                WHEN t.is_paused OR w.status <> 'active' THEN 'paused'
                WHEN s.attempts > 0 OR t.failures > 0 THEN 'retrying'
                ELSE 'waiting' END AS state,
           CASE WHEN s.parked_reason IS NOT NULL THEN s.attempts ELSE greatest(s.attempts, t.failures) END AS attempts,
           CASE WHEN s.parked_reason IS NULL THEN t.next_attempt_at END AS next_attempt_at,
           coalesce(s.parked_reason, t.last_error) AS last_error,
           t.name || ': document ' || s.document_id AS subject, s.since
    FROM sync_operations s
    JOIN index_target t ON t.index_target_id = s.index_target_id
    JOIN workspace w ON w.workspace_id = t.workspace_id
    UNION ALL
    SELECT 'target_fill', w.slug,
           CASE WHEN t.is_paused OR w.status <> 'active' THEN 'paused'
                WHEN t.failures > 0 THEN 'retrying'
                WHEN c.state = 'filling' THEN 'running'
                ELSE 'waiting' END,
           t.failures, t.next_attempt_at, t.last_error, t.name || ': build ' || b.rag_index_build_id,
           greatest(t.created_at, b.created_at)
    FROM index_target t
    JOIN workspace w ON w.workspace_id = t.workspace_id
    JOIN rag_indexes i ON i.rag_index_id = t.rag_index_id
    JOIN rag_index_build b ON b.rag_index_id = t.rag_index_id
    LEFT JOIN target_collection c
        ON c.index_target_id = t.index_target_id AND c.rag_index_build_id = b.rag_index_build_id
    WHERE c.state IS NULL OR c.state <> 'live' AND i.active_build_id = b.rag_index_build_id
    UNION ALL
    SELECT 'collection_drop', NULL, CASE WHEN u.failures > 0 THEN 'retrying' ELSE 'waiting' END, u.failures,
           u.next_attempt_at, u.last_error, u.kind || ': ' || u.collection, u.since
    FROM unwanted_collection u
    UNION ALL
    SELECT 'page_retry', w.slug,
           CASE WHEN p.next_attempt_at IS NULL THEN 'parked'
                WHEN w.status <> 'active' THEN 'paused'
                ELSE 'retrying' END,
           p.attempts, p.next_attempt_at, p.reason, 'page ' || p.external_id, p.fetched_at
    FROM source_page p
    JOIN workspace w ON w.workspace_id = p.workspace_id
    WHERE p.state = 'quarantined'
    UNION ALL
    SELECT 'sync', w.slug,
           CASE WHEN w.status <> 'active' THEN 'paused'
                WHEN l.run IS NOT NULL AND l.heartbeat_at > now() - interval '60 seconds' THEN 'running'
                WHEN w.poll_failures > 0 THEN 'retrying'
                ELSE 'waiting' END,
           w.poll_failures, w.poll_after, w.poll_problem, coalesce(w.sync_needed, 'somebody asked for it'),
           w.sync_asked_at
    FROM workspace w
    LEFT JOIN workspace_lease l ON l.workspace_id = w.workspace_id
    WHERE w.sync_needed IS NOT NULL OR w.sync_asked_at IS NOT NULL
    UNION ALL
    SELECT 'build_fill', w.slug,
           CASE WHEN b.state = 'verifying' THEN 'parked' WHEN w.status <> 'active' THEN 'paused' ELSE 'waiting' END, 0,
           NULL, b.verification #>> '{problems,0}', i.name || ': build ' || b.rag_index_build_id, b.created_at
    FROM rag_index_build b
    JOIN rag_indexes i ON i.rag_index_id = b.rag_index_id
    JOIN workspace w ON w.workspace_id = i.workspace_id
    WHERE b.state = 'building' OR b.state = 'verifying' AND NOT coalesce((b.verification ->> 'passed')::boolean, true)
    UNION ALL
    SELECT 'embedding_batch', w.slug, CASE WHEN e.state = 'sending' THEN 'running' ELSE 'waiting' END, 0,
           coalesce(e.checked_at, e.created_at) + interval '10 minutes', e.reason,
           coalesce(e.provider_batch_id, 'not sent yet') || ': ' || e.texts || ' texts', e.created_at
    FROM embedding_batch e
    JOIN workspace w ON w.workspace_id = e.workspace_id
    WHERE e.state IN ('sending', 'waiting')
"""
_JOB_QUEUE = f"CREATE VIEW job_queue WITH (security_invoker = true) AS {JOB_QUEUE}"
for _statement in (FORGOTTEN, FORGETTING, _JOB_QUEUE):
    event.listen(Base.metadata, "after_create", DDL(_statement))  # type: ignore[no-untyped-call]
