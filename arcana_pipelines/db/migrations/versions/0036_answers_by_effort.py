"""How hard the approximate index of a serving build looks counts as a publish: searches answer by it.

Revision: 0036
Revises: 0035
"""

from __future__ import annotations

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

_PUBLISHED = """
    CREATE OR REPLACE FUNCTION count_published() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (NEW.updated, NEW.active_build_id, NEW.published_at{})
           IS DISTINCT FROM (OLD.updated, OLD.active_build_id, OLD.published_at{}) THEN
            NEW.publish_seq := OLD.publish_seq + 1;
            PERFORM pg_notify('arcana_published', json_build_object(
                'company_id', NEW.company_id, 'workspace_id', NEW.workspace_id, 'index', NEW.name,
                'publish_seq', NEW.publish_seq
            )::text);
        END IF;
        RETURN NEW;
    END
    $$
"""


def upgrade() -> None:
    op.execute(_PUBLISHED.format(", NEW.publish_seq", ", OLD.publish_seq"))
    op.execute(
        """
        CREATE FUNCTION count_effort_changed() RETURNS trigger
        LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            UPDATE rag_indexes SET publish_seq = publish_seq + 1 WHERE active_build_id = NEW.rag_index_build_id;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER rag_index_build_effort AFTER UPDATE ON rag_index_build FOR EACH ROW
            WHEN ((OLD.ann, OLD.ann_effort) IS DISTINCT FROM (NEW.ann, NEW.ann_effort))
            EXECUTE FUNCTION count_effort_changed()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER rag_index_build_effort ON rag_index_build")
    op.execute("DROP FUNCTION count_effort_changed()")
    op.execute(_PUBLISHED.format("", ""))
