-- Let files be read once more: what was read of their bytes is forgotten, for all files that have them, and what refused to
-- be fetched is fetched. What is searched of them stays until then. Where nothing is said of which, it is those in quarantine.
-- in: workspace_id, files (external ids; NULL: not by them), kind (NULL: any), parser (its name; NULL: any)
-- out: how many are due
WITH chosen AS (
    SELECT f.external_id, f.sha256
    FROM source_file f
    LEFT JOIN stored_file s ON s.workspace_id = f.workspace_id AND s.sha256 = f.sha256
    WHERE f.workspace_id = %(workspace_id)s AND f.state <> 'removed'
      AND (%(files)s::text[] IS NULL OR f.external_id = ANY(%(files)s))
      AND (%(kind)s::text IS NULL OR s.kind = %(kind)s)
      AND (%(parser)s::text IS NULL OR split_part(f.parser, '/', 1) = %(parser)s)
      AND (f.state = 'quarantined'
           OR %(files)s::text[] IS NOT NULL OR %(kind)s::text IS NOT NULL OR %(parser)s::text IS NOT NULL)
), forgotten AS (
    DELETE FROM parsed_file p USING (SELECT DISTINCT sha256 FROM chosen) c
    WHERE p.workspace_id = %(workspace_id)s AND p.sha256 = c.sha256
), allowed AS (
    DELETE FROM embedding_rejected WHERE workspace_id = %(workspace_id)s AND EXISTS (SELECT 1 FROM chosen)
), due AS (
    UPDATE source_file f SET
        state = CASE WHEN f.sha256 IS NULL THEN 'pending' ELSE 'stored' END,
        reason = NULL, detail = NULL, attempts = 0, next_attempt_at = NULL
    WHERE f.workspace_id = %(workspace_id)s
      AND (f.sha256 IN (SELECT sha256 FROM chosen) AND f.state IN ('stored', 'parsed', 'skipped', 'quarantined')
           -- Who added a file has its bytes, and no page does.
           OR f.sha256 IS NULL AND f.origin <> 'added' AND f.external_id IN (SELECT external_id FROM chosen))
    RETURNING 1
)
SELECT count(*) FROM due;
