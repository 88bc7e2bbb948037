"""What was asked in a conversation is kept for a while.

Revision: 0032
Revises: 0031
"""

from __future__ import annotations

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE conversation_context (
            conversation_id UUID NOT NULL,
            turn INTEGER NOT NULL,
            company_id UUID NOT NULL,
            workspace_id UUID NOT NULL,
            index_name TEXT NOT NULL,
            key_id TEXT NOT NULL,
            question TEXT,
            asked_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            asked_after INTEGER DEFAULT 0 NOT NULL,
            expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
            CONSTRAINT conversation_context_pkey PRIMARY KEY (conversation_id, turn),
            CONSTRAINT conversation_context_turn_check CHECK (turn >= 0 AND (turn = 0) = (question IS NULL)),
            CONSTRAINT conversation_context_workspace_id_fkey FOREIGN KEY (company_id, workspace_id)
                REFERENCES workspace (company_id, workspace_id) ON UPDATE CASCADE ON DELETE CASCADE
        )
        """
    )
    op.execute("CREATE INDEX conversation_context_workspace_id_idx ON conversation_context (company_id, workspace_id)")
    op.execute("CREATE INDEX conversation_context_expires_at_idx ON conversation_context (expires_at)")
    op.execute("CREATE POLICY of_application ON conversation_context USING (true) WITH CHECK (true)")
    op.execute("ALTER TABLE conversation_context ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    op.execute("DROP TABLE conversation_context")
