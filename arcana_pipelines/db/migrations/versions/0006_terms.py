"""What searches by words read: weighted terms of each chunk, counts of each term, and the words that there are.

Builds of before have none of it: a release that cuts or weighs words otherwise makes new builds by itself.

Revision: 0006
Revises: 0005
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE chunk_terms (
            rag_index_build_id INTEGER NOT NULL,
            document_chunk_id BIGINT NOT NULL,
            document_id UUID NOT NULL,
            terms SPARSEVEC NOT NULL,
            keys INTEGER[] NOT NULL,
            CONSTRAINT chunk_terms_pkey PRIMARY KEY (rag_index_build_id, document_chunk_id),
            CONSTRAINT chunk_terms_rag_index_build_id_fkey FOREIGN KEY (rag_index_build_id)
                REFERENCES rag_index_build (rag_index_build_id)
        ) PARTITION BY LIST (rag_index_build_id)
    """)
    op.execute("CREATE INDEX chunk_terms_document_id_idx ON chunk_terms (document_id)")
    # In the row, not beside it: each of thousands of candidates would cost a look-up.
    op.execute("ALTER TABLE chunk_terms ALTER COLUMN terms SET STORAGE MAIN, ALTER COLUMN keys SET STORAGE MAIN")
    op.execute("""
        CREATE TABLE term_count (
            rag_index_build_id INTEGER NOT NULL,
            key INTEGER NOT NULL,
            chunks INTEGER NOT NULL,
            CONSTRAINT term_count_pkey PRIMARY KEY (rag_index_build_id, key),
            CONSTRAINT term_count_rag_index_build_id_fkey FOREIGN KEY (rag_index_build_id)
                REFERENCES rag_index_build (rag_index_build_id) ON DELETE CASCADE
        )
    """)
    op.execute("""
        CREATE TABLE index_word (
            rag_index_build_id INTEGER NOT NULL,
            word TEXT NOT NULL,
            CONSTRAINT index_word_pkey PRIMARY KEY (rag_index_build_id, word),
            CONSTRAINT index_word_rag_index_build_id_fkey FOREIGN KEY (rag_index_build_id)
                REFERENCES rag_index_build (rag_index_build_id) ON DELETE CASCADE
        )
    """)
    op.execute("CREATE INDEX index_word_word_idx ON index_word USING gin (word gin_trgm_ops)")
    op.execute("""
        DO $$
        DECLARE build int;
        BEGIN
            FOR build IN SELECT rag_index_build_id FROM rag_index_build LOOP
                EXECUTE format('CREATE TABLE chunk_terms_b%1$s PARTITION OF chunk_terms FOR VALUES IN (%1$s)', build);
                EXECUTE format('ALTER TABLE chunk_terms_b%s SET (toast_tuple_target = 8160)', build);
            END LOOP;
        END $$
    """)
    # What was staged is cut again.
    op.execute("DELETE FROM chunk_stage")
    op.execute("""
        ALTER TABLE chunk_stage
            DROP COLUMN lexemes, ADD COLUMN terms SPARSEVEC NOT NULL, ADD COLUMN keys INTEGER[] NOT NULL
    """)
    op.execute("ALTER TABLE document_chunk DROP COLUMN lexemes")


def downgrade() -> None:
    op.execute("DELETE FROM chunk_stage")
    op.execute("ALTER TABLE chunk_stage DROP COLUMN terms, DROP COLUMN keys, ADD COLUMN lexemes TSVECTOR NOT NULL")
    op.execute("ALTER TABLE document_chunk ADD COLUMN lexemes TSVECTOR DEFAULT '' NOT NULL")
    op.execute("ALTER TABLE document_chunk ALTER COLUMN lexemes DROP DEFAULT")
    op.execute("DROP TABLE index_word, term_count, chunk_terms")
