"""A column of `workspace` that nothing read or wrote goes.

Revision: 0015
Revises: 0014
"""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE workspace DROP COLUMN source_fingerprint")


def downgrade() -> None:
    op.execute("ALTER TABLE workspace ADD COLUMN source_fingerprint TEXT")
