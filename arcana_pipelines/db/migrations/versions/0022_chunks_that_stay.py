"""A chunk stays while its text does: versions are lists of chunks.

What was `document_chunk` is the table `chunk`, whose rows belong to a document through all of its versions;
`published_document` and `retired_document` say of which chunks a version consists, and `document_chunk` is a view that
shows each version with its chunks as the table did. Nothing is embedded again and no vector is moved; what was staged
is cut again.

Revision: 0022
Revises: 0021
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import TextClause, text

from arcana_pipelines.errors import WrongUse

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

VIEW = """
CREATE VIEW document_chunk WITH (security_invoker = true) AS
SELECT v.rag_index_build_id, k.document_chunk_id, v.document_content_id, (part.number - 1)::int AS position,
       k.chunk_content, k.heading_path, k.text_hash, k.token_count, k.chunk_embedding, v.published_at AS created_at,
       coalesce(v.retired_at, v.published_at) AS updated_at, v.retired_at AS deleted_at, k.heading_levels, k.passages,
       k.language
FROM (
    SELECT rag_index_build_id, document_content_id, chunk_ids, published_at, NULL::timestamptz AS retired_at
    FROM published_document
    UNION ALL
    SELECT rag_index_build_id, document_content_id, chunk_ids, published_at, retired_at FROM retired_document
) v
CROSS JOIN LATERAL unnest(v.chunk_ids) WITH ORDINALITY AS part (document_chunk_id, number)
JOIN chunk k ON k.rag_index_build_id = v.rag_index_build_id AND k.document_chunk_id = part.document_chunk_id
"""


def upgrade() -> None:
    op.execute("ALTER TABLE published_document ADD COLUMN chunk_ids BIGINT[] DEFAULT '{}' NOT NULL")
    op.execute(
        """
        CREATE TABLE retired_document (
            rag_index_build_id INTEGER NOT NULL,
            document_id UUID NOT NULL,
            document_content_id UUID NOT NULL,
            chunk_ids BIGINT[] NOT NULL,
            published_at TIMESTAMP WITH TIME ZONE NOT NULL,
            retired_at TIMESTAMP WITH TIME ZONE NOT NULL,
            CONSTRAINT retired_document_pkey PRIMARY KEY (rag_index_build_id, document_id, published_at),
            CONSTRAINT retired_document_rag_index_build_id_fkey FOREIGN KEY (rag_index_build_id)
                REFERENCES rag_index_build (rag_index_build_id) ON DELETE CASCADE,
            CONSTRAINT retired_document_document_id_fkey FOREIGN KEY (document_id)
                REFERENCES document (document_id) ON DELETE CASCADE,
            CONSTRAINT retired_document_document_content_id_fkey FOREIGN KEY (document_content_id)
                REFERENCES document_content (document_content_id) ON DELETE CASCADE
        )
        """
    )
    op.execute(
        """
        UPDATE published_document s SET chunk_ids = held.chunk_ids
        FROM (
            SELECT rag_index_build_id, document_content_id, array_agg(document_chunk_id ORDER BY position) AS chunk_ids
            FROM document_chunk WHERE deleted_at IS NULL GROUP BY 1, 2
        ) held
        WHERE s.rag_index_build_id = held.rag_index_build_id AND s.document_content_id = held.document_content_id
        """
    )
    op.execute(
        """
        INSERT INTO retired_document
        SELECT k.rag_index_build_id, c.document_id, k.document_content_id,
               array_agg(k.document_chunk_id ORDER BY k.position), k.created_at, k.deleted_at
        FROM document_chunk k JOIN document_content c USING (document_content_id)
        WHERE k.deleted_at IS NOT NULL
        GROUP BY 1, 2, 3, 5, 6
        ON CONFLICT DO NOTHING
        """
    )
    for column in ("document_id", "document_content_id"):
        op.execute(f"CREATE INDEX retired_document_{column}_idx ON retired_document ({column})")
    views = _views_over("document_chunk")
    _rename("document_chunk", "chunk")
    op.execute(VIEW)
    _name_storage("document_chunk", "chunk")
    for statement in views:
        op.execute(statement)
    op.execute("ALTER TABLE chunk DROP COLUMN position")
    op.execute("TRUNCATE chunk_stage")
    op.execute(
        """
        CREATE UNLOGGED TABLE content_stage (
            rag_index_build_id INTEGER NOT NULL,
            document_content_id UUID NOT NULL,
            chunk_ids BIGINT[] NOT NULL,
            served_since TIMESTAMP WITH TIME ZONE,
            CONSTRAINT content_stage_pkey PRIMARY KEY (rag_index_build_id, document_content_id),
            CONSTRAINT content_stage_rag_index_build_id_fkey FOREIGN KEY (rag_index_build_id)
                REFERENCES rag_index_build (rag_index_build_id) ON DELETE CASCADE,
            CONSTRAINT content_stage_document_content_id_fkey FOREIGN KEY (document_content_id)
                REFERENCES document_content (document_content_id) ON DELETE CASCADE
        )
        """
    )
    op.execute("CREATE INDEX content_stage_document_content_id_idx ON content_stage (document_content_id)")


def downgrade() -> None:
    op.execute("TRUNCATE chunk_stage")
    op.execute("DROP TABLE content_stage")
    views = _views_over("document_chunk")
    op.execute("ALTER VIEW document_chunk RENAME TO document_chunk_of_versions")
    _rename("chunk", "document_chunk")
    _name_storage("chunk", "document_chunk")
    op.execute("ALTER TABLE document_chunk ADD COLUMN position INTEGER")
    # A chunk goes to the last version that had it. What an index showed before is not known any more.
    op.execute(
        """
        UPDATE document_chunk k SET document_content_id = held.document_content_id, position = held.number - 1
        FROM (
            SELECT DISTINCT ON (v.rag_index_build_id, part.document_chunk_id)
                   v.rag_index_build_id, v.document_content_id, part.document_chunk_id, part.number
            FROM (
                SELECT rag_index_build_id, document_content_id, chunk_ids, published_at FROM published_document
                UNION ALL
                SELECT rag_index_build_id, document_content_id, chunk_ids, published_at FROM retired_document
            ) v
            CROSS JOIN LATERAL unnest(v.chunk_ids) WITH ORDINALITY AS part (document_chunk_id, number)
            ORDER BY v.rag_index_build_id, part.document_chunk_id, v.published_at DESC
        ) held
        WHERE k.rag_index_build_id = held.rag_index_build_id AND k.document_chunk_id = held.document_chunk_id
        """
    )
    op.execute("DELETE FROM document_chunk WHERE position IS NULL")
    op.execute("ALTER TABLE document_chunk ALTER COLUMN position SET NOT NULL")
    op.execute(
        "CREATE UNIQUE INDEX document_chunk_content_position_key ON document_chunk "
        "(rag_index_build_id, document_content_id, position) WHERE deleted_at IS NULL"
    )
    for statement in views:
        op.execute(statement)
    op.execute("DROP VIEW document_chunk_of_versions")
    op.execute("UPDATE rag_index_build SET remembers_since = now()")
    op.execute("DROP TABLE retired_document")
    op.execute("ALTER TABLE published_document DROP COLUMN chunk_ids")


def _views_over(name: str) -> list[TextClause]:
    """What makes the views of users over a relation read what has its name by then; they keep owners and rights."""
    found = (
        op.get_bind()
        .execute(
            text(
                """
            WITH RECURSIVE above AS (
                SELECT r.ev_class AS oid, 1 AS height
                FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
                WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
                  AND d.refobjid = CAST(:name AS regclass) AND r.ev_class <> d.refobjid
                UNION
                SELECT r.ev_class, above.height + 1
                FROM above JOIN pg_depend d ON d.refobjid = above.oid JOIN pg_rewrite r ON r.oid = d.objid
                WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
                  AND r.ev_class <> above.oid
            )
            SELECT c.oid::regclass::text, c.relkind, array_to_string(c.reloptions, ', '), pg_get_viewdef(c.oid)
            FROM above JOIN pg_class c USING (oid)
            GROUP BY c.oid, c.relkind, c.reloptions
            ORDER BY max(above.height)
            """
            ),
            {"name": name},
        )
        .all()
    )
    statements = []
    for view, kind, options, definition in found:
        if kind != "v":
            raise WrongUse(
                f"{view} is a materialized view over {name}, which becomes a view. Drop it, run `arcana db upgrade`, "
                "and make it again."
            )
        with_options = f"WITH ({options}) " if options else ""
        # A colon in a text of the view's would be taken for a parameter.
        statements.append(text(f"CREATE OR REPLACE VIEW {view} {with_options}AS {definition}".replace(":", r"\:")))
    return statements


def _name_storage(old: str, new: str) -> None:
    op.execute(
        f"UPDATE rag_indexes SET storage_uri = regexp_replace(storage_uri, '^postgresql:{old}', 'postgresql:{new}')"
    )


def _rename(old: str, new: str) -> None:
    """Rename the table with its partitions, and what is named after them."""
    op.execute(f"ALTER TABLE {old} RENAME TO {new}")
    op.execute(
        f"""
        DO $$
        DECLARE
            part record;
        BEGIN
            FOR part IN
                SELECT c.oid::regclass AS name, c.relname FROM pg_class c JOIN pg_inherits h ON h.inhrelid = c.oid
                WHERE h.inhparent = '{new}'::regclass
            LOOP
                EXECUTE format('ALTER TABLE %s RENAME TO %I', part.name,
                               regexp_replace(part.relname, '^{old}', '{new}'));
            END LOOP;
            FOR part IN
                SELECT o.conrelid::regclass AS name, o.conname AS relname FROM pg_constraint o
                JOIN pg_partition_tree('{new}') tree ON tree.relid = o.conrelid
                WHERE o.conname ~ '^{old}_' AND o.contype <> 'n' AND o.conparentid = 0
            LOOP
                EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', part.name, part.relname,
                               regexp_replace(part.relname, '^{old}', '{new}'));
            END LOOP;
            FOR part IN
                SELECT i.indexrelid::regclass AS name, c.relname FROM pg_index i
                JOIN pg_class c ON c.oid = i.indexrelid
                JOIN pg_partition_tree('{new}') tree ON tree.relid = i.indrelid
                WHERE c.relname ~ '^{old}_'
            LOOP
                EXECUTE format('ALTER INDEX %s RENAME TO %I', part.name,
                               regexp_replace(part.relname, '^{old}', '{new}'));
            END LOOP;
        END
        $$
        """
    )
