"""What is a company's says so, and its rows are kept apart by policies; triggers keep times and what no key can.

Who reads as a company is limited by further policies, which are made with the roles (`db/sql/roles_serving.sql`).

Revision: 0025
Revises: 0024
"""

from __future__ import annotations

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

OWNED = ("document", "rag_indexes")
GUARDED = (
    "company",
    "workspace",
    "api_keys",
    "api_key_permissions",
    "document",
    "document_content",
    "document_property",
    "document_relation",
    "source_page",
    "rag_indexes",
    "rag_index_build",
    "published_document",
    "retired_document",
    "retired_chunk_terms",
    "term_count",
    "index_word",
)
TIMED = ("company", "workspace", "document", "document_content", "document_relation", "rag_index_build")

FUNCTIONS = (
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
            RAISE EXCEPTION 'the latest content of document % is of another document', NEW.document_id
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
            RAISE EXCEPTION 'the active build of index % is of another index', NEW.rag_index_id
                USING ERRCODE = 'foreign_key_violation', CONSTRAINT = TG_NAME;
        END IF;
        RETURN NULL;
    END
    $$
    """,
)

TRIGGERS = (
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
)


def upgrade() -> None:
    op.execute("ALTER TABLE workspace ADD CONSTRAINT workspace_owner_key UNIQUE (workspace_id, company_id, platform)")
    for table in OWNED:
        op.execute(f"ALTER TABLE {table} ADD COLUMN company_id UUID, ADD COLUMN platform TEXT")
        op.execute(
            f"UPDATE {table} t SET company_id = w.company_id, platform = w.platform "
            "FROM workspace w WHERE w.workspace_id = t.workspace_id"
        )
        op.execute("SET CONSTRAINTS ALL IMMEDIATE")
        op.execute(
            f"""
            ALTER TABLE {table}
                ALTER COLUMN company_id SET NOT NULL,
                ALTER COLUMN platform SET NOT NULL,
                DROP CONSTRAINT {table}_workspace_id_fkey,
                ADD CONSTRAINT {table}_workspace_id_fkey FOREIGN KEY (workspace_id, company_id, platform)
                    REFERENCES workspace (workspace_id, company_id, platform) ON UPDATE CASCADE ON DELETE CASCADE
            """
        )
    for statement in (*FUNCTIONS, *TRIGGERS):
        op.execute(statement)
    for table in TIMED:
        op.execute(
            f"CREATE TRIGGER {table}_updated_at BEFORE UPDATE ON {table} FOR EACH ROW "
            "EXECUTE FUNCTION keep_updated_at()"
        )
    # Searches name this partition, too. Builds of before there were passages have none.
    op.execute(
        """
        DO $$
        DECLARE
            build integer;
        BEGIN
            FOR build IN SELECT rag_index_build_id FROM rag_index_build LOOP
                IF to_regclass('passage_b' || build) IS NULL THEN
                    EXECUTE format('CREATE TABLE passage_b%1$s PARTITION OF passage FOR VALUES IN (%1$s)', build);
                    EXECUTE format('ALTER TABLE passage_b%s SET (toast_tuple_target = 8160)', build);
                END IF;
            END LOOP;
        END
        $$
        """
    )
    for table in GUARDED:
        # Who owns the tables, or reads all of them for the operator, is the application. A company is none.
        op.execute(f"CREATE POLICY of_application ON {table} USING (true) WITH CHECK (true)")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    # Without policies nobody may read as a company.
    op.execute(
        """
        DO $$
        DECLARE
            part record;
        BEGIN
            FOR part IN
                SELECT c.oid::regclass AS name, r.rolname AS role
                FROM pg_class c
                CROSS JOIN LATERAL aclexplode(c.relacl) acl
                JOIN pg_roles r ON r.oid = acl.grantee
                WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relkind IN ('r', 'p')
                  AND (r.rolname IN ('arcana_tenant', 'arcana_server') OR r.rolname ~ '^arcana_company_')
                UNION
                SELECT a.attrelid::regclass, r.rolname
                FROM pg_attribute a
                JOIN pg_class c ON c.oid = a.attrelid
                CROSS JOIN LATERAL aclexplode(a.attacl) acl
                JOIN pg_roles r ON r.oid = acl.grantee
                WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema()))
                  AND r.rolname IN ('arcana_tenant', 'arcana_server')
            LOOP
                EXECUTE format('REVOKE ALL ON %s FROM %I', part.name, part.role);
            END LOOP;
        END
        $$
        """
    )
    for table in GUARDED:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY")
        op.execute(f"DROP POLICY IF EXISTS of_company ON {table}")
        op.execute(f"DROP POLICY of_application ON {table}")
    for table in TIMED:
        op.execute(f"DROP TRIGGER {table}_updated_at ON {table}")
    op.execute("DROP TRIGGER document_latest_content_of_the_same ON document")
    op.execute("DROP TRIGGER rag_indexes_active_build_of_the_same ON rag_indexes")
    op.execute("DROP FUNCTION keep_updated_at(), check_latest_content(), check_active_build()")
    for table in OWNED:
        op.execute(
            f"""
            ALTER TABLE {table}
                DROP CONSTRAINT {table}_workspace_id_fkey,
                ADD CONSTRAINT {table}_workspace_id_fkey FOREIGN KEY (workspace_id)
                    REFERENCES workspace (workspace_id) ON DELETE CASCADE,
                DROP COLUMN company_id,
                DROP COLUMN platform
            """
        )
    op.execute("ALTER TABLE workspace DROP CONSTRAINT workspace_owner_key")
