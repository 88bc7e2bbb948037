"""What a target may have of a document whose delivery was interrupted, and whether a collection was counted.

Revision: 0040
Revises: 0039
"""

from __future__ import annotations

from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE sync_operations ADD COLUMN tried BIGINT[] DEFAULT '{}' NOT NULL")
    # What the targets of the release before may have of these, it did not remember.
    op.execute("UPDATE sync_operations SET held = NULL")
    op.execute("ALTER TABLE target_collection ADD COLUMN is_counted BOOLEAN DEFAULT false NOT NULL")
    op.execute("UPDATE target_collection SET state = 'filling'")


def downgrade() -> None:
    op.execute("UPDATE sync_operations SET held = NULL")
    op.execute("ALTER TABLE sync_operations DROP COLUMN tried")
    op.execute("ALTER TABLE target_collection DROP COLUMN is_counted")
