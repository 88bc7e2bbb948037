-- What the server may read for a company, for the role arcana_tenant where there is one. Rights and policies are one list:
-- no role of a company's reads a table of ours whose rows are not limited to its own. May be repeated: what is there is
-- left alone. A policy that is to be another one needs another name.
-- Partitions are named by searches, where no policy of their parent holds: each is for the role of its company alone.
-- in: nothing
-- out: nothing
DO $$
DECLARE
    ours CONSTANT text := '(SELECT nullif(current_setting(''arcana.company_id'', true), '''')::uuid)';
    of_builds CONSTANT text :=
        'rag_index_build_id = ANY (ARRAY(SELECT b.rag_index_build_id FROM rag_index_build b))';
    may_see CONSTANT text := '(SELECT current_setting(''arcana.internal'', true) = ''on'')';
    of_workspaces CONSTANT text := 'workspace_id = ANY (ARRAY(SELECT w.workspace_id FROM workspace w))';
    statement text;
    wanted record;
BEGIN
    IF to_regrole('arcana_tenant') IS NULL OR to_regrole('arcana_server') IS NULL
       OR NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('document') AND attname = 'company_id') THEN
        RETURN;
    END IF;
    FOR wanted IN
        SELECT to_regclass(name) AS name, columns, format(condition, ours) AS condition
        FROM (VALUES
            ('company', NULL, 'company_id = %s'),
            ('workspace', ARRAY[
                'workspace_id', 'company_id', 'slug', 'name', 'platform', 'status', 'generation', 'polled_at',
                'unchanged_at', 'sync_asked_at'
             ], 'company_id = %s'),
            ('api_keys', NULL, 'company_id = %s'),
            ('api_key_permissions', NULL, 'company_id = %s'),
            ('api_usage_logs', NULL, 'company_id = %s'),
            ('conversation_context', NULL, 'company_id = %s'),
            ('document', NULL, 'company_id = %s'),
            ('rag_indexes', NULL, 'company_id = %s'),
            ('rag_index_build', NULL, 'rag_index_id = ANY (ARRAY(SELECT i.rag_index_id FROM rag_indexes i))'),
            ('tickets', NULL, 'company_id = %s'),
            ('conversations', NULL, 'company_id = %s'),
            ('ticket_counts', NULL, 'company_id = %s'),
            ('document_content', NULL,
             'EXISTS (SELECT FROM document d WHERE d.document_id = document_content.document_id)'),
            ('document_relation', NULL,
             'EXISTS (SELECT FROM document d WHERE d.document_id = document_relation.base_document_id)'),
            ('document_property', NULL, of_workspaces),
            ('source_page', ARRAY[
                'workspace_id', 'document_id', 'external_id', 'kind', 'parent_kind', 'parent_external_id', 'title', 'url',
                'last_edited_at', 'in_trash', 'state', 'properties', 'is_container', 'is_internal'
             ], of_workspaces),
            ('source_file', ARRAY[
                'workspace_id', 'document_id', 'external_id', 'page_external_id', 'name', 'origin', 'caption', 'state',
                'reason', 'sha256'
             ], of_workspaces),
            ('stored_file', NULL, of_workspaces),
            ('sync_generation', NULL, of_workspaces),
            ('workspace_lease', ARRAY['workspace_id', 'run', 'is_resting', 'heartbeat_at'], of_workspaces),
            ('published_document', NULL, of_builds),
            ('retired_document', NULL, of_builds),
            ('retired_chunk_terms', NULL, of_builds),
            ('term_count', NULL, of_builds),
            ('index_word', NULL, of_builds),
            ('embedding_usage', NULL, of_workspaces),
            ('search_answers', NULL, 'company_id = %s'),
            ('search_feedback', NULL, 'company_id = %s'),
            ('query_cache', NULL, 'company_id = %s'),
            ('chunk_analytics', NULL, 'company_id = %s'),
            ('index_target', NULL, 'company_id = %s'),
            ('taxonomy_version', NULL, of_workspaces),
            ('taxonomy_nodes', NULL, of_workspaces),
            ('doc_taxonomy', NULL, of_workspaces),
            ('taxonomy_decision', NULL, of_workspaces),
            ('taxonomy_change', NULL, of_workspaces),
            ('taxonomy_ended', NULL, of_workspaces),
            ('taxonomy_rule', NULL, of_workspaces),
            ('taxonomy_unknown_path', NULL, of_workspaces),
            ('taxonomy_settings', NULL, of_workspaces),
            ('target_collection', NULL, 'index_target_id = ANY (ARRAY(SELECT t.index_target_id FROM index_target t))'),
            ('audit_logs', '{}', 'company_id = %s')  -- added to, and not read
        ) AS tables (name, columns, condition)
        WHERE to_regclass(name) IS NOT NULL
    LOOP
        IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = wanted.name AND polname = 'of_company') THEN
            EXECUTE format('CREATE POLICY of_company ON %s AS RESTRICTIVE TO arcana_tenant USING (%s)',
                           wanted.name, wanted.condition);
        END IF;
        IF wanted.columns IS NULL AND NOT has_table_privilege('arcana_tenant', wanted.name, 'SELECT') THEN
            EXECUTE format('GRANT SELECT ON %s TO arcana_tenant', wanted.name);
        END IF;
        FOR statement IN
            SELECT format('GRANT SELECT (%I) ON %s TO arcana_tenant', attname, wanted.name)
            FROM pg_attribute
            WHERE attrelid = wanted.name AND attname = ANY (wanted.columns)
              AND NOT has_column_privilege('arcana_tenant', attrelid, attnum, 'SELECT')
        LOOP
            EXECUTE statement;
        END LOOP;
    END LOOP;
    -- What is internal is for those alone who may see it, for whom the session says so. What hangs on a document that is
    -- not seen is not, either: its versions and relations by their own policies, its files by this one.
    FOR wanted IN
        SELECT to_regclass(name) AS name, condition
        FROM (VALUES
            ('document', format('NOT is_internal OR %s', may_see)),
            ('source_page', format('NOT is_internal OR %s', may_see)),
            ('conversations', format('message_type <> ''private'' OR %s', may_see)),
            ('source_file',
             'page_external_id IS NULL OR EXISTS (SELECT FROM source_page p WHERE p.workspace_id = source_file.workspace_id '
             'AND p.external_id = source_file.page_external_id)')
        ) AS tables (name, condition)
        WHERE EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('document') AND attname = 'is_internal')
          AND NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = to_regclass(tables.name) AND polname = 'of_readers')
    LOOP
        EXECUTE format('CREATE POLICY of_readers ON %s AS RESTRICTIVE TO arcana_tenant USING (%s)',
                       wanted.name, wanted.condition);
    END LOOP;
    -- Before it is known whose a request is: the release of the schema, the keys with what they may do, and the names and
    -- limits of companies, by whose names tokens of other issuers say whose they are.
    FOR statement IN
        SELECT format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), role)
        FROM unnest(ARRAY['arcana_server', 'arcana_tenant']) AS role
        WHERE NOT has_schema_privilege(role, current_schema(), 'USAGE')
          AND has_schema_privilege(current_schema(), 'USAGE WITH GRANT OPTION')
        UNION ALL
        SELECT format('GRANT SELECT ON alembic_version TO %I', role)
        FROM unnest(ARRAY['arcana_server', 'arcana_tenant']) AS role
        WHERE NOT has_table_privilege(role, to_regclass('alembic_version'), 'SELECT')
        UNION ALL
        SELECT format('GRANT SELECT ON %I TO arcana_server', name)
        FROM unnest(ARRAY['api_keys', 'api_key_permissions']) AS name
        WHERE NOT has_table_privilege('arcana_server', to_regclass(name), 'SELECT')
        UNION ALL
        SELECT format('GRANT SELECT (%I) ON company TO arcana_server', attname)
        FROM pg_attribute
        WHERE attrelid = to_regclass('company')
          AND attname IN ('company_id', 'name', 'requests_per_minute', 'searches_per_month')
          AND NOT has_column_privilege('arcana_server', attrelid, attnum, 'SELECT')
        UNION ALL
        SELECT format('GRANT EXECUTE ON FUNCTION %s TO arcana_server', oid::regprocedure)
        FROM pg_proc
        WHERE oid = to_regprocedure('workspace_for_key(uuid, text)')
          AND NOT has_function_privilege('arcana_server', oid, 'EXECUTE')
        UNION ALL
        SELECT 'GRANT INSERT ON audit_logs TO arcana_tenant'
        WHERE NOT has_table_privilege('arcana_tenant', to_regclass('audit_logs'), 'INSERT')
        UNION ALL
        -- What is learned from a company's searches, and what they are asked in a row, is written as that company.
        SELECT format('GRANT %s ON %I TO arcana_tenant', privilege, name)
        FROM (VALUES
            ('search_answers', 'INSERT'), ('search_feedback', 'INSERT'), ('search_feedback', 'UPDATE'),
            ('query_cache', 'INSERT'), ('query_cache', 'UPDATE'),
            ('conversation_context', 'INSERT'), ('conversation_context', 'DELETE'),
            ('doc_taxonomy', 'INSERT'), ('doc_taxonomy', 'UPDATE'), ('doc_taxonomy', 'DELETE'),
            ('taxonomy_decision', 'INSERT'), ('taxonomy_decision', 'UPDATE'), ('taxonomy_decision', 'DELETE'),
            ('taxonomy_unknown_path', 'INSERT'), ('taxonomy_unknown_path', 'UPDATE')
        ) AS written (name, privilege)
        WHERE NOT has_table_privilege('arcana_tenant', to_regclass(name), privilege)
        UNION ALL
        -- Who adds a turn locks the beginning of its conversation, which needs the right to change a column.
        SELECT 'GRANT UPDATE (asked_at) ON conversation_context TO arcana_tenant'
        FROM pg_attribute
        WHERE attrelid = to_regclass('conversation_context') AND attname = 'asked_at'
          AND NOT has_column_privilege('arcana_tenant', attrelid, attnum, 'UPDATE')
        UNION ALL
        -- Who writes a topic holds the version that it is of, which needs the right to change a column.
        SELECT 'GRANT UPDATE (note) ON taxonomy_version TO arcana_tenant'
        FROM pg_attribute
        WHERE attrelid = to_regclass('taxonomy_version') AND attname = 'note'
          AND NOT has_column_privilege('arcana_tenant', attrelid, attnum, 'UPDATE')
        UNION ALL
        SELECT format('GRANT EXECUTE ON FUNCTION %s TO arcana_tenant', oid::regprocedure)
        FROM pg_proc
        WHERE oid = to_regprocedure('taxonomy_labelled(uuid, text, text[])')
          AND NOT has_function_privilege('arcana_tenant', oid, 'EXECUTE')
        UNION ALL
        -- Views read as whoever asks.
        SELECT format('GRANT SELECT ON %I TO arcana_tenant', name)
        FROM unnest(ARRAY[
            'v_index_stats', 'v_workspace_stats', 'v_usage_daily', 'v_zero_results', 'v_top_pages', 'v_stale_hits'
        ]) AS name
        WHERE NOT has_table_privilege('arcana_tenant', to_regclass(name), 'SELECT')
        UNION ALL
        -- What a process saw of what it needs: no company's.
        SELECT 'GRANT SELECT, INSERT ON system_health TO arcana_server'
        WHERE NOT has_table_privilege('arcana_server', to_regclass('system_health'), 'INSERT')
        UNION ALL
        -- Who has logged out is asked for before it is known whose a request is.
        SELECT 'GRANT SELECT, INSERT, DELETE ON ended_sessions TO arcana_server'
        WHERE NOT has_table_privilege('arcana_server', to_regclass('ended_sessions'), 'DELETE')
        UNION ALL
        -- Of many companies at once, and without reading: its partitions are nobody's but the owner's.
        SELECT 'GRANT INSERT ON api_usage_logs TO arcana_server'
        WHERE NOT has_table_privilege('arcana_server', to_regclass('api_usage_logs'), 'INSERT')
        UNION ALL
        SELECT 'GRANT UPDATE (last_used_at) ON api_keys TO arcana_server'
        WHERE NOT has_column_privilege('arcana_server', 'api_keys', 'last_used_at', 'UPDATE')
        UNION ALL
        SELECT 'GRANT UPDATE (sync_asked_at) ON workspace TO arcana_tenant'
        FROM pg_attribute
        WHERE attrelid = to_regclass('workspace') AND attname = 'sync_asked_at'
          AND NOT has_column_privilege('arcana_tenant', attrelid, attnum, 'UPDATE')
    LOOP
        EXECUTE statement;
    END LOOP;
    -- A role for each company: the superuser's function makes it, or whoever may make roles.
    FOR wanted IN
        SELECT company_id, 'arcana_company_' || replace(company_id::text, '-', '') AS role FROM company
        WHERE to_regrole('arcana_company_' || replace(company_id::text, '-', '')) IS NULL
    LOOP
        IF has_function_privilege(to_regprocedure('public.arcana_company_role(uuid)'), 'EXECUTE') THEN
            PERFORM public.arcana_company_role(wanted.company_id);
        ELSIF (SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted.role);
            EXECUTE format('GRANT arcana_tenant TO %I', wanted.role);
            EXECUTE format('GRANT %I TO arcana_server', wanted.role);
        END IF;
    END LOOP;
    FOR statement IN
        WITH part AS (
            SELECT h.inhrelid AS oid, to_regrole('arcana_company_' || replace(i.company_id::text, '-', '')) AS role
            FROM rag_index_build b
            JOIN rag_indexes i USING (rag_index_id)
            CROSS JOIN (VALUES ('chunk'), ('chunk_terms'), ('passage')) AS parent (name)
            JOIN pg_inherits h ON h.inhparent = to_regclass(parent.name)
                AND h.inhrelid = to_regclass(parent.name || '_b' || b.rag_index_build_id)
        )
        SELECT format('REVOKE ALL ON %s FROM %s', part.oid::regclass, acl.grantee::regrole)
        FROM part
        JOIN pg_class c USING (oid)
        CROSS JOIN LATERAL aclexplode(c.relacl) acl
        JOIN pg_roles r ON r.oid = acl.grantee
        WHERE r.rolname ~ '^arcana_company_' AND r.oid IS DISTINCT FROM part.role
        UNION ALL
        SELECT format('GRANT SELECT ON %s TO %s', part.oid::regclass, part.role)
        FROM part
        WHERE part.role IS NOT NULL AND NOT has_table_privilege(part.role, part.oid, 'SELECT')
    LOOP
        EXECUTE statement;
    END LOOP;
    -- Policies of companies would hide everything from the application, and a sync would find nothing it knows.
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
       AND pg_has_role('arcana_tenant', 'USAGE') THEN
        RAISE EXCEPTION 'the user % inherits arcana_tenant, whose policies would bind it all the time', current_user;
    END IF;
END
$$;
