"""What is learned from use: answers, feedback, questions, chunks that were shown, health, and views of them.

Revision: 0031
Revises: 0030
"""

from __future__ import annotations

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

# What an audit log may tell of, before and from now on.
BEFORE = (
    "workspace.registered",
    "workspace.changed",
    "workspace.removed",
    "key.created",
    "key.rotated",
    "key.revoked",
    "token.stored",
    "encryption_key.rotated",
    "removals.allowed",
    "index.published",
    "index.promoted",
    "index.rolled_back",
    "index.dropped",
)
AUDITED = (*BEFORE, "usage.purged")
GUARDED = ("search_answers", "search_feedback", "query_cache", "chunk_analytics", "embedding_usage")
TABLES = (
    """
    CREATE TABLE search_answers (
        at TIMESTAMP WITH TIME ZONE NOT NULL,
        company_id UUID NOT NULL,
        workspace_id UUID NOT NULL,
        index_name TEXT NOT NULL,
        key_id TEXT NOT NULL,
        request_id TEXT NOT NULL,
        query_hash BYTEA,
        document_ids UUID[] NOT NULL,
        positions INTEGER[] NOT NULL,
        is_answered BOOLEAN NOT NULL,
        is_cached BOOLEAN NOT NULL,
        is_continued BOOLEAN NOT NULL,
        CONSTRAINT search_answers_workspace_id_fkey
            FOREIGN KEY (company_id, workspace_id)
            REFERENCES workspace (company_id, workspace_id) ON DELETE CASCADE ON UPDATE CASCADE
    )
    """,
    "CREATE INDEX search_answers_at_idx ON search_answers USING brin (at)",
    "CREATE INDEX search_answers_request_id_idx ON search_answers (company_id, request_id)",
    "CREATE INDEX search_answers_workspace_id_idx ON search_answers (company_id, workspace_id, index_name, at)",
    """
    CREATE TABLE search_feedback (
        at TIMESTAMP WITH TIME ZONE NOT NULL,
        searched_at TIMESTAMP WITH TIME ZONE NOT NULL,
        company_id UUID NOT NULL,
        workspace_id UUID NOT NULL,
        index_name TEXT NOT NULL,
        key_id TEXT NOT NULL,
        request_id TEXT NOT NULL,
        query_hash BYTEA,
        document_id UUID,
        position INTEGER,
        place INTEGER,
        verdict TEXT NOT NULL,
        comment TEXT,
        CONSTRAINT search_feedback_workspace_id_fkey
            FOREIGN KEY (company_id, workspace_id)
            REFERENCES workspace (company_id, workspace_id) ON DELETE CASCADE ON UPDATE CASCADE,
        CONSTRAINT search_feedback_verdict_check
            CHECK (verdict IN ('helpful', 'unhelpful', 'opened', 'used', 'no_answer')),
        CONSTRAINT search_feedback_document_id_check CHECK ((document_id IS NULL) = (verdict = 'no_answer'))
    )
    """,
    """
    CREATE UNIQUE INDEX search_feedback_key ON search_feedback (
        company_id, key_id, request_id, workspace_id, index_name, document_id, position,
        (CASE WHEN verdict IN ('helpful', 'unhelpful') THEN 'judged' ELSE verdict END)) NULLS NOT DISTINCT
    """,
    "CREATE INDEX search_feedback_query_hash_idx ON search_feedback (company_id, workspace_id, query_hash)",
    """
    CREATE TABLE query_cache (
        company_id UUID NOT NULL,
        workspace_id UUID NOT NULL,
        query_hash BYTEA NOT NULL,
        question TEXT,
        asked BIGINT NOT NULL,
        answered BIGINT NOT NULL,
        cached BIGINT NOT NULL,
        first_asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
        last_asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
        last_answered_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT query_cache_pkey PRIMARY KEY (company_id, workspace_id, query_hash),
        CONSTRAINT query_cache_workspace_id_fkey
            FOREIGN KEY (company_id, workspace_id)
            REFERENCES workspace (company_id, workspace_id) ON DELETE CASCADE ON UPDATE CASCADE,
        CONSTRAINT query_cache_query_hash_check CHECK (octet_length(query_hash) = 32)
    )
    """,
    """
    CREATE TABLE chunk_analytics (
        company_id UUID NOT NULL,
        workspace_id UUID NOT NULL,
        index_name TEXT NOT NULL,
        day DATE NOT NULL,
        document_id UUID NOT NULL,
        position INTEGER NOT NULL,
        shown INTEGER NOT NULL,
        opened INTEGER DEFAULT 0 NOT NULL,
        used INTEGER DEFAULT 0 NOT NULL,
        helpful INTEGER DEFAULT 0 NOT NULL,
        unhelpful INTEGER DEFAULT 0 NOT NULL,
        CONSTRAINT chunk_analytics_pkey PRIMARY KEY (company_id, workspace_id, index_name, day, document_id, position),
        CONSTRAINT chunk_analytics_workspace_id_fkey
            FOREIGN KEY (company_id, workspace_id)
            REFERENCES workspace (company_id, workspace_id) ON DELETE CASCADE ON UPDATE CASCADE
    )
    """,
    """
    CREATE TABLE system_health (
        at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        reporter TEXT NOT NULL,
        component TEXT NOT NULL,
        state TEXT NOT NULL,
        milliseconds INTEGER,
        detail TEXT DEFAULT '' NOT NULL,
        CONSTRAINT system_health_pkey PRIMARY KEY (reporter, component, at),
        CONSTRAINT system_health_state_check CHECK (state IN ('ok', 'degraded', 'down'))
    )
    """,
    "CREATE INDEX system_health_at_idx ON system_health (at)",
)
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


def upgrade() -> None:
    for table in TABLES:
        op.execute(table)
    for table in GUARDED:
        op.execute(f"CREATE POLICY of_application ON {table} USING (true) WITH CHECK (true)")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    for name, select in VIEWS.items():
        op.execute(f"CREATE VIEW {name} WITH (security_invoker = true) AS {select}")
    _allow(AUDITED)


def downgrade() -> None:
    for name in VIEWS:
        op.execute(f"DROP VIEW {name}")
    for table in ("search_answers", "search_feedback", "query_cache", "chunk_analytics", "system_health"):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP POLICY IF EXISTS of_company ON embedding_usage")
    op.execute("DROP POLICY of_application ON embedding_usage")
    op.execute("ALTER TABLE embedding_usage NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY")
    op.execute(
        "DO $$ BEGIN IF to_regrole('arcana_tenant') IS NOT NULL THEN "
        "REVOKE ALL ON embedding_usage FROM arcana_tenant; END IF; END $$"
    )
    # What was told meanwhile stays: rows of the log are not deleted.
    _allow(BEFORE, " NOT VALID")


def _allow(actions: tuple[str, ...], how: str = "") -> None:
    listed = ", ".join(f"'{action}'" for action in actions)
    op.execute("ALTER TABLE audit_logs DROP CONSTRAINT audit_logs_action_check")
    op.execute(f"ALTER TABLE audit_logs ADD CONSTRAINT audit_logs_action_check CHECK (action IN ({listed})){how}")
