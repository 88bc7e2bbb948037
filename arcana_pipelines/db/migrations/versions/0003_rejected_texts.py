"""Texts that an embedding provider refuses.

Revision: 0003
Revises: 0002
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE embedding_rejected (
            workspace_id UUID NOT NULL,
            embedding_model TEXT NOT NULL,
            dimensions INTEGER NOT NULL,
            text_hash BYTEA NOT NULL,
            reason TEXT NOT NULL,
            rejected_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            CONSTRAINT embedding_rejected_pkey PRIMARY KEY (workspace_id, embedding_model, dimensions, text_hash),
            CONSTRAINT embedding_rejected_workspace_id_fkey FOREIGN KEY (workspace_id)
                REFERENCES workspace (workspace_id) ON DELETE CASCADE
        )
    """)


def downgrade() -> None:
    op.execute("DROP TABLE embedding_rejected")
