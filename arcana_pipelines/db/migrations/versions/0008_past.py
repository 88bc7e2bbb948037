"""What searches of the past read: the words of retired chunks, and since when a build knows what it showed.

Words of chunks that were retired before are lost, so no build looks back to before this migration.

Revision: 0008
Revises: 0007
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE retired_chunk_terms (
            rag_index_build_id INTEGER NOT NULL,
            document_chunk_id BIGINT NOT NULL,
            document_id UUID NOT NULL,
            terms SPARSEVEC NOT NULL,
            keys INTEGER[] NOT NULL,
            CONSTRAINT retired_chunk_terms_pkey PRIMARY KEY (rag_index_build_id, document_chunk_id),
            CONSTRAINT retired_chunk_terms_rag_index_build_id_fkey FOREIGN KEY (rag_index_build_id)
                REFERENCES rag_index_build (rag_index_build_id) ON DELETE CASCADE
        )
    """)
    # In the row, as in chunk_terms: a search reads those of a build from end to end.
    op.execute(
        "ALTER TABLE retired_chunk_terms ALTER COLUMN terms SET STORAGE MAIN, ALTER COLUMN keys SET STORAGE MAIN"
    )
    op.execute("""
        ALTER TABLE rag_index_build
            ADD COLUMN retired_at TIMESTAMP WITH TIME ZONE,
            ADD COLUMN remembers_since TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL
    """)
    op.execute("UPDATE rag_index_build SET retired_at = now() WHERE state = 'retired'")


def downgrade() -> None:
    op.execute("ALTER TABLE rag_index_build DROP COLUMN retired_at, DROP COLUMN remembers_since")
    op.execute("DROP TABLE retired_chunk_terms")
