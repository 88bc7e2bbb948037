"""Tokens of sources may be kept in the database, encrypted.

Revision: 0026
Revises: 0025
"""

from __future__ import annotations

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE source_credential (
            workspace_id UUID NOT NULL,
            key_id TEXT NOT NULL,
            sealed BYTEA NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            CONSTRAINT source_credential_pkey PRIMARY KEY (workspace_id),
            CONSTRAINT source_credential_workspace_id_fkey FOREIGN KEY (workspace_id)
                REFERENCES workspace (workspace_id) ON DELETE CASCADE,
            CONSTRAINT source_credential_sealed_check CHECK (octet_length(sealed) > 28)
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE source_credential")
