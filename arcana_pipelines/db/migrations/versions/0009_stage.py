"""Staged chunks stay in their rows.

A staged chunk is written and read once. PostgreSQL compressed its texts and moved its weights to another table, as
it does with rows above 2 kB, which took a tenth of the time of cutting and embedding.

Revision: 0009
Revises: 0008
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE chunk_stage SET (toast_tuple_target = 8160)")


def downgrade() -> None:
    op.execute("ALTER TABLE chunk_stage RESET (toast_tuple_target)")
