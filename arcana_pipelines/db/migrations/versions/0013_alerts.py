"""What people are told: one row for each cause while it lasts.

Revision: 0013
Revises: 0012
"""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE alert (
            alert_id BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL,
            cause TEXT NOT NULL,
            workspace TEXT NOT NULL,
            subject TEXT DEFAULT '' NOT NULL,
            text TEXT NOT NULL,
            detail TEXT DEFAULT '' NOT NULL,
            next_step TEXT DEFAULT '' NOT NULL,
            run_id TEXT,
            since TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            last_seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            resolved_at TIMESTAMP WITH TIME ZONE,
            told_at TIMESTAMP WITH TIME ZONE,
            resolved_told_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT alert_pkey PRIMARY KEY (alert_id)
        )
        """
    )
    op.execute("CREATE UNIQUE INDEX alert_open_key ON alert (cause, workspace, subject) WHERE resolved_at IS NULL")


def downgrade() -> None:
    op.execute("DROP TABLE alert")
