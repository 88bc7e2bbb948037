"""Less is written while an index is loaded.

The stage can always be cut again: it needs no write-ahead log, and a text no second copy with its title. What is
staged now is cut again by the next sync, at no cost. The rows of a build's chunks and words come and go with it:
looking the build up for each of them took a tenth of a publish.

A document's versions, deleted ones included, were found by reading those of all documents.

Revision: 0012
Revises: 0011
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


_OF_BUILDS = {
    "document_chunk": "",
    "chunk_terms": "",
    "term_count": " ON DELETE CASCADE",
    "index_word": " ON DELETE CASCADE",
}


def upgrade() -> None:
    op.execute("TRUNCATE chunk_stage")
    op.execute("ALTER TABLE chunk_stage DROP COLUMN embed_text, ADD COLUMN lead TEXT NOT NULL")
    op.execute("ALTER TABLE chunk_stage SET UNLOGGED")
    # Rows that leave soon need no map of which pages everybody sees. Where they have left, space is cleared as ever.
    op.execute("ALTER TABLE chunk_stage SET (autovacuum_vacuum_insert_threshold = -1)")
    for table in _OF_BUILDS:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_rag_index_build_id_fkey")
    op.execute("CREATE INDEX document_content_document_id_idx ON document_content (document_id)")


def downgrade() -> None:
    op.execute("DROP INDEX document_content_document_id_idx")
    for table, action in _OF_BUILDS.items():
        op.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_rag_index_build_id_fkey "
            f"FOREIGN KEY (rag_index_build_id) REFERENCES rag_index_build (rag_index_build_id){action}"
        )
    op.execute("TRUNCATE chunk_stage")
    op.execute("ALTER TABLE chunk_stage RESET (autovacuum_vacuum_insert_threshold)")
    op.execute("ALTER TABLE chunk_stage SET LOGGED")
    op.execute("ALTER TABLE chunk_stage DROP COLUMN lead, ADD COLUMN embed_text TEXT NOT NULL")
