"""A PostgreSQL of one's own: what is missing is one sentence, before anything is made."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from urllib.parse import quote

import psycopg
import pytest

from arcana_pipelines.db import schema
from arcana_pipelines.db.embedded import SUPERUSER
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.server import check_server
from arcana_pipelines.errors import DatabaseUnreachable, WrongUse
from arcana_pipelines.settings import Settings
from arcana_pipelines_tests.conftest import named

_numbers = itertools.count()
PASSWORD = "p@ss/w#r?d%:&= 비밀"


class Own:
    """An empty database of an ordinary user's own, and the superuser's connection to it."""

    def __init__(self, server: str, options: str = "") -> None:
        self.name = f"own_{os.getpid()}_{next(_numbers)}"
        self.user = f"{self.name}_app"
        self._server = server
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {self.user} LOGIN PASSWORD '{PASSWORD}'")  # type: ignore[arg-type]
            connection.execute(f"CREATE DATABASE {self.name} OWNER {self.user} TEMPLATE template0 {options}")  # type: ignore[arg-type]
        self.database = Database(Settings(database_url=self.url))

    @property
    def url(self) -> str:
        address = named(self._server, self.name).partition("@")[2]
        return f"postgresql://{self.user}:{quote(PASSWORD, safe='')}@{address}"

    def superuser(self, statement: str) -> None:
        with psycopg.connect(named(self._server, self.name, SUPERUSER), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def close(self) -> None:
        self.database.close()
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {self.name} WITH (FORCE)")  # type: ignore[arg-type]
            connection.execute(f"DROP ROLE {self.user}")  # type: ignore[arg-type]

    def refused(self) -> str:
        """What `arcana db upgrade` says; nothing was made."""
        with pytest.raises(WrongUse) as refused:
            schema.upgrade(self.database)
        assert schema.current_revision(self.database) is None
        return str(refused.value)


@pytest.fixture
def own(template: str) -> Iterator[Own]:
    own = Own(template)
    yield own
    own.close()


def test_an_ordinary_owner_with_the_extensions_gets_the_schema_without_drift(own: Own) -> None:
    for extension in ("ltree", "pg_trgm", "vector"):
        own.superuser(f"CREATE EXTENSION {extension}")
    schema.upgrade(own.database)
    assert schema.drift(own.database) == []


def test_extensions_in_a_schema_of_their_own_work_where_the_search_path_finds_them(own: Own) -> None:
    own.superuser(f"CREATE SCHEMA extensions; GRANT USAGE ON SCHEMA extensions TO {own.user}")
    for extension in ("ltree", "pg_trgm", "vector"):
        own.superuser(f"CREATE EXTENSION {extension} SCHEMA extensions")
    said = own.refused()
    assert "search path" in said and f'ALTER ROLE "{own.user}" SET search_path' in said
    own.superuser(said.partition("Run: ")[2])
    own.database.close()
    own.database = Database(Settings(database_url=own.url))
    schema.upgrade(own.database)
    assert schema.drift(own.database) == []


def test_a_user_who_may_not_install_an_extension_is_told_who_may(own: Own) -> None:
    with psycopg.connect(own.url) as connection:
        row = connection.execute(
            "SELECT bool_or(trusted) FROM pg_available_extension_versions WHERE name = 'vector'"
        ).fetchone()
    if row == (True,):
        own.superuser(
            f"REVOKE CREATE ON DATABASE {own.name} FROM {own.user}; ALTER DATABASE {own.name} OWNER TO postgres"
        )
        own.superuser(f"CREATE SCHEMA dagster; GRANT ALL ON SCHEMA public TO {own.user}")
        own.superuser("CREATE EXTENSION ltree; CREATE EXTENSION pg_trgm")
    said = own.refused()
    assert "CREATE EXTENSION vector;" in said and "superuser" in said


def test_a_user_without_rights_in_the_schema_public_is_told_the_grant(own: Own) -> None:
    own.superuser("REVOKE ALL ON SCHEMA public FROM PUBLIC; ALTER SCHEMA public OWNER TO postgres")
    said = own.refused()
    assert f'GRANT ALL ON SCHEMA public TO "{own.user}";' in said


def test_a_database_that_is_not_utf_8_is_refused(template: str) -> None:
    own = Own(template, "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
    try:
        assert "LATIN1" in own.refused()
    finally:
        own.close()


def test_a_database_that_is_read_only_is_refused(own: Own) -> None:
    own.superuser(f"ALTER DATABASE {own.name} SET default_transaction_read_only = on")
    assert "read-only" in own.refused()


def test_what_is_well_is_not_complained_about(database: Database) -> None:
    with database.connection() as connection:
        check_server(connection)


def test_dagster_gets_an_address_that_leads_to_the_same_database_whatever_the_password_holds(own: Own) -> None:
    import sqlalchemy

    engine = sqlalchemy.create_engine(own.database.dagster_url)
    with engine.connect() as connection:
        row = connection.exec_driver_sql(
            "SELECT current_database(), current_user, current_setting('search_path')"
        ).one()
    engine.dispose()
    assert tuple(row) == (own.name, own.user, "dagster")


def test_a_refused_log_in_shows_no_password(own: Own) -> None:
    url = own.url.replace(quote(PASSWORD, safe=""), "hunter2hunter2") + "&sslpassword=hunter3hunter3"
    database = Database(Settings(database_url=url.replace(own.user, "nobody_of_that_name")))
    with pytest.raises(DatabaseUnreachable) as refused, database.connection():
        pass
    assert "hunter" not in str(refused.value) + database.safe_url
    assert own.name in str(refused.value)
