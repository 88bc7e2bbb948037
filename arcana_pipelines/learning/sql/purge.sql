-- Delete what is known of use: before a time, of a workspace, with a key, as far as these are given. The questions of a key
-- are taken off the counts of those who ask the same, and their times with them; conversations that began before the time
-- go whole.
-- in: until, workspace_id, key_id (each may be null)
-- out: the fields of Gone: how many rows were deleted
WITH answers AS (
    DELETE FROM search_answers
    WHERE (%(until)s::timestamptz IS NULL OR at < %(until)s)
      AND (%(workspace_id)s::uuid IS NULL OR workspace_id = %(workspace_id)s)
      AND (%(key_id)s::text IS NULL OR key_id = %(key_id)s)
    RETURNING at, company_id, workspace_id, query_hash, is_answered, is_cached, is_continued
), feedback AS (
    DELETE FROM search_feedback
    WHERE (%(until)s::timestamptz IS NULL OR searched_at < %(until)s)
      AND (%(workspace_id)s::uuid IS NULL OR workspace_id = %(workspace_id)s)
      AND (%(key_id)s::text IS NULL OR key_id = %(key_id)s)
    RETURNING 1
), of_key AS (
    SELECT company_id, workspace_id, query_hash, count(*) AS asked, count(*) FILTER (WHERE is_answered) AS answered,
           count(*) FILTER (WHERE is_cached) AS cached, min(at) AS first_at, max(at) AS last_at,
           max(at) FILTER (WHERE is_answered) AS last_answered_at
    FROM answers
    WHERE %(key_id)s::text IS NOT NULL AND NOT is_continued
    GROUP BY company_id, workspace_id, query_hash
), of_others AS (
    SELECT k.company_id, k.workspace_id, k.query_hash, min(a.at) AS first_at, max(a.at) AS last_at,
           max(a.at) FILTER (WHERE a.is_answered) AS last_answered_at
    FROM of_key k
    JOIN search_answers a USING (company_id, workspace_id, query_hash)
    WHERE NOT a.is_continued AND (a.key_id <> %(key_id)s OR a.at >= %(until)s)
    GROUP BY k.company_id, k.workspace_id, k.query_hash
), lessened AS (
    -- What others asked so long ago that it is not noted any more came first: then the first time is theirs already.
    UPDATE query_cache q
    SET asked = q.asked - k.asked, answered = q.answered - k.answered, cached = q.cached - k.cached,
        first_asked_at = CASE WHEN q.first_asked_at < k.first_at THEN q.first_asked_at
                              ELSE coalesce(o.first_at, q.first_asked_at) END,
        last_asked_at = CASE WHEN q.last_asked_at > k.last_at THEN q.last_asked_at
                             ELSE coalesce(o.last_at, q.first_asked_at) END,
        last_answered_at = CASE WHEN k.last_answered_at IS NULL OR q.last_answered_at > k.last_answered_at
                                     THEN q.last_answered_at
                                WHEN q.answered > k.answered THEN coalesce(o.last_answered_at, q.first_asked_at) END
    FROM of_key k
    LEFT JOIN of_others o USING (company_id, workspace_id, query_hash)
    WHERE q.company_id = k.company_id AND q.workspace_id = k.workspace_id AND q.query_hash = k.query_hash
      AND q.asked > k.asked
), questions AS (
    DELETE FROM query_cache q
    WHERE CASE WHEN %(key_id)s::text IS NULL
        THEN (%(until)s::timestamptz IS NULL OR q.last_asked_at < %(until)s)
             AND (%(workspace_id)s::uuid IS NULL OR q.workspace_id = %(workspace_id)s)
        ELSE EXISTS (
            SELECT FROM of_key k
            WHERE k.company_id = q.company_id AND k.workspace_id = q.workspace_id AND k.query_hash = q.query_hash
              AND q.asked <= k.asked
        )
    END
    RETURNING 1
), chunk_days AS (
    DELETE FROM chunk_analytics
    WHERE %(key_id)s::text IS NULL AND (%(until)s::timestamptz IS NULL OR day < (%(until)s AT TIME ZONE 'UTC')::date)
      AND (%(workspace_id)s::uuid IS NULL OR workspace_id = %(workspace_id)s)
    RETURNING 1
), conversations AS (
    DELETE FROM conversation_context
    WHERE conversation_id IN (
        SELECT b.conversation_id FROM conversation_context b
        WHERE b.turn = 0 AND (%(until)s::timestamptz IS NULL OR b.asked_at < %(until)s)
          AND (%(workspace_id)s::uuid IS NULL OR b.workspace_id = %(workspace_id)s)
          AND (%(key_id)s::text IS NULL OR b.key_id = %(key_id)s)
    )
    RETURNING turn
), requests AS (
    DELETE FROM api_usage_logs
    WHERE (%(until)s::timestamptz IS NULL OR at < %(until)s)
      AND (%(workspace_id)s::uuid IS NULL OR workspace_id = %(workspace_id)s)
      AND (%(key_id)s::text IS NULL OR key_id = %(key_id)s)
    RETURNING 1
)
SELECT (SELECT count(*) FROM answers) AS answers, (SELECT count(*) FROM feedback) AS feedback,
       (SELECT count(*) FROM questions) AS questions, (SELECT count(*) FROM chunk_days) AS chunk_days,
       (SELECT count(*) FROM conversations WHERE turn = 0) AS conversations,
       (SELECT count(*) FROM requests) AS requests;
