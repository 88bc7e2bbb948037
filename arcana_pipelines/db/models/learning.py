"""What is learned from use: answers that were given, what readers said of them, questions, chunks, and health."""

from __future__ import annotations

from typing import Any

from sqlalchemy import DDL, CheckConstraint, ForeignKeyConstraint, Index, PrimaryKeyConstraint, event, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, BYTEA, DATE, INTEGER, TEXT, TIMESTAMP, UUID
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import BOOLEAN

from arcana_pipelines.db.models.base import Base, one_of

VERDICTS = ("helpful", "unhelpful", "opened", "used", "no_answer")
STATES = ("ok", "degraded", "down")


def _of_workspace(table: str) -> ForeignKeyConstraint:
    """The workspace that a row is of, and goes with: to another company, or for ever."""
    return ForeignKeyConstraint(
        ["company_id", "workspace_id"],
        ["workspace.company_id", "workspace.workspace_id"],
        name=f"{table}_workspace_id_fkey",
        onupdate="CASCADE",
        ondelete="CASCADE",
    )


class SearchAnswer(Base):
    """An answer that a key was given: what feedback is checked against, for some weeks. No text stands in it.

    A request may have asked several questions, and a caller may give several requests the same id: then it has several
    rows. `document_ids` and `positions` are those of the chunks that were shown, best first; where nothing relevant was
    found, of the nearest. `query_hash` is NULL where nothing of questions is kept.
    """

    __tablename__ = "search_answers"
    __table_args__ = (
        _of_workspace("search_answers"),
        Index("search_answers_request_id_idx", "company_id", "request_id"),
        Index("search_answers_at_idx", "at", postgresql_using="brin"),
        Index("search_answers_workspace_id_idx", "company_id", "workspace_id", "index_name", "at"),
    )

    at: Mapped[Any] = mapped_column(TIMESTAMP(timezone=True))
    company_id: Mapped[str] = mapped_column(UUID)
    workspace_id: Mapped[str] = mapped_column(UUID)
    index_name: Mapped[str] = mapped_column(TEXT)
    key_id: Mapped[str] = mapped_column(TEXT)
    request_id: Mapped[str] = mapped_column(TEXT)
    query_hash: Mapped[bytes | None] = mapped_column(BYTEA)
    document_ids: Mapped[Any] = mapped_column(ARRAY(UUID), nullable=False)
    positions: Mapped[Any] = mapped_column(ARRAY(INTEGER), nullable=False)
    is_answered: Mapped[bool] = mapped_column(BOOLEAN)
    is_cached: Mapped[bool] = mapped_column(BOOLEAN)
    is_continued: Mapped[bool] = mapped_column(BOOLEAN)

    # What the mapper tells rows apart by; the table has no such constraint.
    __mapper_args__ = {"primary_key": [request_id, at, query_hash]}  # noqa: RUF012


