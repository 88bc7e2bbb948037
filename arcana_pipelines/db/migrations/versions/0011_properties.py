"""Properties in a table of their own, and edit times in an index: filters found them by reading every page.

Revision: 0011
Revises: 0010
"""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE document_property (
            workspace_id UUID NOT NULL,
            document_id UUID NOT NULL,
            name TEXT NOT NULL,
            text TEXT NOT NULL,
            number NUMERIC GENERATED ALWAYS AS (
                CASE WHEN text ~ '^-?[0-9]{1,50}([.][0-9]{1,50})?$' THEN text::numeric END) STORED,
            CONSTRAINT document_property_pkey PRIMARY KEY (document_id, name),
            CONSTRAINT document_property_workspace_id_fkey FOREIGN KEY (workspace_id)
                REFERENCES workspace (workspace_id) ON DELETE CASCADE,
            CONSTRAINT document_property_document_id_fkey FOREIGN KEY (document_id)
                REFERENCES document (document_id) ON DELETE CASCADE
        )
    """)
    op.execute("""
        INSERT INTO document_property (workspace_id, document_id, name, text)
        SELECT d.workspace_id, d.document_id, v.key, v.value->>'text'
        FROM document d
        JOIN document_content c ON c.document_content_id = d.latest_content_id,
        LATERAL jsonb_each(coalesce(c.contents->'properties', '{}')) v
        WHERE v.value->>'text' <> '' AND octet_length(v.key) <= 1000
    """)
    op.execute(
        "CREATE INDEX document_property_text_idx ON document_property (workspace_id, name, lower(left(text, 200)))"
    )
    op.execute("CREATE INDEX document_property_number_idx ON document_property (workspace_id, name, number)")
    op.execute("CREATE INDEX source_page_edited_idx ON source_page (workspace_id, last_edited_at)")


def downgrade() -> None:
    op.execute("DROP INDEX source_page_edited_idx")
    op.execute("DROP TABLE document_property")
