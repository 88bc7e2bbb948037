"""The first schema (the statements are in 0001_initial.sql).

Revision: 0001
Revises: nothing
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "chunk_stage",
    "published_document",
    "document_chunk",
    "embedding_store",
    "rag_indexes",
    "rag_index_build",
    "document_relation",
    "source_page",
    "document",
    "document_content",
    "sync_generation",
    "retired_slug",
    "workspace",
)


def upgrade() -> None:
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    # The extensions stay: others in this database may use them.
    for table in TABLES:
        op.execute(f"DROP TABLE {table} CASCADE")
    op.execute("DROP SEQUENCE document_chunk_document_chunk_id_seq")
