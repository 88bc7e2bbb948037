"""Files: their ledger, their bytes, what was read of them; places of chunks; relations that are made by hand.

Revision: 0042
Revises: 0041
"""

from __future__ import annotations

from alembic import op

revision = "0042"
down_revision = "0041"
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
    "target.added",
    "target.dropped",
)
_TABLES = (
    """
    CREATE TABLE stored_file (
        workspace_id UUID NOT NULL,
        sha256 BYTEA NOT NULL,
        size BIGINT NOT NULL,
        kind TEXT NOT NULL,
        mime_type TEXT NOT NULL,
        storage_key TEXT NOT NULL,
        stored_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        unwanted_since TIMESTAMP WITH TIME ZONE,
        CONSTRAINT stored_file_pkey PRIMARY KEY (workspace_id, sha256),
        CONSTRAINT stored_file_sha256_check CHECK (octet_length(sha256) = 32),
        CONSTRAINT stored_file_workspace_id_fkey FOREIGN KEY (workspace_id)
            REFERENCES workspace (workspace_id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX stored_file_unwanted_idx ON stored_file (workspace_id) WHERE unwanted_since IS NOT NULL",
    """
    CREATE TABLE parsed_file (
        workspace_id UUID NOT NULL,
        sha256 BYTEA NOT NULL,
        parser TEXT NOT NULL,
        title TEXT,
        places JSONB DEFAULT '[]' NOT NULL,
        notes JSONB DEFAULT '[]' NOT NULL,
        inside JSONB DEFAULT '[]' NOT NULL,
        reason TEXT,
        detail TEXT,
        attempts INTEGER DEFAULT 1 NOT NULL,
        seconds REAL DEFAULT 0 NOT NULL,
        parsed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        text TEXT DEFAULT '' NOT NULL,
        CONSTRAINT parsed_file_pkey PRIMARY KEY (workspace_id, sha256, parser),
        CONSTRAINT parsed_file_workspace_id_fkey FOREIGN KEY (workspace_id, sha256)
            REFERENCES stored_file (workspace_id, sha256) ON DELETE CASCADE
    )
    """,
    """
    CREATE TABLE source_file (
        workspace_id UUID NOT NULL,
        external_id TEXT NOT NULL,
        page_external_id TEXT,
        file_id TEXT NOT NULL,
        container TEXT,
        depth SMALLINT DEFAULT 0 NOT NULL,
        position INTEGER NOT NULL,
        name TEXT NOT NULL,
        origin TEXT NOT NULL,
        caption TEXT DEFAULT '' NOT NULL,
        is_external BOOLEAN DEFAULT false NOT NULL,
        revision TEXT DEFAULT '' NOT NULL,
        address TEXT,
        expires_at TIMESTAMP WITH TIME ZONE,
        state TEXT DEFAULT 'pending' NOT NULL,
        reason TEXT,
        detail TEXT,
        policy TEXT,
        attempts INTEGER DEFAULT 0 NOT NULL,
        next_attempt_at TIMESTAMP WITH TIME ZONE,
        sha256 BYTEA,
        fetched_at TIMESTAMP WITH TIME ZONE,
        parser TEXT,
        copy_of TEXT,
        made_of TEXT,
        content_hash BYTEA,
        document_id UUID,
        added_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        removed_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT source_file_pkey PRIMARY KEY (workspace_id, external_id),
        CONSTRAINT source_file_page_external_id_fkey FOREIGN KEY (workspace_id, page_external_id)
            REFERENCES source_page (workspace_id, external_id) ON DELETE CASCADE,
        CONSTRAINT source_file_document_id_fkey FOREIGN KEY (document_id)
            REFERENCES document (document_id) ON DELETE SET NULL,
        CONSTRAINT source_file_state_check
            CHECK (state IN ('pending', 'stored', 'parsed', 'skipped', 'quarantined', 'removed')),
        CONSTRAINT source_file_workspace_id_fkey FOREIGN KEY (workspace_id)
            REFERENCES workspace (workspace_id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX source_file_document_id_idx ON source_file (document_id)",
    "CREATE UNIQUE INDEX source_file_page_key ON source_file (workspace_id, page_external_id, file_id)",
    "CREATE INDEX source_file_sha256_idx ON source_file (workspace_id, sha256)",
    "CREATE INDEX source_file_work_idx ON source_file (workspace_id, state) "
    "WHERE state IN ('pending', 'stored', 'quarantined')",
    "CREATE INDEX source_page_files_idx ON source_page (workspace_id) WHERE files_unknown",
)
# Pages that were read before files were: those that show one are read once more.
_SHOWS_A_FILE = r"<(file|pdf|audio|video|image)[ >]|!\[|\]\([^)]*\.[A-Za-z0-9]{2,5}\)"


def upgrade() -> None:
    op.execute("ALTER TABLE source_page ADD COLUMN files_unknown BOOLEAN DEFAULT false NOT NULL")
    for statement in _TABLES:
        op.execute(statement)
    for table in ("source_file", "stored_file"):
        op.execute(f"CREATE POLICY of_application ON {table} USING (true) WITH CHECK (true)")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute(
        "UPDATE source_page SET files_unknown = true WHERE state <> 'tombstoned' AND NOT is_container "
        f"AND (body ~ '{_SHOWS_A_FILE}' OR jsonb_path_exists(properties, '$.* ? (@.type == \"files\")'))"
    )
    for table in ("published_document", "retired_document", "content_stage"):
        op.execute(f"ALTER TABLE {table} ADD COLUMN places JSONB")
    op.execute("ALTER TABLE document_relation ADD COLUMN origin TEXT DEFAULT 'source' NOT NULL")
    op.execute(
        "ALTER TABLE document_relation ADD CONSTRAINT document_relation_origin_check "
        "CHECK (origin IN ('source', 'hand', 'property'))"
    )
    _allow((*_BEFORE, "relation.added", "relation.removed", "file.added", "file.removed"))


def downgrade() -> None:
    op.execute("DELETE FROM document WHERE kind = 'file'")
    op.execute("ALTER TABLE document_relation DROP COLUMN origin")
    for table in ("content_stage", "retired_document", "published_document"):
        op.execute(f"ALTER TABLE {table} DROP COLUMN places")
    for table in ("source_file", "parsed_file", "stored_file"):
        op.execute(f"DROP TABLE {table}")
    op.execute("ALTER TABLE source_page DROP COLUMN files_unknown")
    _allow(_BEFORE, " NOT VALID")


def _allow(actions: tuple[str, ...], how: str = "") -> None:
    listed = ", ".join(f"'{action}'" for action in actions)
    op.execute("ALTER TABLE audit_logs DROP CONSTRAINT audit_logs_action_check")
    op.execute(f"ALTER TABLE audit_logs ADD CONSTRAINT audit_logs_action_check CHECK (action IN ({listed})){how}")
