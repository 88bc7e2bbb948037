"""Several receivers are told of an alert: what became of it at each is a row.

Revision: 0045
Revises: 0044
"""

from __future__ import annotations

from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE alert_delivery (
            alert_id BIGINT NOT NULL,
            receiver TEXT NOT NULL,
            told_at TIMESTAMP WITH TIME ZONE,
            resolved_told_at TIMESTAMP WITH TIME ZONE,
            unanswered_at TIMESTAMP WITH TIME ZONE,
            failed_at TIMESTAMP WITH TIME ZONE,
            problem TEXT DEFAULT '' NOT NULL,
            CONSTRAINT alert_delivery_pkey PRIMARY KEY (alert_id, receiver),
            CONSTRAINT alert_delivery_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES alert (alert_id) ON DELETE CASCADE
        )
        """
    )
    # Until now the webhook was the only receiver. What the table of alerts says of it stays for releases before.
    op.execute(
        """
        INSERT INTO alert_delivery (alert_id, receiver, told_at, resolved_told_at, unanswered_at)
        SELECT alert_id, 'webhook', told_at, resolved_told_at, unanswered_at FROM alert
        WHERE coalesce(told_at, unanswered_at) IS NOT NULL
        """
    )


def downgrade() -> None:
    # Who was told by e-mail alone is not told again by the webhook.
    op.execute(
        """
        UPDATE alert a SET told_at = d.told_at, resolved_told_at = d.resolved_told_at, unanswered_at = d.unanswered_at
        FROM (
            SELECT alert_id, min(told_at) AS told_at, min(resolved_told_at) AS resolved_told_at,
                   max(unanswered_at) AS unanswered_at
            FROM alert_delivery GROUP BY alert_id
        ) d
        WHERE d.alert_id = a.alert_id
        """
    )
    op.execute("DROP TABLE alert_delivery")
