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
    # As its owner: who may add a row may not read the one before. The lock is held until the transaction ends, so that
    # two rows at once become one chain. `audit/sql/audit_broken.sql` computes the same.
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
    """
    CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the audit log is only added to: %% is refused', TG_OP
            USING ERRCODE = 'insufficient_privilege';
    END
    $$
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
