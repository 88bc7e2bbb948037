"""A sync may be asked for, and a company sees its syncs.

Revision: 0027
Revises: 0026
"""

from __future__ import annotations

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

GUARDED = ("sync_generation", "workspace_lease")


def upgrade() -> None:
    op.execute("ALTER TABLE workspace ADD COLUMN sync_asked_at TIMESTAMP WITH TIME ZONE")
    for table in GUARDED:
        op.execute(f"CREATE POLICY of_application ON {table} USING (true) WITH CHECK (true)")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    # Without policies nobody may read as a company.
    op.execute(
        f"""
        DO $$
        BEGIN
            IF to_regrole('arcana_tenant') IS NOT NULL THEN
                REVOKE ALL ON {", ".join(GUARDED)} FROM arcana_tenant;
            END IF;
        END
        $$
        """
    )
    for table in GUARDED:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY")
        op.execute(f"DROP POLICY IF EXISTS of_company ON {table}")
        op.execute(f"DROP POLICY of_application ON {table}")
    op.execute("ALTER TABLE workspace DROP COLUMN sync_asked_at")
