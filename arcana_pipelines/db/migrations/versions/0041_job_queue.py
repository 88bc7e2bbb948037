"""Whatever waits, in one view: deliveries to targets, pages and builds that are tried again, asked syncs, batches.

Revision: 0041
Revises: 0040
"""

from __future__ import annotations

from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

_JOB_QUEUE = """
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


def upgrade() -> None:
    op.execute(f"CREATE VIEW job_queue WITH (security_invoker = true) AS {_JOB_QUEUE}")


def downgrade() -> None:
    op.execute("DROP VIEW job_queue")
