"""Support tickets as records, their summaries, and documents that are not for everybody who may read a workspace.

Revision: 0043
Revises: 0042
"""

from __future__ import annotations

from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

_TABLES = (
    """
    CREATE TABLE tickets (
        id UUID DEFAULT gen_random_uuid() NOT NULL,
        company_id UUID NOT NULL,
        platform TEXT NOT NULL,
        workspace_id UUID,
        document_id UUID,
        ticket_id TEXT NOT NULL,
        title TEXT DEFAULT '' NOT NULL,
        description TEXT DEFAULT '' NOT NULL,
        status TEXT DEFAULT '' NOT NULL,
        priority TEXT DEFAULT '' NOT NULL,
        requester_email TEXT,
        requester_name TEXT,
        assignee_email TEXT,
        assignee_name TEXT,
        tags JSONB DEFAULT '[]' NOT NULL,
        custom_fields JSONB DEFAULT '{}' NOT NULL,
        summary JSONB,
        is_processed BOOLEAN DEFAULT false NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        removed_at TIMESTAMP WITH TIME ZONE,
        content_hash BYTEA,
        CONSTRAINT tickets_pkey PRIMARY KEY (id),
        CONSTRAINT tickets_workspace_id_fkey FOREIGN KEY (workspace_id, company_id, platform)
            REFERENCES workspace (workspace_id, company_id, platform) ON DELETE CASCADE ON UPDATE CASCADE,
        CONSTRAINT tickets_document_id_fkey FOREIGN KEY (document_id)
            REFERENCES document (document_id) ON DELETE CASCADE,
        CONSTRAINT tickets_id_company_id_platform_key UNIQUE (id, company_id, platform),
        CONSTRAINT tickets_platform_check CHECK (platform ~ '^[a-z][a-z0-9_]*$'),
        CONSTRAINT tickets_ticket_id_check CHECK (ticket_id <> ''),
        CONSTRAINT tickets_company_id_fkey FOREIGN KEY (company_id) REFERENCES company (company_id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX idx_ticket_assignee ON tickets (company_id, platform, assignee_email) WHERE removed_at IS NULL",
    "CREATE UNIQUE INDEX idx_ticket_composite ON tickets (company_id, platform, ticket_id)",
    "CREATE INDEX idx_ticket_priority ON tickets (company_id, platform, priority) WHERE removed_at IS NULL",
    "CREATE INDEX idx_ticket_processed ON tickets (company_id, platform, is_processed) WHERE removed_at IS NULL",
    "CREATE INDEX idx_ticket_status ON tickets (company_id, platform, status) WHERE removed_at IS NULL",
    "CREATE INDEX idx_ticket_updated ON tickets (company_id, platform, updated_at DESC, id) WHERE removed_at IS NULL",
    "CREATE INDEX tickets_document_id_idx ON tickets (document_id)",
    "CREATE INDEX tickets_workspace_id_idx ON tickets (workspace_id)",
    """
    CREATE TABLE conversations (
        id UUID DEFAULT gen_random_uuid() NOT NULL,
        company_id UUID NOT NULL,
        platform TEXT NOT NULL,
        ticket_id UUID NOT NULL,
        conversation_id TEXT NOT NULL,
        content TEXT DEFAULT '' NOT NULL,
        message_type TEXT NOT NULL,
        author_email TEXT,
        author_name TEXT,
        author_type TEXT NOT NULL,
        attachments JSONB DEFAULT '[]' NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        CONSTRAINT conversations_pkey PRIMARY KEY (id),
        CONSTRAINT conversations_message_type_check CHECK (message_type IN ('public', 'private', 'note')),
        CONSTRAINT conversations_author_type_check CHECK (author_type IN ('agent', 'customer', 'system')),
        CONSTRAINT conversations_ticket_id_fkey FOREIGN KEY (ticket_id, company_id, platform)
            REFERENCES tickets (id, company_id, platform) ON DELETE CASCADE ON UPDATE CASCADE
    )
    """,
    "CREATE UNIQUE INDEX conversations_ticket_id_conversation_id_key ON conversations (ticket_id, conversation_id)",
    "CREATE INDEX idx_conversation_author ON conversations (company_id, platform, author_email)",
    "CREATE INDEX idx_conversation_composite ON conversations (company_id, platform, ticket_id, created_at)",
    "CREATE INDEX idx_conversation_type ON conversations (company_id, platform, message_type)",
    """
    CREATE TABLE ticket_counts (
        ticket_count_id BIGINT GENERATED ALWAYS AS IDENTITY,
        company_id UUID NOT NULL,
        platform TEXT NOT NULL,
        workspace_id UUID,
        status TEXT NOT NULL,
        priority TEXT NOT NULL,
        is_processed BOOLEAN NOT NULL,
        tickets BIGINT NOT NULL,
        CONSTRAINT ticket_counts_pkey PRIMARY KEY (ticket_count_id),
        CONSTRAINT ticket_counts_company_id_fkey FOREIGN KEY (company_id)
            REFERENCES company (company_id) ON DELETE CASCADE,
        CONSTRAINT ticket_counts_workspace_id_fkey FOREIGN KEY (workspace_id)
            REFERENCES workspace (workspace_id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX ticket_counts_company_id_platform_idx ON ticket_counts (company_id, platform)",
    "CREATE INDEX ticket_counts_workspace_id_idx ON ticket_counts (workspace_id)",
    """
    CREATE TABLE summary_attempt (
        ticket_id UUID NOT NULL,
        workspace_id UUID NOT NULL,
        claim UUID NOT NULL,
        state TEXT NOT NULL,
        content_hash BYTEA NOT NULL,
        model TEXT NOT NULL,
        prompt_version INTEGER NOT NULL,
        reserved_tokens BIGINT NOT NULL,
        ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
        reason TEXT,
        CONSTRAINT summary_attempt_pkey PRIMARY KEY (ticket_id),
        CONSTRAINT summary_attempt_state_check CHECK (state IN ('under_way', 'failed')),
        CONSTRAINT summary_attempt_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES tickets (id) ON DELETE CASCADE,
        CONSTRAINT summary_attempt_workspace_id_fkey FOREIGN KEY (workspace_id)
            REFERENCES workspace (workspace_id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX summary_attempt_workspace_id_idx ON summary_attempt (workspace_id)",
    """
    CREATE TABLE summary_usage (
        workspace_id UUID NOT NULL,
        day DATE NOT NULL,
        model TEXT NOT NULL,
        requests BIGINT NOT NULL,
        input_tokens BIGINT NOT NULL,
        output_tokens BIGINT NOT NULL,
        seconds DOUBLE PRECISION NOT NULL,
        CONSTRAINT summary_usage_pkey PRIMARY KEY (workspace_id, day, model),
        CONSTRAINT summary_usage_workspace_id_fkey FOREIGN KEY (workspace_id)
            REFERENCES workspace (workspace_id) ON DELETE CASCADE
    )
    """,
)
_COUNTS = (
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
)
_OF_PAGES = (
    "CREATE INDEX source_page_archived_idx ON source_page (workspace_id, seen_generation) WHERE is_archived",
    "CREATE INDEX source_page_companions_idx ON source_page (workspace_id, comes_with) WHERE comes_with IS NOT NULL",
)


def upgrade() -> None:
    op.execute("ALTER TABLE document ADD COLUMN is_internal BOOLEAN DEFAULT false NOT NULL")
    op.execute("CREATE INDEX document_internal_idx ON document (workspace_id) WHERE is_internal")
    op.execute(
        "ALTER TABLE source_page ADD COLUMN is_internal BOOLEAN DEFAULT false NOT NULL, "
        "ADD COLUMN is_archived BOOLEAN DEFAULT false NOT NULL, ADD COLUMN comes_with TEXT, ADD COLUMN record JSONB"
    )
    for statement in (*_TABLES, *_COUNTS, *_OF_PAGES):
        op.execute(statement)
    for table in ("tickets", "conversations", "ticket_counts"):
        op.execute(f"CREATE POLICY of_application ON {table} USING (true) WITH CHECK (true)")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    _check("source_page", "kind", "kind ~ '^[a-z][a-z_]*$'")
    _check("api_key_permissions", "scope", "scope IN ('search', 'read', 'notes', 'sync', 'feedback', 'admin')")


def downgrade() -> None:
    # Nothing of before knows what they are, nor that some are not for everybody.
    op.execute(
        "DELETE FROM document d USING source_page p "
        "WHERE p.document_id = d.document_id AND p.kind NOT IN ('page', 'row') AND NOT p.is_container"
    )
    op.execute("DELETE FROM source_page WHERE kind NOT IN ('page', 'row') AND NOT is_container")
    op.execute("DELETE FROM api_key_permissions WHERE scope = 'notes'")
    _check("api_key_permissions", "scope", "scope IN ('search', 'read', 'sync', 'feedback', 'admin')")
    _check("source_page", "kind", "kind IN ('page', 'row') OR is_container")
    for table in ("summary_usage", "summary_attempt", "conversations", "tickets", "ticket_counts"):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP FUNCTION count_tickets, add_up_ticket_counts")
    for table in ("document", "source_page", "source_file"):
        op.execute(f"DROP POLICY IF EXISTS of_readers ON {table}")
    op.execute(
        "ALTER TABLE source_page DROP COLUMN is_internal, DROP COLUMN is_archived, DROP COLUMN comes_with, "
        "DROP COLUMN record"
    )
    op.execute("ALTER TABLE document DROP COLUMN is_internal")


def _check(table: str, column: str, condition: str) -> None:
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_{column}_check")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_check CHECK ({condition})")
