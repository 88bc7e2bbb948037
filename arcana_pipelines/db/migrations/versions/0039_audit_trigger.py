"""The function that chains the audit log is for triggers of its owner alone.

Revision: 0039
Revises: 0038
"""

from __future__ import annotations

from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # It reads what its trigger is of, as its owner: a view of somebody else's would run theirs as the owner, too.
    op.execute("REVOKE ALL ON FUNCTION chain_audit_log() FROM PUBLIC")


def downgrade() -> None:
    op.execute("GRANT EXECUTE ON FUNCTION chain_audit_log() TO PUBLIC")
