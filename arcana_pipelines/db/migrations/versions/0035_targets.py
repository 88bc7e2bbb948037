"""Copies of an index in other stores, and what is still to be delivered to them.

Revision: 0035
Revises: 0034
"""

from __future__ import annotations

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_BEFORE = (
    "workspace.registered",
    "workspace.changed",
    "workspace.removed",
    "key.created",
    "key.rotated",
    "key.revoked",
    "token.stored",
    "encryption_key.rotated",
    "removals.allowed",
    "index.published",
    "index.promoted",
    "index.rolled_back",
    "index.dropped",
    "usage.purged",
)
_TABLES = (
    "ALTER TABLE rag_indexes ADD COLUMN published_objects BIGINT DEFAULT 0 NOT NULL",
    "ALTER TABLE rag_indexes ADD COLUMN published_vectors BIGINT DEFAULT 0 NOT NULL",
    "ALTER TABLE rag_indexes ADD COLUMN published_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL",
    """
    UPDATE rag_indexes
    SET published_objects = object_count, published_vectors = vector_count, published_at = updated
    """,
    """
    CREATE TABLE index_target (
        index_target_id UUID DEFAULT gen_random_uuid() NOT NULL,
        workspace_id UUID NOT NULL,
        company_id UUID NOT NULL,
        platform TEXT NOT NULL,
        rag_index_id UUID NOT NULL,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        location TEXT NOT NULL,
        with_text BOOLEAN DEFAULT true NOT NULL,
        serves BOOLEAN DEFAULT false NOT NULL,
        is_paused BOOLEAN DEFAULT false NOT NULL,
        fence BIGINT DEFAULT 0 NOT NULL,
        serving_build_id INTEGER,
        failures INTEGER DEFAULT 0 NOT NULL,
        next_attempt_at TIMESTAMP WITH TIME ZONE,
        last_error TEXT,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        CONSTRAINT index_target_pkey PRIMARY KEY (index_target_id),
        CONSTRAINT index_target_workspace_id_name_key UNIQUE (workspace_id, name),
        CONSTRAINT index_target_workspace_id_fkey FOREIGN KEY (workspace_id, company_id, platform)
            REFERENCES workspace (workspace_id, company_id, platform) ON UPDATE CASCADE ON DELETE CASCADE,
        CONSTRAINT index_target_rag_index_id_fkey FOREIGN KEY (rag_index_id)
            REFERENCES rag_indexes (rag_index_id) ON DELETE CASCADE,
        CONSTRAINT index_target_kind_check CHECK (kind IN ('chroma', 'qdrant', 'milvus', 'sqlite'))
    )
    """,
    "CREATE INDEX index_target_rag_index_id_idx ON index_target (rag_index_id)",
    "CREATE UNIQUE INDEX index_target_serves_idx ON index_target (rag_index_id) WHERE serves",
    """
    CREATE TABLE target_collection (
        index_target_id UUID NOT NULL,
        rag_index_build_id INTEGER NOT NULL,
        kind TEXT NOT NULL,
        location TEXT NOT NULL,
        collection TEXT NOT NULL,
        state TEXT DEFAULT 'filling' NOT NULL,
        object_count BIGINT DEFAULT 0 NOT NULL,
        vector_count BIGINT DEFAULT 0 NOT NULL,
        delivered_at TIMESTAMP WITH TIME ZONE,
        verified_at TIMESTAMP WITH TIME ZONE,
        verification JSONB,
        CONSTRAINT target_collection_pkey PRIMARY KEY (index_target_id, rag_index_build_id),
        CONSTRAINT target_collection_index_target_id_fkey FOREIGN KEY (index_target_id)
            REFERENCES index_target (index_target_id) ON DELETE CASCADE,
        CONSTRAINT target_collection_rag_index_build_id_fkey FOREIGN KEY (rag_index_build_id)
            REFERENCES rag_index_build (rag_index_build_id) ON DELETE CASCADE,
        CONSTRAINT target_collection_state_check CHECK (state IN ('filling', 'live'))
    )
    """,
    "CREATE INDEX target_collection_rag_index_build_id_idx ON target_collection (rag_index_build_id)",
    "CREATE SEQUENCE sync_operations_seq AS BIGINT",
    """
    CREATE TABLE sync_operations (
        index_target_id UUID NOT NULL,
        rag_index_build_id INTEGER NOT NULL,
        document_id UUID NOT NULL,
        operation TEXT NOT NULL,
        held BIGINT[],
        seq BIGINT DEFAULT nextval('sync_operations_seq') NOT NULL,
        since TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        attempts INTEGER DEFAULT 0 NOT NULL,
        parked_reason TEXT,
        CONSTRAINT sync_operations_pkey PRIMARY KEY (index_target_id, rag_index_build_id, document_id),
        CONSTRAINT sync_operations_index_target_id_fkey FOREIGN KEY (index_target_id)
            REFERENCES index_target (index_target_id) ON DELETE CASCADE,
        CONSTRAINT sync_operations_rag_index_build_id_fkey FOREIGN KEY (rag_index_build_id)
            REFERENCES rag_index_build (rag_index_build_id) ON DELETE CASCADE,
        CONSTRAINT sync_operations_operation_check CHECK (operation IN ('put', 'remove'))
    )
    """,
    "CREATE INDEX sync_operations_seq_idx ON sync_operations (index_target_id, rag_index_build_id, seq)",
    "CREATE INDEX sync_operations_rag_index_build_id_idx ON sync_operations (rag_index_build_id)",
    """
    CREATE TABLE unwanted_collection (
        unwanted_collection_id BIGINT GENERATED ALWAYS AS IDENTITY,
        kind TEXT NOT NULL,
        location TEXT NOT NULL,
        collection TEXT NOT NULL,
        since TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        failures INTEGER DEFAULT 0 NOT NULL,
        next_attempt_at TIMESTAMP WITH TIME ZONE,
        last_error TEXT,
        CONSTRAINT unwanted_collection_pkey PRIMARY KEY (unwanted_collection_id)
    )
    """,
    """
    CREATE FUNCTION note_unwanted_collection() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
        INSERT INTO unwanted_collection (kind, location, collection) VALUES (OLD.kind, OLD.location, OLD.collection);
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE TRIGGER target_collection_forgotten AFTER DELETE ON target_collection FOR EACH ROW
        EXECUTE FUNCTION note_unwanted_collection()
    """,
)

