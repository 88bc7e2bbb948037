"""What holds others and is no document is said by a column, not by Notion's word; a platform may be a plug-in's.

Revision: 0018
Revises: 0017
"""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE source_page ADD COLUMN is_container BOOLEAN DEFAULT false NOT NULL")
    op.execute("UPDATE source_page SET is_container = true WHERE kind = 'data_source'")
    op.execute("ALTER TABLE source_page DROP CONSTRAINT source_page_kind_check")
    op.execute(
        "ALTER TABLE source_page ADD CONSTRAINT source_page_kind_check CHECK (kind IN ('page', 'row') OR is_container)"
    )
    op.execute("DROP INDEX source_page_database_idx")
    op.execute("CREATE INDEX source_page_database_idx ON source_page (workspace_id) WHERE is_container")
    op.execute("ALTER TABLE workspace DROP CONSTRAINT workspace_platform_check")
    op.execute("ALTER TABLE workspace ADD CONSTRAINT workspace_platform_check CHECK (platform ~ '^[a-z][a-z0-9_]*$')")


def downgrade() -> None:
    op.execute("ALTER TABLE workspace DROP CONSTRAINT workspace_platform_check")
    op.execute(
        "ALTER TABLE workspace ADD CONSTRAINT workspace_platform_check "
        "CHECK (platform IN ('notion', 'notion_export', 'freshdesk'))"
    )
    op.execute("UPDATE source_page SET kind = 'data_source' WHERE is_container")
    op.execute("DROP INDEX source_page_database_idx")
    op.execute("ALTER TABLE source_page DROP CONSTRAINT source_page_kind_check")
    op.execute("ALTER TABLE source_page DROP COLUMN is_container")
    op.execute(
        "ALTER TABLE source_page ADD CONSTRAINT source_page_kind_check CHECK (kind IN ('page', 'row', 'data_source'))"
    )
    op.execute("CREATE INDEX source_page_database_idx ON source_page (workspace_id) WHERE kind = 'data_source'")
