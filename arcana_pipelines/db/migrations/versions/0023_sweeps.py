"""Sweeps: listings of everything that are read a request now and then, so that absence is seen sooner.

Revision: 0023
Revises: 0022
"""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE workspace ADD COLUMN unchanged_at TIMESTAMP WITH TIME ZONE")
    op.execute("ALTER TABLE source_limit ADD COLUMN sweep_at TIMESTAMP WITH TIME ZONE")
    op.execute(
        """
        CREATE TABLE source_sweep (
            workspace_id UUID NOT NULL,
            began_at TIMESTAMP WITH TIME ZONE,
            generation BIGINT DEFAULT 0 NOT NULL,
            stage TEXT DEFAULT 'pages' NOT NULL,
            container TEXT,
            place TEXT,
            answers INTEGER DEFAULT 0 NOT NULL,
            idle INTEGER DEFAULT 0 NOT NULL,
            looked TEXT[] DEFAULT '{}' NOT NULL,
            gone INTEGER DEFAULT 0 NOT NULL,
            failures INTEGER DEFAULT 0 NOT NULL,
            next_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            problem TEXT,
            ended_in_vain INTEGER DEFAULT 0 NOT NULL,
            whole_began_at TIMESTAMP WITH TIME ZONE,
            whole_ended_at TIMESTAMP WITH TIME ZONE,
            whole_requests INTEGER,
            CONSTRAINT source_sweep_pkey PRIMARY KEY (workspace_id),
            CONSTRAINT source_sweep_workspace_id_fkey FOREIGN KEY (workspace_id)
                REFERENCES workspace (workspace_id) ON DELETE CASCADE,
            CONSTRAINT source_sweep_stage_check CHECK (stage IN ('pages', 'rows', 'looks'))
        )
        """
    )
    op.execute(
        """
        CREATE TABLE source_sweep_answer (
            workspace_id UUID NOT NULL,
            answer INTEGER NOT NULL,
            ids TEXT[] NOT NULL,
            CONSTRAINT source_sweep_answer_pkey PRIMARY KEY (workspace_id, answer),
            CONSTRAINT source_sweep_answer_workspace_id_fkey FOREIGN KEY (workspace_id)
                REFERENCES workspace (workspace_id) ON DELETE CASCADE
        )
        """
    )
    op.execute(
        """
        CREATE TABLE unlisted_page (
            workspace_id UUID NOT NULL,
            external_id TEXT NOT NULL,
            is_gone BOOLEAN DEFAULT false NOT NULL,
            is_missed BOOLEAN DEFAULT false NOT NULL,
            sweeps INTEGER DEFAULT 0 NOT NULL,
            CONSTRAINT unlisted_page_pkey PRIMARY KEY (workspace_id, external_id),
            CONSTRAINT unlisted_page_workspace_id_fkey FOREIGN KEY (workspace_id, external_id)
                REFERENCES source_page (workspace_id, external_id) ON DELETE CASCADE
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE unlisted_page, source_sweep_answer, source_sweep")
    op.execute("ALTER TABLE source_limit DROP COLUMN sweep_at")
    op.execute("ALTER TABLE workspace DROP COLUMN unchanged_at")
