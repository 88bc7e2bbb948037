"""The schema: models, migrations and live database agree, and the rules of the design hold in PostgreSQL."""

from __future__ import annotations

import psycopg
import pytest

from arcana_pipelines.db import schema
from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import WrongUse


def test_a_migrated_database_is_what_the_models_say(database: Database) -> None:
    assert schema.drift(database) == []


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
            "RETURNING workspace_id, user_id) "
            "INSERT INTO document (workspace_id, user_id, path) SELECT workspace_id, user_id, 'w.p' FROM w "
            "RETURNING document_id"
        ).fetchone()
    assert row is not None
    return str(row[0])


def _refused(database: Database, statement: str, *parameters: object) -> None:
    with pytest.raises(psycopg.errors.IntegrityError), database.connection() as connection:
        connection.execute(statement, parameters)  # type: ignore[arg-type]


def test_a_path_is_taken_once_and_free_again_after_a_soft_delete(database: Database, document: str) -> None:
    copy = "INSERT INTO document (workspace_id, user_id, path) SELECT workspace_id, user_id, path FROM document"
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
