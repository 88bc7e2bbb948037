"""The schema: models, migrations and live database agree, and the rules of the design hold in PostgreSQL."""

from __future__ import annotations

import psycopg
import pytest

from arcana_pipelines.db import schema
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.models import Base
from arcana_pipelines.errors import WrongUse


def test_a_migrated_database_is_what_the_models_say(database: Database) -> None:
    assert schema.drift(database) == []


def test_the_functions_of_a_migrated_database_are_those_of_the_models(database: Database) -> None:
    ours = """
        SELECT proname, regexp_replace(btrim(prosrc), '\\s+', ' ', 'g'), provolatile, prosecdef FROM pg_proc p
        WHERE pronamespace = current_schema()::regnamespace
          AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
        ORDER BY proname
    """
    with database.in_transactions() as connection:
        migrated = connection.exec_driver_sql(ours).all()
        connection.exec_driver_sql("CREATE SCHEMA of_models")
        connection.exec_driver_sql(
            "SELECT set_config('search_path', 'of_models, ' || current_setting('search_path'), true)"
        )
        Base.metadata.create_all(connection, checkfirst=False)
        of_models = connection.exec_driver_sql(ours).all()
        connection.rollback()
    assert len(of_models) > 5 and set(of_models) <= set(migrated)


def test_a_changed_column_is_drift(database: Database) -> None:
    with database.connection() as connection:
        connection.execute("ALTER TABLE document ALTER COLUMN kind DROP NOT NULL")
        connection.execute("DROP INDEX document_user_id_path_key")
    lines = "\n".join(schema.drift(database))
    assert "document.kind" in lines
    assert "document_user_id_path_key" in lines


def test_migrations_go_down_and_up_again(database: Database) -> None:
    schema.downgrade(database, "base")
    with pytest.raises(WrongUse, match="arcana db upgrade"):
        schema.require_current(database)
    schema.upgrade(database)
    assert schema.drift(database) == []


@pytest.fixture
def document(database: Database) -> str:
    with database.connection() as connection:
        row = connection.execute(
            "WITH w AS (INSERT INTO workspace (company_id, slug, name, platform, storage_path) "
            "SELECT company_id, 'a', 'a', 'notion', '/a' FROM company "
            "RETURNING workspace_id, company_id, platform, user_id) "
            "INSERT INTO document (workspace_id, company_id, platform, user_id, path) "
            "SELECT workspace_id, company_id, platform, user_id, 'w.p' FROM w "
            "RETURNING document_id"
        ).fetchone()
    assert row is not None
    return str(row[0])


def _refused(database: Database, statement: str, *parameters: object) -> None:
    with pytest.raises(psycopg.errors.IntegrityError), database.connection() as connection:
        connection.execute(statement, parameters)  # type: ignore[arg-type]


def test_a_path_is_taken_once_and_free_again_after_a_soft_delete(database: Database, document: str) -> None:
    columns = "workspace_id, company_id, platform, user_id, path"
    copy = f"INSERT INTO document ({columns}) SELECT {columns} FROM document"
    _refused(database, copy)
    with database.connection() as connection:
        connection.execute("UPDATE document SET deleted_at = now()")
        connection.execute(copy)


def test_a_version_exists_once_a_document(database: Database, document: str) -> None:
    insert = (
        "INSERT INTO document_content (document_id, user_id, contents, version) "
        "SELECT document_id, user_id, '{}', %s FROM document"
    )
    with database.connection() as connection:
        connection.execute(insert, [1])
    _refused(database, insert, 1)
    _refused(database, insert, 0)


def test_a_relation_joins_two_documents_and_exists_once(database: Database, document: str) -> None:
    _refused(
        database,
        "INSERT INTO document_relation (base_document_id, related_document_id, relation_type) "
        "SELECT document_id, document_id, 'reference' FROM document",
    )


@pytest.mark.parametrize("slug", ["A", "-a", "a b", "", "ä", "a" * 64])
def test_the_database_itself_refuses_a_bad_slug(database: Database, slug: str) -> None:
    _refused(
        database,
        "INSERT INTO workspace (company_id, slug, name, platform, storage_path) "
        "SELECT company_id, %s, 'a', 'notion', '/a' FROM company",
        slug,
    )


class TestWhatTriggersKeep:
    """What no foreign key can say, and times."""

    @pytest.fixture
    def other(self, database: Database, document: str) -> str:
        """Another document, and a content of each."""
        columns = "workspace_id, company_id, platform, user_id"
        with database.connection() as connection:
            row = connection.execute(
                f"INSERT INTO document ({columns}, path) SELECT {columns}, 'w.q' FROM document RETURNING document_id"
            ).fetchone()
            connection.execute(
                "INSERT INTO document_content (document_id, contents, version) "
                "SELECT document_id, '{}', 1 FROM document"
            )
        assert row is not None
        return str(row[0])

    def test_the_latest_content_is_of_the_same_document(self, database: Database, document: str, other: str) -> None:
        point = (
            "UPDATE document SET latest_content_id = "
            "(SELECT document_content_id FROM document_content WHERE document_id = %s) WHERE document_id = %s"
        )
        _refused(database, point, other, document)
        with database.connection() as connection:
            connection.execute(point, [document, document])

    def test_the_active_build_is_of_the_same_index(self, database: Database, document: str) -> None:
        with database.connection() as connection:
            connection.execute(
                "INSERT INTO rag_indexes (workspace_id, company_id, platform, name, storage_uri, embedding_model, "
                "dimensions) SELECT workspace_id, company_id, platform, given, 'postgresql:chunk', 'm', 2 "
                "FROM workspace, unnest(ARRAY['one', 'two']) AS given"
            )
            connection.execute(
                "INSERT INTO rag_index_build (rag_index_id, chunker, embedding_model, dimensions, fingerprint) "
                "SELECT rag_index_id, '{}', 'm', 2, 'f' FROM rag_indexes WHERE name = 'one'"
            )
        serve = (
            "UPDATE rag_indexes SET active_build_id = (SELECT rag_index_build_id FROM rag_index_build) WHERE name = %s"
        )
        _refused(database, serve, "two")
        with database.connection() as connection:
            connection.execute(serve, ["one"])

    def test_what_is_changed_says_when(self, database: Database, document: str, other: str) -> None:
        with database.connection() as connection:
            for table, change in (
                ("company", "name = 'Acme'"),
                ("workspace", "name = 'b'"),
                ("document", "kind = 'file'"),
                ("document_content", "contents = '{}'"),
            ):
                changed = connection.execute(
                    f"UPDATE {table} SET {change}, updated_at = '2020-01-01' RETURNING updated_at = now()"  # type: ignore[arg-type]
                ).fetchall()
                assert set(changed) == {(True,)}, table


@pytest.mark.parametrize("column", ["company_id = gen_random_uuid()", "platform = 'files'"])
def test_a_document_is_its_workspace_s_company_s_and_of_its_platform(
    database: Database, document: str, column: str
) -> None:
    _refused(database, f"UPDATE document SET {column}")


def test_a_missing_trigger_or_policy_is_drift(database: Database) -> None:
    with database.connection() as connection:
        connection.execute("DROP TRIGGER document_updated_at ON document")
        connection.execute("DROP POLICY of_application ON workspace")
        connection.execute("ALTER TABLE source_page NO FORCE ROW LEVEL SECURITY")
    lines = "\n".join(schema.drift(database))
    assert "document.document_updated_at" in lines
    assert "policy workspace.of_application" in lines
    assert "row security of source_page" in lines
