"""How hard an approximate index looks is measured a build, and noted with it.

Revision: 0010
Revises: 0009
"""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE rag_index_build ADD COLUMN ann_effort INTEGER DEFAULT 0 NOT NULL")
    # What every index was searched with so far. An IVFFlat index has too few lists now: the next sync makes it anew.
    op.execute("UPDATE rag_index_build SET ann_effort = CASE ann WHEN 'hnsw' THEN 400 ELSE 16 END WHERE ann <> 'none'")


def downgrade() -> None:
    op.execute("ALTER TABLE rag_index_build DROP COLUMN ann_effort")