class SearchFeedback(Base):
    """What a reader said of an answer, or of a chunk in it. `helpful` and `unhelpful` take each other's place.

    `searched_at` is when it was answered, by whose day `chunk_analytics` counts it; `place` is the chunk's among what
    was shown, from 1. Of an answer as a whole (`no_answer`) no chunk is named.
    """

    __tablename__ = "search_feedback"
    __table_args__ = (
        _of_workspace("search_feedback"),
        one_of("verdict", VERDICTS),
        CheckConstraint("(document_id IS NULL) = (verdict = 'no_answer')", name="document_id"),
        Index(
            "search_feedback_key",
            "company_id",
            "key_id",
            "request_id",
            "workspace_id",
            "index_name",
            "document_id",
            "position",
            text("(CASE WHEN verdict IN ('helpful', 'unhelpful') THEN 'judged' ELSE verdict END)"),
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        Index("search_feedback_query_hash_idx", "company_id", "workspace_id", "query_hash"),
    )

    at: Mapped[Any] = mapped_column(TIMESTAMP(timezone=True))
    searched_at: Mapped[Any] = mapped_column(TIMESTAMP(timezone=True))
    company_id: Mapped[str] = mapped_column(UUID)
    workspace_id: Mapped[str] = mapped_column(UUID)
    index_name: Mapped[str] = mapped_column(TEXT)
    key_id: Mapped[str] = mapped_column(TEXT)
    request_id: Mapped[str] = mapped_column(TEXT)
    query_hash: Mapped[bytes | None] = mapped_column(BYTEA)
    document_id: Mapped[str | None] = mapped_column(UUID)
    position: Mapped[int | None] = mapped_column(INTEGER)
    place: Mapped[int | None] = mapped_column(INTEGER)
    verdict: Mapped[str] = mapped_column(TEXT)
    comment: Mapped[str | None] = mapped_column(TEXT)

    __mapper_args__ = {"primary_key": [request_id, document_id, position, verdict]}  # noqa: RUF012


class QueryCache(Base):
    """The register of questions: what was asked in a workspace, how often, and how often an answer was found.

    `question` is the text without addresses and long numbers, where texts are kept (`KEEP_QUESTIONS`).
    """

    __tablename__ = "query_cache"
    __table_args__ = (
        PrimaryKeyConstraint("company_id", "workspace_id", "query_hash"),
        _of_workspace("query_cache"),
        CheckConstraint("octet_length(query_hash) = 32", name="query_hash"),
    )

    company_id: Mapped[str] = mapped_column(UUID)
    workspace_id: Mapped[str] = mapped_column(UUID)
    query_hash: Mapped[bytes] = mapped_column(BYTEA)
    question: Mapped[str | None] = mapped_column(TEXT)
    asked: Mapped[int] = mapped_column(BIGINT)
    answered: Mapped[int] = mapped_column(BIGINT)
    cached: Mapped[int] = mapped_column(BIGINT)
    first_asked_at: Mapped[Any] = mapped_column(TIMESTAMP(timezone=True))
    last_asked_at: Mapped[Any] = mapped_column(TIMESTAMP(timezone=True))
    last_answered_at: Mapped[Any] = mapped_column(TIMESTAMP(timezone=True), nullable=True)


class ChunkAnalytics(Base):
    """How often a chunk was shown on a day (UTC), and what readers said of it. Nothing of what was asked.

    Made of `search_answers` and `search_feedback` as long as these are kept (`learning.counts`). A chunk is named by
    its place in its document, as hits name it: an edit above may give its number to another.
    """

    __tablename__ = "chunk_analytics"
    __table_args__ = (
        PrimaryKeyConstraint("company_id", "workspace_id", "index_name", "day", "document_id", "position"),
        _of_workspace("chunk_analytics"),
    )

    company_id: Mapped[str] = mapped_column(UUID)
    workspace_id: Mapped[str] = mapped_column(UUID)
    index_name: Mapped[str] = mapped_column(TEXT)
    day: Mapped[Any] = mapped_column(DATE)
    document_id: Mapped[str] = mapped_column(UUID)
    position: Mapped[int] = mapped_column(INTEGER)
    shown: Mapped[int] = mapped_column(INTEGER)
    opened: Mapped[int] = mapped_column(INTEGER, server_default=text("0"))
    used: Mapped[int] = mapped_column(INTEGER, server_default=text("0"))
    helpful: Mapped[int] = mapped_column(INTEGER, server_default=text("0"))
    unhelpful: Mapped[int] = mapped_column(INTEGER, server_default=text("0"))


class SystemHealth(Base):
    """What a process saw of something it needs: a row when that changes, and one an hour. No company's."""

    __tablename__ = "system_health"
    __table_args__ = (
        PrimaryKeyConstraint("reporter", "component", "at"),
        one_of("state", STATES),
        Index("system_health_at_idx", "at"),
    )

    at: Mapped[Any] = mapped_column(TIMESTAMP(timezone=True), server_default=text("clock_timestamp()"))
    reporter: Mapped[str] = mapped_column(TEXT)
    component: Mapped[str] = mapped_column(TEXT)
    state: Mapped[str] = mapped_column(TEXT)
    milliseconds: Mapped[int | None] = mapped_column(INTEGER)
    detail: Mapped[str] = mapped_column(TEXT, server_default=text("''"))


# What people and programs read of it. As whoever asks: a company sees its own rows in them.
VIEWS = {
    "v_index_stats": """
        SELECT i.company_id, i.workspace_id, w.slug AS workspace, i.name AS index, i.embedding_model,
               i.object_count AS documents, i.vector_count AS chunks, i.updated,
               a.searches, a.answered, a.cached, f.helpful, f.unhelpful, f.no_answer
        FROM rag_indexes i
        JOIN workspace w ON w.workspace_id = i.workspace_id
        CROSS JOIN LATERAL (
            SELECT count(*) AS searches, count(*) FILTER (WHERE s.is_answered) AS answered,
                   count(*) FILTER (WHERE s.is_cached) AS cached
            FROM search_answers s
            WHERE s.company_id = i.company_id AND s.workspace_id = i.workspace_id AND s.index_name = i.name
              AND s.at > now() - interval '30 days' AND NOT s.is_continued
        ) a
        CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE b.verdict = 'helpful') AS helpful,
                   count(*) FILTER (WHERE b.verdict = 'unhelpful') AS unhelpful,
                   count(*) FILTER (WHERE b.verdict = 'no_answer') AS no_answer
            FROM search_feedback b
            WHERE b.company_id = i.company_id AND b.workspace_id = i.workspace_id AND b.index_name = i.name
              AND b.searched_at > now() - interval '30 days'
        ) f
    """,
    "v_workspace_stats": """
        SELECT w.company_id, w.workspace_id, w.slug AS workspace, u.month, sum(u.texts)::bigint AS texts,
               sum(u.tokens)::bigint AS tokens, sum(u.cost) AS embedding_cost, sum(u.searches)::bigint AS searches,
               sum(u.question_tokens)::bigint AS question_tokens
        FROM workspace w
        JOIN (
            SELECT e.workspace_id, e.month, e.texts, e.tokens, e.cost, 0 AS searches, 0 AS question_tokens
            FROM embedding_usage e
            UNION ALL
            SELECT l.workspace_id, date_trunc('month', l.at AT TIME ZONE 'UTC')::date, 0, 0, 0,
                   CASE WHEN l.action = 'search' AND l.status = 200 THEN l.requests ELSE 0 END, coalesce(l.tokens, 0)
            FROM api_usage_logs l
            WHERE l.workspace_id IS NOT NULL
        ) u ON u.workspace_id = w.workspace_id
        GROUP BY w.company_id, w.workspace_id, w.slug, u.month
    """,
    "v_usage_daily": """
        SELECT (l.at AT TIME ZONE 'UTC')::date AS day, l.company_id, l.workspace_id, w.slug AS workspace, l.key_id,
               sum(l.requests)::bigint AS requests,
               coalesce(sum(l.requests) FILTER (WHERE l.action = 'search' AND l.status = 200), 0)::bigint AS searches,
               coalesce(sum(l.requests) FILTER (WHERE l.status = 429), 0)::bigint AS refused,
               coalesce(sum(l.requests) FILTER (WHERE l.status >= 500), 0)::bigint AS failed,
               coalesce(sum(l.hits), 0)::bigint AS hits, coalesce(sum(l.tokens), 0)::bigint AS tokens,
               percentile_disc(0.5) WITHIN GROUP (ORDER BY l.milliseconds) FILTER (WHERE l.status <> 429) AS p50_ms,
               percentile_disc(0.95) WITHIN GROUP (ORDER BY l.milliseconds) FILTER (WHERE l.status <> 429) AS p95_ms
        FROM api_usage_logs l
        LEFT JOIN workspace w ON w.workspace_id = l.workspace_id
        GROUP BY 1, l.company_id, l.workspace_id, w.slug, l.key_id
    """,
    "v_zero_results": """
        SELECT q.company_id, q.workspace_id, w.slug AS workspace, q.question,
               encode(substring(q.query_hash FOR 6), 'hex') AS question_id, q.asked, q.asked - q.answered AS unanswered,
               coalesce(f.no_answer, 0) AS no_answer, q.last_asked_at,
               q.last_answered_at IS NOT DISTINCT FROM q.last_asked_at AS is_answered_now
        FROM query_cache q
        JOIN workspace w ON w.workspace_id = q.workspace_id
        LEFT JOIN (
            SELECT b.company_id, b.workspace_id, b.query_hash, count(*) AS no_answer
            FROM search_feedback b
            WHERE b.verdict = 'no_answer'
            GROUP BY b.company_id, b.workspace_id, b.query_hash
        ) f ON f.company_id = q.company_id AND f.workspace_id = q.workspace_id AND f.query_hash = q.query_hash
        WHERE q.asked > q.answered OR f.no_answer > 0
    """,
    "v_top_pages": """
        SELECT w.company_id, w.workspace_id, w.slug AS workspace, a.document_id, p.external_id, p.title,
               sum(a.shown)::bigint AS shown, sum(a.opened)::bigint AS opened, sum(a.used)::bigint AS used,
               sum(a.helpful)::bigint AS helpful, sum(a.unhelpful)::bigint AS unhelpful, max(a.day) AS last_shown_on
        FROM chunk_analytics a
        JOIN workspace w ON w.workspace_id = a.workspace_id
        JOIN source_page p ON p.workspace_id = a.workspace_id AND p.document_id = a.document_id
        WHERE a.day > (now() AT TIME ZONE 'UTC')::date - 30
        GROUP BY w.company_id, w.workspace_id, w.slug, a.document_id, p.external_id, p.title
    """,
    "v_stale_hits": """
        SELECT w.company_id, w.workspace_id, w.slug AS workspace, a.document_id, p.external_id, p.title,
               p.last_edited_at, extract(day FROM now() - p.last_edited_at)::int AS days_unedited,
               sum(a.shown)::bigint AS shown, sum(a.unhelpful)::bigint AS unhelpful, max(a.day) AS last_shown_on
        FROM chunk_analytics a
        JOIN workspace w ON w.workspace_id = a.workspace_id
        JOIN source_page p ON p.workspace_id = a.workspace_id AND p.document_id = a.document_id
        WHERE a.day > (now() AT TIME ZONE 'UTC')::date - 30 AND p.last_edited_at < now() - interval '365 days'
        GROUP BY w.company_id, w.workspace_id, w.slug, a.document_id, p.external_id, p.title, p.last_edited_at
    """,
    "v_system_health": """
        SELECT DISTINCT ON (h.reporter, h.component) h.reporter, h.component, h.state, h.milliseconds, h.detail, h.at
        FROM system_health h
        WHERE h.at > now() - interval '2 hours'
        ORDER BY h.reporter, h.component, h.at DESC
    """,
}

for _name, _select in VIEWS.items():
    event.listen(
        Base.metadata,
        "after_create",
        DDL(f"CREATE VIEW {_name} WITH (security_invoker = true) AS {_select}"),  # type: ignore[no-untyped-call]
    )
