"""What processes share: the pace of each token, the answers of polls, and announced changes.

Revision: 0002
Revises: 0001
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    op.execute("DROP TABLE webhook_event, source_request, source_limit")
    op.execute("ALTER TABLE source_page DROP COLUMN removed_at, DROP COLUMN unknown_types")
    op.execute("ALTER TABLE workspace DROP COLUMN poll_after, DROP COLUMN poll_failures, DROP COLUMN poll_problem, "
               "DROP COLUMN sync_needed")  # fmt: skip
