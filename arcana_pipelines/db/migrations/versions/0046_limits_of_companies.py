"""A company may have limits for all of its keys together.

Revision: 0046
Revises: 0045
"""

from __future__ import annotations

from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

_ACTIONS_BEFORE = (
    "workspace.registered",
    "workspace.changed",
    "workspace.removed",
    "key.created",
    "key.rotated",
    "key.revoked",
    "token.stored",
    "encryption_key.rotated",
    "removals.allowed",
    "index.published",
    "index.promoted",
    "index.rolled_back",
    "index.dropped",
    "usage.purged",
    "target.added",
    "target.dropped",
    "relation.added",
    "relation.removed",
    "file.added",
    "file.removed",
    "taxonomy.imported",
    "taxonomy.promoted",
    "taxonomy.rolled_back",
    "taxonomy.dropped",
    "taxonomy.changed",
    "topic.assigned",
    "topic.removed",
    "topic.accepted",
    "topic.rejected",
)


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE company
            ADD COLUMN requests_per_minute INTEGER,
            ADD COLUMN searches_per_month INTEGER,
            ADD CONSTRAINT company_requests_per_minute_check CHECK (requests_per_minute > 0),
            ADD CONSTRAINT company_searches_per_month_check CHECK (searches_per_month > 0)
        """
    )
    _check((*_ACTIONS_BEFORE, "company.changed"))


def downgrade() -> None:
    # What was recorded is not deleted.
    _check(_ACTIONS_BEFORE, " NOT VALID")
    op.execute("ALTER TABLE company DROP COLUMN requests_per_minute, DROP COLUMN searches_per_month")


def _check(actions: tuple[str, ...], how: str = "") -> None:
    listed = ", ".join(f"'{each}'" for each in actions)
    op.execute("ALTER TABLE audit_logs DROP CONSTRAINT audit_logs_action_check")
    op.execute(f"ALTER TABLE audit_logs ADD CONSTRAINT audit_logs_action_check CHECK (action IN ({listed})){how}")
