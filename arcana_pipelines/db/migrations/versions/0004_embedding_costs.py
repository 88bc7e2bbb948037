"""What embeddings cost, a limit for it, and batches of them that a provider works on.

Revision: 0004
Revises: 0003
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE workspace ADD COLUMN embedding_budget NUMERIC")
    op.execute("""
        CREATE TABLE embedding_usage (
            workspace_id UUID NOT NULL,
            month DATE NOT NULL,
            embedding_model TEXT NOT NULL,
            tier TEXT NOT NULL,
            texts BIGINT NOT NULL,
            tokens BIGINT NOT NULL,
            cost NUMERIC NOT NULL,
            seconds DOUBLE PRECISION NOT NULL,
            CONSTRAINT embedding_usage_pkey PRIMARY KEY (workspace_id, month, embedding_model, tier),
            CONSTRAINT embedding_usage_tier_check CHECK (tier IN ('standard', 'batch')),
            CONSTRAINT embedding_usage_workspace_id_fkey FOREIGN KEY (workspace_id)
                REFERENCES workspace (workspace_id) ON DELETE CASCADE
        )
    """)
    op.execute("""
        CREATE TABLE embedding_batch (
            embedding_batch_id UUID DEFAULT gen_random_uuid() NOT NULL,
            workspace_id UUID NOT NULL,
            embedding_model TEXT NOT NULL,
            dimensions INTEGER NOT NULL,
            state TEXT DEFAULT 'sending' NOT NULL,
            provider_batch_id TEXT,
            input_file_id TEXT,
            texts INTEGER NOT NULL,
            most_cost NUMERIC NOT NULL,
            reason TEXT,
            created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            checked_at TIMESTAMP WITH TIME ZONE,
            finished_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT embedding_batch_pkey PRIMARY KEY (embedding_batch_id),
            CONSTRAINT embedding_batch_state_check CHECK (state IN ('sending', 'waiting', 'done', 'failed')),
            CONSTRAINT embedding_batch_workspace_id_fkey FOREIGN KEY (workspace_id)
                REFERENCES workspace (workspace_id) ON DELETE CASCADE
        )
    """)
    op.execute("CREATE INDEX embedding_batch_workspace_id_idx ON embedding_batch (workspace_id)")
    op.execute("""
        CREATE TABLE embedding_batch_text (
            embedding_batch_id UUID NOT NULL,
            text_hash BYTEA NOT NULL,
            CONSTRAINT embedding_batch_text_pkey PRIMARY KEY (embedding_batch_id, text_hash),
            CONSTRAINT embedding_batch_text_embedding_batch_id_fkey FOREIGN KEY (embedding_batch_id)
                REFERENCES embedding_batch (embedding_batch_id) ON DELETE CASCADE
        )
    """)


def downgrade() -> None:
    op.execute("DROP TABLE embedding_batch_text, embedding_batch, embedding_usage")
    op.execute("ALTER TABLE workspace DROP COLUMN embedding_budget")
