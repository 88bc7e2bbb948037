"""One run at a time a workspace is a row, so that the steps of a run may have processes of their own.

Revision: 0020
Revises: 0019
"""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE workspace_lease (
            workspace_id UUID NOT NULL,
            run TEXT,
            role TEXT,
            is_resting BOOLEAN DEFAULT false NOT NULL,
            heartbeat_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            fencing BIGINT DEFAULT 0 NOT NULL,
            CONSTRAINT workspace_lease_pkey PRIMARY KEY (workspace_id),
            CONSTRAINT workspace_lease_workspace_id_fkey FOREIGN KEY (workspace_id)
                REFERENCES workspace (workspace_id) ON DELETE CASCADE,
            CONSTRAINT workspace_lease_role_check CHECK (role IN ('read', 'index'))
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE workspace_lease")
