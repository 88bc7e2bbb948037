"""A search in several workspaces has a row in the log of use for each of them.

Revision: 0038
Revises: 0037
"""

from __future__ import annotations

from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE api_usage_logs ADD COLUMN is_further BOOLEAN DEFAULT false NOT NULL")


def downgrade() -> None:
    op.execute("DELETE FROM api_usage_logs WHERE is_further")
    op.execute("ALTER TABLE api_usage_logs DROP COLUMN is_further")
