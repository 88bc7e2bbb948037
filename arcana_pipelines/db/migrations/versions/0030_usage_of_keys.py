"""What keys are used for is written down, by month.

Revision: 0030
Revises: 0029
"""

from __future__ import annotations

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE api_usage_logs (
            at TIMESTAMP WITH TIME ZONE NOT NULL,
            key_id TEXT NOT NULL,
            company_id UUID NOT NULL,
            workspace_id UUID,
            action TEXT NOT NULL,
            route TEXT NOT NULL,
            status SMALLINT NOT NULL,
            milliseconds INTEGER NOT NULL,
            hits INTEGER,
            tokens INTEGER,
            request_id TEXT NOT NULL,
            requests INTEGER NOT NULL,
            CONSTRAINT api_usage_logs_action_check
                CHECK (action IN ('search', 'read', 'sync', 'admin', 'mcp', 'other'))
        ) PARTITION BY RANGE (at)
        """
    )
    # The maintenance makes a partition for each month, and puts into it what went here meanwhile.
    # Indexes are each partition's own: pg_restore --clean cannot drop one that is inherited.
    op.execute("CREATE TABLE api_usage_logs_default PARTITION OF api_usage_logs DEFAULT")
    op.execute("CREATE INDEX api_usage_logs_default_key_id_at_idx ON api_usage_logs_default (key_id, at)")
    op.execute("CREATE POLICY of_application ON api_usage_logs USING (true) WITH CHECK (true)")
    op.execute("ALTER TABLE api_usage_logs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    op.execute("DROP TABLE api_usage_logs")
