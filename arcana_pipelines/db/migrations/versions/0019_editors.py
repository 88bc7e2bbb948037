"""A version says who edited it last in the source, not whose workspace it stands in.

The old values are all of the workspace's owner. The column is made anew, so that no row of a large table is rewritten;
a page's editor is filled in when the page is next read.

Revision: 0019
Revises: 0018
"""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE source_page ADD COLUMN editor_id TEXT, ADD COLUMN editor_name TEXT")
    op.execute("ALTER TABLE document_content DROP COLUMN user_id")
    op.execute("ALTER TABLE document_content ADD COLUMN user_id UUID")


def downgrade() -> None:
    op.execute(
        "UPDATE document_content c SET user_id = d.user_id, contents = c.contents - 'edited_by' "
        "FROM document d WHERE d.document_id = c.document_id"
    )
    op.execute("ALTER TABLE document_content ALTER COLUMN user_id SET NOT NULL")
    op.execute("ALTER TABLE source_page DROP COLUMN editor_id, DROP COLUMN editor_name")
