"""Golden questions, and how well the builds of an index answered them.

Revision: 0007
Revises: 0006
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE golden_question (
            workspace_id UUID NOT NULL,
            query TEXT NOT NULL,
            relevant JSONB NOT NULL,
            added_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            CONSTRAINT golden_question_pkey PRIMARY KEY (workspace_id, query),
            CONSTRAINT golden_question_workspace_id_fkey FOREIGN KEY (workspace_id)
                REFERENCES workspace (workspace_id) ON DELETE CASCADE
        )
    """)
    # A result outlives its build, and so does a baseline: rebuilds drop old builds.
    op.execute("""
        CREATE TABLE retrieval_quality (
            retrieval_quality_id BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL,
            rag_index_id UUID NOT NULL,
            rag_index_build_id INTEGER NOT NULL,
            measured_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            questions INTEGER NOT NULL,
            metrics JSONB NOT NULL,
            by_question JSONB NOT NULL,
            is_baseline BOOLEAN DEFAULT false NOT NULL,
            CONSTRAINT retrieval_quality_pkey PRIMARY KEY (retrieval_quality_id),
            CONSTRAINT retrieval_quality_rag_index_id_fkey FOREIGN KEY (rag_index_id)
                REFERENCES rag_indexes (rag_index_id) ON DELETE CASCADE
        )
    """)
    op.execute("CREATE INDEX retrieval_quality_rag_index_id_idx ON retrieval_quality (rag_index_id, measured_at)")
    op.execute("""
        CREATE UNIQUE INDEX retrieval_quality_baseline_key ON retrieval_quality (rag_index_id) WHERE is_baseline
    """)


def downgrade() -> None:
    op.execute("DROP TABLE retrieval_quality, golden_question")
