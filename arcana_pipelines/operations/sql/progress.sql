-- How far a workspace's sync is: pages listed, pages still to be read, chunks that wait, how many of them have their
-- embedding, documents that are served, whether the index over the vectors is being made, passages without a vector,
-- pages that were read and are not served yet in their newest version.
-- in: workspace_id
-- out: the fields of Progress
SELECT (SELECT count(*) FROM source_page
        WHERE workspace_id = %(workspace_id)s AND NOT is_container AND state <> 'tombstoned'),
       (SELECT count(*) FROM source_page WHERE workspace_id = %(workspace_id)s AND state = 'pending'),
       staged.chunks,
       staged.embedded,
       (SELECT coalesce(sum(published_objects), 0)::bigint FROM rag_indexes WHERE workspace_id = %(workspace_id)s),
       EXISTS (SELECT FROM pg_stat_progress_create_index p
               JOIN rag_index_build b ON p.relid = to_regclass('chunk_b' || b.rag_index_build_id)
               JOIN rag_indexes i USING (rag_index_id) WHERE i.workspace_id = %(workspace_id)s),
       (SELECT count(*) FROM passage_stage JOIN rag_index_build USING (rag_index_build_id)
        JOIN rag_indexes i USING (rag_index_id) WHERE i.workspace_id = %(workspace_id)s),
       (SELECT count(*) FROM source_page WHERE workspace_id = %(workspace_id)s AND state = 'fetched')
       + (SELECT count(DISTINCT d.document_id)
          FROM rag_indexes i
          JOIN document d ON d.workspace_id = i.workspace_id AND d.deleted_at IS NULL
          JOIN source_page p ON p.document_id = d.document_id AND p.state = 'unchanged'
          LEFT JOIN published_document s
              ON s.rag_index_build_id = i.active_build_id AND s.document_id = d.document_id
          WHERE i.workspace_id = %(workspace_id)s AND s.document_content_id IS DISTINCT FROM d.latest_content_id)
FROM (SELECT count(*) AS chunks, count(e.text_hash) AS embedded
      FROM chunk_stage t
      JOIN rag_index_build b USING (rag_index_build_id) JOIN rag_indexes i USING (rag_index_id)
      LEFT JOIN embedding_store e ON e.workspace_id = i.workspace_id AND e.embedding_model = b.embedding_model
                                 AND e.dimensions = b.dimensions AND e.text_hash = t.text_hash
      WHERE i.workspace_id = %(workspace_id)s) staged;
