"""A key may have limits of its own, and filters are of searches alone.

Revision: 0029
Revises: 0028
"""

from __future__ import annotations

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE api_keys
            ADD COLUMN requests_per_minute INTEGER,
            ADD COLUMN searches_per_month INTEGER,
            ADD CONSTRAINT api_keys_requests_per_minute_check CHECK (requests_per_minute > 0),
            ADD CONSTRAINT api_keys_searches_per_month_check CHECK (searches_per_month > 0)
        """
    )
    # Nothing applied them before.
    op.execute("UPDATE api_key_permissions SET filters = NULL WHERE scope <> 'search'")
    op.execute(
        "ALTER TABLE api_key_permissions "
        "ADD CONSTRAINT api_key_permissions_filters_check CHECK (filters IS NULL OR scope = 'search')"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE api_key_permissions DROP CONSTRAINT api_key_permissions_filters_check")
    op.execute("ALTER TABLE api_keys DROP COLUMN requests_per_minute, DROP COLUMN searches_per_month")
