"""Sessions of the page that somebody has logged out of are over for every server.

Revision: 0037
Revises: 0036
"""

from __future__ import annotations

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE ended_sessions (
            session_hash BYTEA NOT NULL,
            ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
            CONSTRAINT ended_sessions_pkey PRIMARY KEY (session_hash),
            CONSTRAINT ended_sessions_session_hash_check CHECK (octet_length(session_hash) = 32)
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE ended_sessions")
