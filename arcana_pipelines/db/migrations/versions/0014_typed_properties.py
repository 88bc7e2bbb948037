"""Properties are compared as what they are: numbers, dates with their ends, check boxes, items of lists.

Numbers were whatever text looked like one, dates were compared as text. What is held is filled here as far as its text
tells; the next sync makes every page's contents anew (a new normaliser), and with them the rest. Titles and the
columns of databases get indexes, for filters that name them.

Revision: 0014
Revises: 0013
"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_DAY = r"'^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])'"
_MONTH = "make_date(greatest(left(text, 4)::int, 1), substr(text, 6, 2)::int, 1)"


def upgrade() -> None:
    op.execute("DROP INDEX document_property_number_idx")
    op.execute("""
        ALTER TABLE document_property
            ALTER COLUMN number DROP EXPRESSION,
            ADD COLUMN position SMALLINT NOT NULL DEFAULT 0,
            ADD COLUMN truth BOOLEAN,
            ADD COLUMN starts TIMESTAMP,
            ADD COLUMN ends TIMESTAMP,
            DROP CONSTRAINT document_property_pkey,
            ADD CONSTRAINT document_property_pkey PRIMARY KEY (document_id, name, position)
    """)
    op.execute(f"""
        UPDATE document_property p SET starts = day, ends = day + interval '1 day'
        FROM (
            SELECT document_id, name,
                   ({_MONTH} + least(substr(text, 9, 2)::int,
                                     extract(day FROM {_MONTH} + interval '1 month - 1 day')::int) - 1)::timestamp
                   AS day
            FROM document_property WHERE text ~ {_DAY}
        ) dated
        WHERE p.document_id = dated.document_id AND p.name = dated.name
    """)
    op.execute(r"UPDATE document_property SET number = NULL WHERE text ~ '^-?0\d'")
    for column in ("number", "starts", "ends"):
        op.execute(
            f"CREATE INDEX document_property_{column}_idx ON document_property (workspace_id, name, {column}) "
            f"WHERE {column} IS NOT NULL"
        )
    op.execute("CREATE INDEX source_page_title_idx ON source_page (workspace_id, lower(left(title, 200)))")
    op.execute("CREATE INDEX source_page_database_idx ON source_page (workspace_id) WHERE kind = 'data_source'")


def downgrade() -> None:
    op.execute("DROP INDEX source_page_database_idx")
    op.execute("DROP INDEX source_page_title_idx")
    op.execute("DELETE FROM document_property WHERE position > 0")
    op.execute("""
        ALTER TABLE document_property
            DROP CONSTRAINT document_property_pkey,
            ADD CONSTRAINT document_property_pkey PRIMARY KEY (document_id, name),
            DROP COLUMN position, DROP COLUMN truth, DROP COLUMN starts, DROP COLUMN ends, DROP COLUMN number,
            ADD COLUMN number NUMERIC GENERATED ALWAYS AS (
                CASE WHEN text ~ '^-?[0-9]{1,50}([.][0-9]{1,50})?$' THEN text::numeric END) STORED
    """)
    op.execute("CREATE INDEX document_property_number_idx ON document_property (workspace_id, name, number)")
