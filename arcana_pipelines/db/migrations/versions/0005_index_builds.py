"""Builds that are made beside the serving one: how vectors are searched, verification, promotion.

Revision: 0005
Revises: 0004
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE rag_index_build
            ADD COLUMN ann_setting TEXT DEFAULT 'auto' NOT NULL,
            ADD COLUMN promote_when_verified BOOLEAN DEFAULT false NOT NULL,
            ADD COLUMN verification JSONB,
            ADD COLUMN promoted_at TIMESTAMP WITH TIME ZONE,
            ADD COLUMN fill_requested_at TIMESTAMP WITH TIME ZONE,
            ADD CONSTRAINT rag_index_build_ann_setting_check
                CHECK (ann_setting IN ('auto', 'none', 'hnsw', 'ivfflat'))
    """)
    op.execute("UPDATE rag_index_build SET promoted_at = created_at WHERE state = 'active'")
    # The embeddings that are missing are looked for in the order of their texts' hashes.
    op.execute("CREATE INDEX chunk_stage_text_hash_idx ON chunk_stage (rag_index_build_id, text_hash)")
    # A vector beside its row is read with it; one apart (the default above 2 kB a row) costs a look-up each.
    op.execute("ALTER TABLE document_chunk ALTER COLUMN chunk_embedding SET STORAGE MAIN")
    op.execute("""
        DO $$
        DECLARE part regclass;
        BEGIN
            FOR part IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'document_chunk'::regclass LOOP
                EXECUTE format('ALTER TABLE %s ALTER COLUMN chunk_embedding SET STORAGE MAIN', part);
            END LOOP;
        END $$
    """)


def downgrade() -> None:
    op.execute("ALTER TABLE document_chunk ALTER COLUMN chunk_embedding SET STORAGE EXTERNAL")
    op.execute("DROP INDEX chunk_stage_text_hash_idx")
    op.execute("""
        ALTER TABLE rag_index_build
            DROP COLUMN ann_setting, DROP COLUMN promote_when_verified, DROP COLUMN verification,
            DROP COLUMN promoted_at, DROP COLUMN fill_requested_at
    """)
