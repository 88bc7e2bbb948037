-- What a search reads, for the role arcana_reader where there is one: no settings, no tokens' names, no stored bodies.
-- May be repeated: what is granted is left alone. Searches name partitions, so each has the right itself.
-- in: nothing
-- out: nothing
DO $$
DECLARE
    statement text;
BEGIN
    IF to_regrole('arcana_reader') IS NULL THEN
        RETURN;
    END IF;
    FOR statement IN
        SELECT format('GRANT USAGE ON SCHEMA %I TO arcana_reader', n.nspname)
        FROM pg_namespace n
        WHERE n.nspname = current_schema() AND NOT has_schema_privilege('arcana_reader', n.oid, 'USAGE')
          AND has_schema_privilege(n.oid, 'USAGE WITH GRANT OPTION')
        UNION ALL
        SELECT format('GRANT SELECT ON %s TO arcana_reader', part.relid)
        FROM unnest(ARRAY[
            'alembic_version', 'rag_indexes', 'rag_index_build', 'document', 'document_content', 'document_property',
            'document_relation', 'published_document', 'retired_document', 'chunk', 'document_chunk', 'chunk_terms',
            'retired_chunk_terms', 'term_count', 'index_word', 'passage', 'tickets', 'conversations', 'ticket_counts',
            'taxonomy_version', 'taxonomy_nodes', 'taxonomy_change', 'taxonomy_settings', 'doc_taxonomy'
        ]) AS name,
        LATERAL (
            SELECT tree.relid FROM pg_partition_tree(to_regclass(name)) tree
            UNION
            SELECT to_regclass(name)
        ) part
        WHERE part.relid IS NOT NULL AND NOT has_table_privilege('arcana_reader', part.relid, 'SELECT')
        UNION ALL
        SELECT format('GRANT SELECT (%I) ON %s TO arcana_reader', a.attname, a.attrelid::regclass)
        FROM (VALUES
            ('workspace', ARRAY['workspace_id', 'company_id', 'platform', 'slug', 'name', 'status']),
            ('sync_generation', ARRAY['workspace_id', 'finished_at']),
            ('index_target', ARRAY['index_target_id', 'rag_index_id', 'name', 'kind', 'location', 'serves']),
            ('target_collection', ARRAY['index_target_id', 'rag_index_build_id', 'collection', 'state']),
            ('source_page', ARRAY[
                'workspace_id', 'document_id', 'external_id', 'kind', 'parent_kind', 'parent_external_id', 'title', 'url',
                'last_edited_at', 'in_trash', 'state', 'properties', 'is_container'
            ]),
            ('source_file', ARRAY['workspace_id', 'document_id', 'external_id', 'page_external_id', 'name', 'state'])
        ) AS wanted (name, columns)
        JOIN pg_attribute a ON a.attrelid = to_regclass(wanted.name) AND a.attname = ANY (wanted.columns)
        WHERE NOT has_column_privilege('arcana_reader', a.attrelid, a.attnum, 'SELECT')
    LOOP
        EXECUTE statement;
    END LOOP;
END
$$;
