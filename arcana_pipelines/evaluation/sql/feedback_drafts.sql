-- Questions with pages that readers found helpful more often than not, those first of which most was said. Left out are
-- questions that are golden already, and those of which something was masked.
-- in: workspace_id, most
-- out: query, pages (ids in the source, best first), grades (1 to 3, of each)
SELECT query, array_agg(external_id ORDER BY net DESC, external_id) AS pages,
       array_agg(least(net, 3)::int ORDER BY net DESC, external_id) AS grades
FROM (
    SELECT q.question AS query, p.external_id,
           count(*) FILTER (WHERE f.verdict <> 'unhelpful') - count(*) FILTER (WHERE f.verdict = 'unhelpful') AS net
    FROM search_feedback f
    JOIN query_cache q
        ON q.company_id = f.company_id AND q.workspace_id = f.workspace_id AND q.query_hash = f.query_hash
    JOIN source_page p ON p.workspace_id = f.workspace_id AND p.document_id = f.document_id AND p.removed_at IS NULL
    WHERE f.workspace_id = %(workspace_id)s AND f.verdict IN ('helpful', 'used', 'unhelpful')
      AND q.question !~ '<(address|number)>'
      AND NOT EXISTS (
          SELECT FROM golden_question g WHERE g.workspace_id = f.workspace_id AND lower(g.query) = lower(q.question)
      )
    GROUP BY q.question, p.external_id
) said
WHERE net > 0
GROUP BY query
ORDER BY sum(net) DESC, query
LIMIT %(most)s;
