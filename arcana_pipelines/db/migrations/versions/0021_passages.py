"""Passages of chunks have vectors of their own, and chunks know their language.

Builds of before hold none, and rank by their chunks as they did.

Revision: 0021
Revises: 0020
"""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("chunk_stage", "document_chunk"):
        op.execute(
            f"ALTER TABLE {table} "
            "ADD COLUMN heading_levels INTEGER[] DEFAULT '{}' NOT NULL, "
            "ADD COLUMN passages BYTEA[] DEFAULT '{}' NOT NULL"
        )
    op.execute(
        """
        CREATE TABLE passage (
            rag_index_build_id INTEGER NOT NULL,
            text_hash BYTEA NOT NULL,
            passage_embedding HALFVEC NOT NULL,
            CONSTRAINT passage_pkey PRIMARY KEY (rag_index_build_id, text_hash)
        ) PARTITION BY LIST (rag_index_build_id)
        """
    )
    op.execute(
        """
        CREATE TABLE passage_stage (
            rag_index_build_id INTEGER NOT NULL,
            text_hash BYTEA NOT NULL,
            embedded TEXT NOT NULL,
            CONSTRAINT passage_stage_pkey PRIMARY KEY (rag_index_build_id, text_hash),
            CONSTRAINT passage_stage_rag_index_build_id_fkey FOREIGN KEY (rag_index_build_id)
                REFERENCES rag_index_build (rag_index_build_id) ON DELETE CASCADE
        )
        """
    )
    op.execute("ALTER TABLE document_chunk ADD COLUMN language TEXT")


def downgrade() -> None:
    op.execute("ALTER TABLE document_chunk DROP COLUMN language")
    op.execute("DROP TABLE passage_stage")
    op.execute("DROP TABLE passage")
    for table in ("chunk_stage", "document_chunk"):
        op.execute(f"ALTER TABLE {table} DROP COLUMN passages, DROP COLUMN heading_levels")
