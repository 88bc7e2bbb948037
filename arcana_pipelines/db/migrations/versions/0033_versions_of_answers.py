"""What an index answers by has a number: so many times it was published, and places of its workspace changed.

Revision: 0033
Revises: 0032
"""

from __future__ import annotations

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

_PUBLISHED = """
    CREATE FUNCTION count_published() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (NEW.updated, NEW.active_build_id) IS DISTINCT FROM (OLD.updated, OLD.active_build_id) THEN
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
# Once a transaction, at its end: by then it waits for no other row, and nobody who has one waits for it.
_PLACES = """
    CREATE FUNCTION count_places_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    DECLARE
        changed uuid;
    BEGIN
        IF TG_TABLE_NAME = 'document_relation' THEN
            changed := (SELECT d.workspace_id FROM document d
                        WHERE d.document_id = coalesce(NEW.base_document_id, OLD.base_document_id));
        ELSE
            changed := coalesce(NEW.workspace_id, OLD.workspace_id);
        END IF;
        IF current_setting('arcana.places_changed', true) IS DISTINCT FROM changed::text THEN
            INSERT INTO workspace_places AS held (workspace_id, changes)
            SELECT w.workspace_id, 1 FROM workspace w WHERE w.workspace_id = changed
            ON CONFLICT (workspace_id) DO UPDATE SET changes = held.changes + 1;
            PERFORM set_config('arcana.places_changed', changed::text, true);
        END IF;
        RETURN NULL;
    END
    $$
"""
# For who acts for no company yet; of the workspace that a company has, nothing but what a key is asked for.
_FOR_KEY = """
    DO $do$
    BEGIN
        EXECUTE format($create$
            CREATE FUNCTION workspace_for_key(
                company uuid, asked text, OUT workspace_id uuid, OUT platform text, OUT places bigint,
                OUT indexes text[], OUT builds integer[], OUT publish_seqs bigint[]
            ) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = %I, pg_temp AS $$
            #variable_conflict use_column
            BEGIN
                SELECT w.workspace_id, w.platform, coalesce(p.changes, 0) INTO workspace_id, platform, places
                FROM workspace w LEFT JOIN workspace_places p USING (workspace_id)
                WHERE w.slug = asked AND w.company_id = company AND w.status <> 'deleting';
                IF FOUND THEN
                    SELECT array_agg(i.name), array_agg(i.active_build_id), array_agg(i.publish_seq)
                    INTO indexes, builds, publish_seqs
                    FROM rag_indexes i WHERE i.workspace_id = workspace_for_key.workspace_id;
                END IF;
            END
            $$
        $create$, current_schema());
        REVOKE ALL ON FUNCTION workspace_for_key(uuid, text) FROM PUBLIC;
    END
    $do$
"""
# Paths are compared as texts: what restores a dump does not find the operators of an extension.
_TRIGGERS = (
    "CREATE TRIGGER rag_indexes_published BEFORE UPDATE ON rag_indexes FOR EACH ROW EXECUTE FUNCTION count_published()",
    """
    CREATE CONSTRAINT TRIGGER document_places AFTER UPDATE ON document DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        WHEN ((OLD.path::text, OLD.deleted_at) IS DISTINCT FROM (NEW.path::text, NEW.deleted_at))
        EXECUTE FUNCTION count_places_changed()
    """,
    """
    CREATE CONSTRAINT TRIGGER source_page_places AFTER UPDATE ON source_page DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        WHEN ((OLD.kind, OLD.title, OLD.url, OLD.properties, OLD.last_edited_at, OLD.document_id, OLD.is_container,
               OLD.state = 'tombstoned')
              IS DISTINCT FROM
              (NEW.kind, NEW.title, NEW.url, NEW.properties, NEW.last_edited_at, NEW.document_id, NEW.is_container,
               NEW.state = 'tombstoned'))
        EXECUTE FUNCTION count_places_changed()
    """,
    """
    CREATE CONSTRAINT TRIGGER source_page_known AFTER INSERT OR DELETE ON source_page
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        EXECUTE FUNCTION count_places_changed()
    """,
    """
    CREATE CONSTRAINT TRIGGER document_property_places AFTER INSERT OR UPDATE OR DELETE ON document_property
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        EXECUTE FUNCTION count_places_changed()
    """,
    """
    CREATE CONSTRAINT TRIGGER document_relation_places AFTER INSERT OR UPDATE OR DELETE ON document_relation
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        EXECUTE FUNCTION count_places_changed()
    """,
)


def upgrade() -> None:
    op.execute("ALTER TABLE rag_indexes ADD COLUMN publish_seq BIGINT DEFAULT 0 NOT NULL")
    op.execute(
        """
        CREATE TABLE workspace_places (
            workspace_id UUID NOT NULL,
            changes BIGINT NOT NULL,
            CONSTRAINT workspace_places_pkey PRIMARY KEY (workspace_id),
            CONSTRAINT workspace_places_workspace_id_fkey FOREIGN KEY (workspace_id)
                REFERENCES workspace (workspace_id) ON DELETE CASCADE
        )
        """
    )
    for statement in (_PUBLISHED, _PLACES, _FOR_KEY, *_TRIGGERS):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP FUNCTION workspace_for_key(uuid, text)")
    op.execute("DROP TRIGGER rag_indexes_published ON rag_indexes")
    op.execute("DROP FUNCTION count_published()")
    op.execute("DROP FUNCTION count_places_changed() CASCADE")
    op.execute("DROP TABLE workspace_places")
    op.execute("ALTER TABLE rag_indexes DROP COLUMN publish_seq")
