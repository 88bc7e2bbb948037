"""What triggers keep (times, and what no foreign key can say), and which tables have policies. Made with the tables.

Rights, and the policies of who reads for a company, come with the roles of a server (`db/sql/roles_serving.sql`).
"""

from __future__ import annotations

from sqlalchemy import DDL, event

from arcana_pipelines.db.models.base import Base

# `chunk` is not among them: the statements that change it set the time, for many rows at once. `rag_indexes.updated` is
# another time: when what is served changed.
TIMED = ("company", "workspace", "document", "document_content", "document_relation", "rag_index_build")

# What may be read for a company: a policy more for its role says which rows.
GUARDED = (
    "company",
    "workspace",
    "api_keys",
    "api_key_permissions",
    "api_usage_logs",
    "conversation_context",
    "document",
    "document_content",
    "document_property",
    "document_relation",
    "source_page",
    "source_file",
    "stored_file",
    "sync_generation",
    "workspace_lease",
    "rag_indexes",
    "rag_index_build",
    "published_document",
    "retired_document",
    "retired_chunk_terms",
    "term_count",
    "index_word",
    "embedding_usage",
    "search_answers",
    "search_feedback",
    "query_cache",
    "chunk_analytics",
    "index_target",
    "target_collection",
    "tickets",
    "conversations",
    "ticket_counts",
    "taxonomy_version",
    "taxonomy_nodes",
    "doc_taxonomy",
    "taxonomy_decision",
    "taxonomy_change",
    "taxonomy_ended",
    "taxonomy_rule",
    "taxonomy_unknown_path",
    "taxonomy_settings",
    # It may be added to, and not read.
    "audit_logs",
)

