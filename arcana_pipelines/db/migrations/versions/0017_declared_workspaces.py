"""A workspace that a Dagster project declares says which project that is: no other project changes it.

Revision: 0017
Revises: 0016
"""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE workspace ADD COLUMN declared_by TEXT")


def downgrade() -> None:
    op.execute("ALTER TABLE workspace DROP COLUMN declared_by")
