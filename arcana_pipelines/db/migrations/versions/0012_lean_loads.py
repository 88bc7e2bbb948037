"""Less is written while an index is loaded.

The stage can always be cut again: it needs no write-ahead log, and a text no second copy with its title. What is
staged now is cut again by the next sync, at no cost. A chunk's build is its partition, which comes and goes with the
build: looking the build up for each row of two tables took a tenth of a publish.

Revision: 0012
Revises: 0011
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("TRUNCATE chunk_stage")
    op.execute("ALTER TABLE chunk_stage DROP COLUMN embed_text, ADD COLUMN lead TEXT NOT NULL")
    op.execute("ALTER TABLE chunk_stage SET UNLOGGED")
    for table in ("document_chunk", "chunk_terms"):
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_rag_index_build_id_fkey")


def downgrade() -> None:
    for table in ("document_chunk", "chunk_terms"):
        op.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_rag_index_build_id_fkey "
            "FOREIGN KEY (rag_index_build_id) REFERENCES rag_index_build (rag_index_build_id)"
        )
    op.execute("TRUNCATE chunk_stage")
    op.execute("ALTER TABLE chunk_stage SET LOGGED")
    op.execute("ALTER TABLE chunk_stage DROP COLUMN lead, ADD COLUMN embed_text TEXT NOT NULL")