_FUNCTIONS = (
    """
    CREATE FUNCTION keep_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.updated_at := now();
        RETURN NEW;
    END
    $$
    """,
    """
    CREATE FUNCTION check_latest_content() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
        IF EXISTS (
            SELECT FROM document_content c
            WHERE c.document_content_id = NEW.latest_content_id AND c.document_id <> NEW.document_id
        ) THEN
            RAISE EXCEPTION 'the latest content of document %% is of another document', NEW.document_id
                USING ERRCODE = 'foreign_key_violation', CONSTRAINT = TG_NAME;
        END IF;
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE FUNCTION check_active_build() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
        IF EXISTS (
            SELECT FROM rag_index_build b
            WHERE b.rag_index_build_id = NEW.active_build_id AND b.rag_index_id <> NEW.rag_index_id
        ) THEN
            RAISE EXCEPTION 'the active build of index %% is of another index', NEW.rag_index_id
                USING ERRCODE = 'foreign_key_violation', CONSTRAINT = TG_NAME;
        END IF;
        RETURN NULL;
    END
    $$
    """,
    # As its owner: who may add a row may not read the one before. So nobody else makes a trigger of it: on a view of
    # theirs, theirs would run as the owner, too. The lock is held until the transaction ends, so that two rows at once
    # become one chain. `audit/sql/audit_broken.sql` computes the same.
    """
    CREATE FUNCTION chain_audit_log() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DECLARE
        last_id bigint;
        last_hash bytea;
    BEGIN
        PERFORM pg_advisory_xact_lock(7270005);
        EXECUTE format('SELECT audit_log_id, hash FROM %%s ORDER BY audit_log_id DESC LIMIT 1', TG_RELID::regclass)
            INTO last_id, last_hash;
        NEW.audit_log_id := coalesce(last_id, 0) + 1;
        NEW.at := clock_timestamp();
        NEW.previous_hash := coalesce(last_hash, sha256(''));
        NEW.hash := sha256(NEW.previous_hash || convert_to(jsonb_build_array(
            NEW.audit_log_id, to_char(NEW.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), NEW.actor,
            NEW.company_id, NEW.workspace_id, NEW.workspace_slug, NEW.action, NEW.object, NEW.details
        )::text, 'UTF8'));
        RETURN NEW;
    END
    $$
    """,
    "REVOKE ALL ON FUNCTION chain_audit_log() FROM PUBLIC",
    """
    CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the audit log is only added to: %% is refused', TG_OP
            USING ERRCODE = 'insufficient_privilege';
    END
    $$
    """,
    """
    CREATE FUNCTION count_published() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (NEW.updated, NEW.active_build_id, NEW.published_at, NEW.publish_seq)
           IS DISTINCT FROM (OLD.updated, OLD.active_build_id, OLD.published_at, OLD.publish_seq) THEN
            NEW.publish_seq := OLD.publish_seq + 1;
            PERFORM pg_notify('arcana_published', json_build_object(
                'company_id', NEW.company_id, 'workspace_id', NEW.workspace_id, 'index', NEW.name,
                'publish_seq', NEW.publish_seq
            )::text);
        END IF;
        RETURN NEW;
    END
    $$
    """,
    # Whoever changes both an index and its build locks the index first; so who changes what this counts does, too.
    """
    CREATE FUNCTION count_effort_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
        UPDATE rag_indexes SET publish_seq = publish_seq + 1 WHERE active_build_id = NEW.rag_index_build_id;
        RETURN NULL;
    END
    $$
    """,
    # Once a transaction, at its end: by then it waits for no other row, and nobody who has one waits for it. As its
    # owner: who assigns a topic as a company does not write what others count.
    """
    DO $do$
    BEGIN
        EXECUTE format($create$
            CREATE FUNCTION count_places_changed() RETURNS trigger
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = %%I, pg_temp AS $$
            DECLARE
                changed uuid;
            BEGIN
                IF TG_TABLE_NAME = 'document_relation' THEN
                    changed := (SELECT d.workspace_id FROM document d
                                WHERE d.document_id = coalesce(NEW.base_document_id, OLD.base_document_id));
                ELSE
                    changed := coalesce(NEW.workspace_id, OLD.workspace_id);
                END IF;
                IF current_setting('arcana.places_changed', true) IS DISTINCT FROM changed::text THEN
                    INSERT INTO workspace_places AS held (workspace_id, changes)
                    SELECT w.workspace_id, 1 FROM workspace w WHERE w.workspace_id = changed
                    ON CONFLICT (workspace_id) DO UPDATE SET changes = held.changes + 1;
                    PERFORM set_config('arcana.places_changed', changed::text, true);
                END IF;
                RETURN NULL;
            END
            $$
        $create$, current_schema());
        REVOKE ALL ON FUNCTION count_places_changed() FROM PUBLIC;
    END
    $do$
    """,
    # What was active once stays as it is, and goes with its workspace alone.
    """
    CREATE FUNCTION refuse_released_nodes() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    DECLARE
        released text;
    BEGIN
        SELECT v.version INTO released
        FROM (SELECT DISTINCT workspace_id, version FROM changed) c
        JOIN taxonomy_version v USING (workspace_id, version)
        WHERE v.state <> 'draft' LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'version %% of the taxonomy was released: its nodes stay as they are', released
                USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
        END IF;
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE FUNCTION refuse_released_version() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
        IF OLD.state <> 'draft' THEN
            IF TG_OP = 'DELETE' THEN
                IF EXISTS (SELECT FROM workspace w WHERE w.workspace_id = OLD.workspace_id) THEN
                    RAISE EXCEPTION 'version %% of the taxonomy was released: it is not deleted', OLD.version
                        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
                END IF;
            ELSIF NEW.state = 'draft' OR NEW.version <> OLD.version OR NEW.workspace_id <> OLD.workspace_id THEN
                RAISE EXCEPTION 'version %% of the taxonomy was released: it is no draft any more', OLD.version
                    USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
            END IF;
        END IF;
        RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    END
    $$
    """,
    # As its owner: what finds labels in arrays may see rows that a policy hides, so no index serves it there.
    """
    DO $do$
    BEGIN
        EXECUTE format($create$
            CREATE FUNCTION taxonomy_labelled(asked_workspace uuid, asked_version text, asked_labels text[])
            RETURNS SETOF uuid LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = %%I, pg_temp AS $$
            DECLARE
                company uuid := nullif(current_setting('arcana.company_id', true), '')::uuid;
            BEGIN
                IF EXISTS (
                    SELECT FROM workspace w
                    WHERE w.workspace_id = asked_workspace
                      AND CASE WHEN company IS NULL THEN pg_has_role(session_user, current_user, 'MEMBER')
                               ELSE w.company_id = company END
                ) THEN
                    RETURN QUERY
                    SELECT n.node_id FROM taxonomy_nodes n
                    WHERE n.workspace_id = asked_workspace AND n.version = asked_version
                      AND n.canonical_path @> asked_labels;
                END IF;
            END
            $$
        $create$, current_schema());
        REVOKE ALL ON FUNCTION taxonomy_labelled(uuid, text, text[]) FROM PUBLIC;
    END
    $do$
    """,
    # A row for what each statement changes, so that nobody who writes waits for another. What is removed with its whole
    # workspace or company takes its counts along.
    """
    CREATE FUNCTION count_tickets() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            INSERT INTO ticket_counts (company_id, platform, workspace_id, status, priority, is_processed, tickets)
            SELECT company_id, platform, workspace_id, status, priority, is_processed, count(*)
            FROM came WHERE removed_at IS NULL
            GROUP BY 1, 2, 3, 4, 5, 6;
        ELSIF TG_OP = 'UPDATE' THEN
            INSERT INTO ticket_counts (company_id, platform, workspace_id, status, priority, is_processed, tickets)
            SELECT company_id, platform, workspace_id, status, priority, is_processed, sum(change)
            FROM (
                SELECT 1 AS change, came.* FROM came WHERE removed_at IS NULL
                UNION ALL
                SELECT -1, went.* FROM went WHERE removed_at IS NULL
            ) changed
            GROUP BY 1, 2, 3, 4, 5, 6
            HAVING sum(change) <> 0;
        ELSE
            INSERT INTO ticket_counts (company_id, platform, workspace_id, status, priority, is_processed, tickets)
            SELECT company_id, platform, workspace_id, status, priority, is_processed, -count(*)
            FROM went
            WHERE removed_at IS NULL AND EXISTS (SELECT FROM company c WHERE c.company_id = went.company_id)
              AND (workspace_id IS NULL
                   OR EXISTS (SELECT FROM workspace w WHERE w.workspace_id = went.workspace_id))
            GROUP BY 1, 2, 3, 4, 5, 6;
        END IF;
        RETURN NULL;
    END
    $$
    """,
    # Now and then who writes adds up what there is, but for rows that another has at the moment.
    """
    CREATE FUNCTION add_up_ticket_counts() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
        WITH held AS MATERIALIZED (
            SELECT * FROM ticket_counts WHERE company_id = NEW.company_id AND platform = NEW.platform
            FOR UPDATE SKIP LOCKED
        ), several AS MATERIALIZED (
            SELECT workspace_id, status, priority, is_processed, sum(tickets) AS tickets,
                   array_agg(ticket_count_id) AS ids
            FROM held
            GROUP BY 1, 2, 3, 4
            HAVING count(*) > 1
        ), gone AS (
            DELETE FROM ticket_counts c USING several WHERE c.ticket_count_id = ANY (several.ids)
        )
        INSERT INTO ticket_counts (company_id, platform, workspace_id, status, priority, is_processed, tickets)
        SELECT NEW.company_id, NEW.platform, workspace_id, status, priority, is_processed, tickets
        FROM several WHERE tickets <> 0;
        RETURN NULL;
    END
    $$
    """,
    # A key and those that it was rotated from or into, as whoever asks sees them. What stands for somebody who logged
    # in elsewhere is in no table, and has no other.
    """
    CREATE FUNCTION key_family(asked text) RETURNS SETOF text
    LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
        WITH RECURSIVE family AS (
            SELECT asked AS key_id, (SELECT k.rotated_from FROM api_keys k WHERE k.key_id = asked) AS rotated_from
            UNION
            SELECT k.key_id, k.rotated_from
            FROM api_keys k
            JOIN family f ON k.key_id = f.rotated_from OR k.rotated_from = f.key_id
        )
        SELECT key_id FROM family
    $$
    """,
    # For who acts for no company yet; of the workspace that a company has, nothing but what a key is asked for.
    """
    DO $do$
    BEGIN
        EXECUTE format($create$
            CREATE FUNCTION workspace_for_key(
                company uuid, asked text, OUT workspace_id uuid, OUT platform text, OUT places bigint,
                OUT indexes text[], OUT builds integer[], OUT publish_seqs bigint[]
            ) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = %%I, pg_temp AS $$
            #variable_conflict use_column
            BEGIN
                SELECT w.workspace_id, w.platform, coalesce(p.changes, 0) INTO workspace_id, platform, places
                FROM workspace w LEFT JOIN workspace_places p USING (workspace_id)
                WHERE w.slug = asked AND w.company_id = company AND w.status <> 'deleting';
                IF FOUND THEN
                    SELECT array_agg(i.name), array_agg(i.active_build_id), array_agg(i.publish_seq)
                    INTO indexes, builds, publish_seqs
                    FROM rag_indexes i WHERE i.workspace_id = workspace_for_key.workspace_id;
                END IF;
            END
            $$
        $create$, current_schema());
        REVOKE ALL ON FUNCTION workspace_for_key(uuid, text) FROM PUBLIC;
    END
    $do$
    """,
)
_TRIGGERS = (
    """
    CREATE CONSTRAINT TRIGGER document_latest_content_of_the_same
        AFTER INSERT OR UPDATE OF latest_content_id ON document
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.latest_content_id IS NOT NULL)
        EXECUTE FUNCTION check_latest_content()
    """,
    """
    CREATE CONSTRAINT TRIGGER rag_indexes_active_build_of_the_same
        AFTER INSERT OR UPDATE OF active_build_id ON rag_indexes
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.active_build_id IS NOT NULL)
        EXECUTE FUNCTION check_active_build()
    """,
    """
    CREATE TRIGGER audit_logs_chained BEFORE INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION chain_audit_log()
    """,
    """
    CREATE TRIGGER audit_logs_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_logs
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()
    """,
    """
    CREATE TRIGGER rag_indexes_published BEFORE UPDATE ON rag_indexes FOR EACH ROW EXECUTE FUNCTION count_published()
    """,
    """
    CREATE TRIGGER rag_index_build_effort AFTER UPDATE ON rag_index_build FOR EACH ROW
        WHEN ((OLD.ann, OLD.ann_effort) IS DISTINCT FROM (NEW.ann, NEW.ann_effort))
        EXECUTE FUNCTION count_effort_changed()
    """,
    """
    CREATE CONSTRAINT TRIGGER document_places AFTER UPDATE ON document DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        WHEN ((OLD.path::text, OLD.deleted_at) IS DISTINCT FROM (NEW.path::text, NEW.deleted_at))
        EXECUTE FUNCTION count_places_changed()
    """,
    """
    CREATE CONSTRAINT TRIGGER source_page_places AFTER UPDATE ON source_page DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        WHEN ((OLD.kind, OLD.title, OLD.url, OLD.properties, OLD.last_edited_at, OLD.document_id, OLD.is_container,
               OLD.state = 'tombstoned')
              IS DISTINCT FROM
              (NEW.kind, NEW.title, NEW.url, NEW.properties, NEW.last_edited_at, NEW.document_id, NEW.is_container,
               NEW.state = 'tombstoned'))
        EXECUTE FUNCTION count_places_changed()
    """,
    """
    CREATE CONSTRAINT TRIGGER source_page_known AFTER INSERT OR DELETE ON source_page
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        EXECUTE FUNCTION count_places_changed()
    """,
    """
    CREATE CONSTRAINT TRIGGER document_property_places AFTER INSERT OR UPDATE OR DELETE ON document_property
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        EXECUTE FUNCTION count_places_changed()
    """,
    """
    CREATE CONSTRAINT TRIGGER document_relation_places AFTER INSERT OR UPDATE OR DELETE ON document_relation
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        EXECUTE FUNCTION count_places_changed()
    """,
    """
    CREATE CONSTRAINT TRIGGER doc_taxonomy_places AFTER INSERT OR UPDATE OR DELETE ON doc_taxonomy
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        EXECUTE FUNCTION count_places_changed()
    """,
    """
    CREATE CONSTRAINT TRIGGER taxonomy_version_places AFTER UPDATE ON taxonomy_version
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
        EXECUTE FUNCTION count_places_changed()
    """,
    """
    CREATE TRIGGER taxonomy_version_released BEFORE UPDATE OR DELETE ON taxonomy_version FOR EACH ROW
        EXECUTE FUNCTION refuse_released_version()
    """,
    """
    CREATE TRIGGER taxonomy_nodes_added AFTER INSERT ON taxonomy_nodes REFERENCING NEW TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_released_nodes()
    """,
    """
    CREATE TRIGGER taxonomy_nodes_changed AFTER UPDATE ON taxonomy_nodes REFERENCING OLD TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_released_nodes()
    """,
    """
    CREATE TRIGGER taxonomy_nodes_deleted AFTER DELETE ON taxonomy_nodes REFERENCING OLD TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_released_nodes()
    """,
    """
    CREATE TRIGGER tickets_came AFTER INSERT ON tickets REFERENCING NEW TABLE AS came
        FOR EACH STATEMENT EXECUTE FUNCTION count_tickets()
    """,
    """
    CREATE TRIGGER tickets_changed AFTER UPDATE ON tickets REFERENCING OLD TABLE AS went NEW TABLE AS came
        FOR EACH STATEMENT EXECUTE FUNCTION count_tickets()
    """,
    """
    CREATE TRIGGER tickets_went AFTER DELETE ON tickets REFERENCING OLD TABLE AS went
        FOR EACH STATEMENT EXECUTE FUNCTION count_tickets()
    """,
    """
    CREATE TRIGGER ticket_counts_added_up AFTER INSERT ON ticket_counts FOR EACH ROW
        WHEN (mod(NEW.ticket_count_id, 64) = 0) EXECUTE FUNCTION add_up_ticket_counts()
    """,
    *(
        f"CREATE TRIGGER {table}_updated_at BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION keep_updated_at()"
        for table in TIMED
    ),
)

_POLICIES = (
    statement
    for table in GUARDED
    for statement in (
        f"CREATE POLICY of_application ON {table} USING (true) WITH CHECK (true)",
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
    )
)

for _statement in (*_FUNCTIONS, *_TRIGGERS, *_POLICIES):
    event.listen(Base.metadata, "after_create", DDL(_statement))  # type: ignore[no-untyped-call]
