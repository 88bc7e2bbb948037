SELECT (SELECT count(*) FROM source_page
        WHERE workspace_id = %(workspace_id)s AND kind <> 'data_source' AND state <> 'tombstoned'),
       (SELECT count(*) FROM source_page WHERE workspace_id = %(workspace_id)s AND state = 'pending'),
       (SELECT count(*) FROM chunk_stage t
        JOIN rag_index_build b USING (rag_index_build_id) JOIN rag_indexes i USING (rag_index_id)
        WHERE i.workspace_id = %(workspace_id)s),
       (SELECT coalesce(sum(object_count), 0)::bigint FROM rag_indexes WHERE workspace_id = %(workspace_id)s);