_PUBLISHED = """
    CREATE OR REPLACE FUNCTION count_published() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (NEW.updated, NEW.active_build_id{more})
           IS DISTINCT FROM (OLD.updated, OLD.active_build_id{before}) THEN
            NEW.publish_seq := OLD.publish_seq + 1;
            PERFORM pg_notify('arcana_published', json_build_object(
                'company_id', NEW.company_id, 'workspace_id', NEW.workspace_id, 'index', NEW.name,
                'publish_seq', NEW.publish_seq
            )::text);
        END IF;
        RETURN NEW;
    END
    $$
"""


def upgrade() -> None:
    for statement in _TABLES:
        op.execute(statement)
    for table in ("index_target", "target_collection"):
        op.execute(f"CREATE POLICY of_application ON {table} USING (true) WITH CHECK (true)")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute(_PUBLISHED.format(more=", NEW.published_at", before=", OLD.published_at"))
    _allow((*_BEFORE, "target.added", "target.dropped"))


def downgrade() -> None:
    op.execute(_PUBLISHED.format(more="", before=""))
    for table in ("unwanted_collection", "sync_operations", "target_collection", "index_target"):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP FUNCTION note_unwanted_collection()")
    op.execute("DROP SEQUENCE sync_operations_seq")
    for column in ("published_objects", "published_vectors", "published_at"):
        op.execute(f"ALTER TABLE rag_indexes DROP COLUMN {column}")
    _allow(_BEFORE, " NOT VALID")


def _allow(actions: tuple[str, ...], how: str = "") -> None:
    listed = ", ".join(f"'{action}'" for action in actions)
    op.execute("ALTER TABLE audit_logs DROP CONSTRAINT audit_logs_action_check")
    op.execute(f"ALTER TABLE audit_logs ADD CONSTRAINT audit_logs_action_check CHECK (action IN ({listed})){how}")
