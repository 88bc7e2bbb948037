"""A key, those that it was rotated from, and those that it was rotated into are found by one function.

Revision: 0034
Revises: 0033
"""

from __future__ import annotations

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION key_family(asked text) RETURNS SETOF text
        LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
            WITH RECURSIVE family AS (
                SELECT asked AS key_id, (SELECT k.rotated_from FROM api_keys k WHERE k.key_id = asked) AS rotated_from
                UNION
                SELECT k.key_id, k.rotated_from
                FROM api_keys k
                JOIN family f ON k.key_id = f.rotated_from OR k.rotated_from = f.key_id
            )
            SELECT key_id FROM family
        $$
        """
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION key_family(text)")
