-- Documents whose latest content a build neither serves nor has staged, in key order. One that was found impossible to
-- cut is not tried again until its page is read again: that may take seconds each time. Nor is one whose page was read
-- again already: what comes next is a newer content.
-- in: workspace_id, build (rag_index_build_id), uncut (how the reason of a page begins that cannot be cut), after
--     (document_id), limit, of_pages (none, or a condition that leaves those of some pages)
-- out: document_id, document_content_id, contents
SELECT d.document_id, c.document_content_id, c.contents
FROM document d
JOIN document_content c ON c.document_content_id = d.latest_content_id
LEFT JOIN published_document s
    ON s.rag_index_build_id = %(build)s AND s.document_id = d.document_id
WHERE d.workspace_id = %(workspace_id)s AND d.deleted_at IS NULL AND d.document_id > %(after)s
  {of_pages}
  AND s.document_content_id IS DISTINCT FROM d.latest_content_id
  AND NOT EXISTS (SELECT 1 FROM content_stage t
                  WHERE t.rag_index_build_id = %(build)s AND t.document_content_id = d.latest_content_id)
  AND NOT EXISTS (SELECT 1 FROM source_page p
                  WHERE p.document_id = d.document_id
                    AND (p.state = 'fetched' OR p.state = 'quarantined' AND starts_with(p.reason, %(uncut)s)))
  AND NOT EXISTS (SELECT 1 FROM source_file f
                  WHERE f.document_id = d.document_id AND f.state = 'quarantined' AND starts_with(f.reason, %(uncut)s))
ORDER BY d.document_id
LIMIT %(limit)s;
