"""A PostgreSQL of one's own: what is missing is one sentence, before anything is made."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import psycopg
import pytest
from psycopg.sql import Identifier

from arcana_pipelines.db import schema
from arcana_pipelines.db.embedded.lease import DATABASE, SERVER, SUPERUSER
from arcana_pipelines.db.engine import DAGSTER_VARIABLE, Database
from arcana_pipelines.db.query import scalar
from arcana_pipelines.db.reader import company_role
from arcana_pipelines.db.server import check_server, companies_without_role, refuse_unbound
from arcana_pipelines.defs import instance
from arcana_pipelines.errors import DatabaseUnreachable, WrongUse
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.postgres import DatabaseServer
from arcana_pipelines_tests.db.conftest import with_parameters

_numbers = itertools.count()
PASSWORD = "p@ss/w#r?d%:&= 비밀"


class Own:
    """An empty database of an ordinary user's own, and the superuser's connection to it."""

    def __init__(self, server: DatabaseServer, options: str = "") -> None:
        self.name = f"own_{os.getpid()}_{next(_numbers)}"
        self.user = f"{self.name}_app"
        self._server = server
        with psycopg.connect(server.address(DATABASE, SUPERUSER), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {self.user} LOGIN PASSWORD '{PASSWORD}'")  # type: ignore[arg-type]
            connection.execute(f"CREATE DATABASE {self.name} OWNER {self.user} TEMPLATE template0 {options}")  # type: ignore[arg-type]
        self.database = Database(Settings(database_url=self.url))

    @property
    def url(self) -> str:
        address = self._server.address(self.name).partition("@")[2]
        return f"postgresql://{self.user}:{quote(PASSWORD, safe='')}@{address}"

    def superuser(self, statement: str) -> None:
        with psycopg.connect(self._server.address(self.name, SUPERUSER), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def url_of(self, role: str) -> str:
        """The address for another role of the server."""
        return self._server.address(self.name, role)

    def reconnect(self, parameters: str = "connect_timeout=10") -> None:
        """What was changed for the user holds for new connections."""
        self.database.close()
        self.database = Database(Settings(database_url=with_parameters(self.url, parameters)))

    def close(self) -> None:
        self.database.close()
        with psycopg.connect(self._server.address(DATABASE, SUPERUSER), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {self.name} WITH (FORCE)")  # type: ignore[arg-type]
            connection.execute(f"DROP ROLE {self.user}")  # type: ignore[arg-type]

    def refused(self) -> str:
        """What `arcana db upgrade` says; nothing was made."""
        with pytest.raises(WrongUse) as refused:
            schema.upgrade(self.database)
        assert schema.current_revision(self.database) is None
        return str(refused.value)


@pytest.fixture
def own(arcana_server: DatabaseServer) -> Iterator[Own]:
    own = Own(arcana_server)
    yield own
    own.close()


def test_an_ordinary_owner_with_the_extensions_gets_the_schema_without_drift(own: Own) -> None:
    for extension in ("ltree", "pg_trgm", "vector"):
        own.superuser(f"CREATE EXTENSION {extension}")
    schema.upgrade(own.database)
    assert schema.drift(own.database) == []


STATEMENT = re.compile(r"\b(?:ALTER|GRANT|CREATE)\b[^;]*;")


class TestExtensionsInASchemaOfTheirOwn:
    """The statements that are printed are run as they stand, until nothing is missing."""

    @pytest.fixture(autouse=True, params=["extensions", "Our Extensions", 'a "b"', "select"])
    def apart(self, own: Own, request: pytest.FixtureRequest) -> str:
        quoted = Identifier(request.param).as_string(None)
        own.superuser(f"CREATE SCHEMA {quoted}")
        for extension in ("ltree", "pg_trgm", "vector"):
            own.superuser(f"CREATE EXTENSION {extension} SCHEMA {quoted}")
        return quoted

    def mended(self, own: Own) -> str:
        said = own.refused()
        assert STATEMENT.search(said), said
        for statement in STATEMENT.findall(said):
            own.superuser(statement)
        own.reconnect()
        schema.upgrade(own.database)
        assert schema.drift(own.database) == []
        return said

    def test_neither_named_nor_to_be_used(self, own: Own) -> None:
        said = self.mended(own)
        assert "may not use" in said and "not on the search path" in said

    def test_to_be_used_but_not_named(self, own: Own, apart: str) -> None:
        own.superuser(f"GRANT USAGE ON SCHEMA {apart} TO {own.user}")
        own.superuser("CREATE SCHEMA kept")
        own.superuser(f"ALTER ROLE {own.user} IN DATABASE {own.name} SET search_path = public, kept")
        own.reconnect()
        assert "GRANT" not in self.mended(own)
        with own.database.connection() as connection:
            row = connection.execute("SHOW search_path").fetchone()
        assert row is not None and row[0].startswith("public, kept, ")

    def test_named_but_not_to_be_used(self, own: Own, apart: str) -> None:
        own.superuser(f'ALTER ROLE {own.user} SET search_path = "$user", public, {apart}')
        own.reconnect()
        said = self.mended(own)
        assert "GRANT USAGE" in said and "search path" not in said

    def test_for_who_logs_in_and_works_as_the_owner(self, own: Own) -> None:
        owner = f"{own.user}_owner"
        own.superuser(f"CREATE ROLE {owner}; GRANT {owner} TO {own.user}; ALTER ROLE {own.user} SET role = {owner}")
        own.superuser(f"ALTER DATABASE {own.name} OWNER TO {owner}")
        try:
            own.reconnect()
            self.mended(own)
        finally:
            own.superuser(f"REASSIGN OWNED BY {owner} TO {own.user}; DROP OWNED BY {owner}; DROP ROLE {owner}")

    def test_where_the_address_gives_the_path(self, own: Own, apart: str) -> None:
        own.superuser(f"GRANT USAGE ON SCHEMA {apart} TO {own.user}")
        own.reconnect("options=-c%20search_path%3Dpublic")
        said = own.refused()
        path = said.partition("search_path=")[2].replace(" ", "\\ ")
        own.reconnect("options=" + quote(f"-c search_path={path}"))
        schema.upgrade(own.database)


def test_a_user_whose_schemas_were_made_for_him_needs_no_right_to_make_any_but_to_compare(
    own: Own, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv(DAGSTER_VARIABLE, "")
    for extension in ("ltree", "pg_trgm", "vector"):
        own.superuser(f"CREATE EXTENSION {extension}")
    own.superuser(f"ALTER DATABASE {own.name} OWNER TO postgres; GRANT ALL ON SCHEMA public TO {own.user}")
    own.superuser(f"CREATE SCHEMA dagster AUTHORIZATION {own.user}")
    schema.upgrade(own.database)
    instance.prepare(own.database)
    with pytest.raises(WrongUse) as refused:
        schema.drift(own.database)
    own.superuser(str(refused.value).partition("allow it: ")[2])
    assert schema.drift(own.database) == []


def test_a_user_and_a_database_of_any_name_get_statements_that_run(own: Own) -> None:
    odd = 'it\'s "Odd"; x'
    quoted = Identifier(odd).as_string(None)
    own.superuser(f"CREATE ROLE {quoted} LOGIN; ALTER DATABASE {own.name} OWNER TO postgres")
    for extension in ("ltree", "pg_trgm", "vector"):
        own.superuser(f"CREATE EXTENSION {extension}")
    database = Database(Settings(database_url=own.url_of(quote(odd, safe=""))))
    try:
        for _ in range(5):
            with database.connect() as connection, contextlib.suppress(WrongUse):
                check_server(connection)
                break
            with database.connect() as connection, pytest.raises(WrongUse) as refused:
                check_server(connection)
            own.superuser(str(refused.value).partition("run: ")[2])
        schema.upgrade(database)
    finally:
        database.close()
        own.superuser(f"REASSIGN OWNED BY {quoted} TO {own.user}; DROP OWNED BY {quoted}; DROP ROLE {quoted}")


@pytest.mark.parametrize("schema_name", ["the user's", 'Arcana "Index"', "document"])
class TestASchemaOfItsOwn:
    """Tables are made in the first schema on the search path, and found there by everything."""

    @pytest.fixture(autouse=True)
    def made(self, own: Own, schema_name: str) -> str:
        for extension in ("ltree", "pg_trgm", "vector"):
            own.superuser(f"CREATE EXTENSION {extension} SCHEMA public")
        name = own.user if schema_name == "the user's" else schema_name
        quoted = Identifier(name).as_string(None)
        own.superuser(f"CREATE SCHEMA {quoted} AUTHORIZATION {own.user}")
        if name != own.user:
            own.superuser(f"ALTER ROLE {own.user} SET search_path = {quoted}, public")
        return name

    def test_holds_the_tables_without_drift(self, own: Own, made: str) -> None:
        schema.upgrade(own.database)
        schema.require_current(own.database)
        assert schema.drift(own.database) == []
        assert schemas_of_tables(own) == {made}

    def test_that_comes_later_hides_nothing_and_gets_no_table(self, own: Own, made: str) -> None:
        quoted = Identifier(made).as_string(None)
        own.superuser(f"ALTER SCHEMA {quoted} RENAME TO later")
        own.superuser(f"GRANT ALL ON SCHEMA public TO {own.user}")
        schema.upgrade(own.database, "0007")
        own.superuser(f"ALTER SCHEMA later RENAME TO {quoted}")
        own.superuser(f"CREATE TABLE {quoted}.document (theirs int)")
        own.reconnect()
        schema.upgrade(own.database)
        schema.require_current(own.database)
        assert schema.drift(own.database) == []
        assert schemas_of_tables(own) == {"public"}

    def test_is_given_to_the_role_that_searches_which_is_told_where_it_is(self, own: Own, made: str) -> None:
        schema.upgrade(own.database)
        reader = Database(Settings(database_url=own.url_of("arcana_reader")), only_searches=True)
        with pytest.raises(WrongUse) as refused:
            schema.require_current(reader)
        reader.close()
        assert "may not use" not in str(refused.value)
        mend = str(refused.value).partition("Run: ")[2].replace(" SET ", f" IN DATABASE {own.name} SET ")
        own.superuser(mend)
        schema.require_current(reader)
        with reader.connection() as connection:
            connection.execute("SELECT FROM document")
        reader.close()


def schemas_of_tables(own: Own) -> set[str]:
    with own.database.connection() as connection:
        wanted = ["alembic_version", "workspace", "chunk", "document_property", "alert"]
        return {
            row[0]
            for row in connection.execute(
                "SELECT schemaname FROM pg_tables WHERE tablename = ANY (%s) AND tableowner = %s "
                "AND NOT (tablename = 'document')", [wanted, own.user]
            )
        }  # fmt: skip


def test_no_second_set_of_tables_is_made_beside_one_that_is_out_of_reach(own: Own) -> None:
    for extension in ("ltree", "pg_trgm", "vector"):
        own.superuser(f"CREATE EXTENSION {extension}")
    own.superuser(f"CREATE SCHEMA apart AUTHORIZATION {own.user}; GRANT ALL ON SCHEMA public TO {own.user}")
    own.superuser(f"ALTER ROLE {own.user} SET search_path = apart, public")
    schema.upgrade(own.database)
    own.superuser(f"ALTER ROLE {own.user} RESET search_path")
    own.reconnect()
    assert "in the schema apart, which is not on the search path" in own.refused()


def test_another_application_s_tables_are_told_and_left_alone(own: Own) -> None:
    own.superuser(f"GRANT ALL ON SCHEMA public TO {own.user}")
    for extension in ("ltree", "pg_trgm", "vector"):
        own.superuser(f"CREATE EXTENSION {extension}")
    own.superuser(
        "CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('7e2f3204cf8e')"
    )
    own.superuser(f"GRANT ALL ON alembic_version TO {own.user}")
    said = own.refused()
    assert "another application's alembic_version" in said
    own.superuser(said.partition("of its own: ")[2].partition(" and name")[0])
    own.reconnect(said.partition("?")[2])
    schema.upgrade(own.database)
    schema.require_current(own.database)
    assert schema.drift(own.database) == []
    assert schemas_of_tables(own) == {"arcana"}


def test_a_search_path_on_which_no_schema_is_gets_the_statement_that_makes_one(own: Own) -> None:
    for extension in ("ltree", "pg_trgm", "vector"):
        own.superuser(f"CREATE EXTENSION {extension} SCHEMA pg_catalog")
    own.superuser(f'ALTER ROLE {own.user} SET search_path = "Not there"')
    said = own.refused()
    own.superuser(said.partition("run: ")[2])
    own.reconnect()
    schema.upgrade(own.database)
    assert schemas_of_tables(own) == {"Not there"}


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


def test_a_database_that_is_not_utf_8_is_refused(arcana_server: DatabaseServer) -> None:
    own = Own(arcana_server, "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
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
    url = with_parameters(own.url.replace(quote(PASSWORD, safe=""), "hunter2hunter2"), "sslpassword=hunter3hunter3")
    database = Database(Settings(database_url=url.replace(own.user, "nobody_of_that_name")))
    with pytest.raises(DatabaseUnreachable) as refused, database.connection():
        pass
    assert "hunter" not in str(refused.value) + database.safe_url
    assert own.name in str(refused.value)


class TestCompanies:
    """Roles of companies are made by who may make roles; where nobody may, no company is served."""

    @pytest.fixture
    def company(self, own: Own) -> Iterator[UUID]:
        for extension in ("ltree", "pg_trgm", "vector"):
            own.superuser(f"CREATE EXTENSION {extension}")
        schema.upgrade(own.database)
        with own.database.connection() as connection:
            company: UUID = scalar(connection, "SELECT company_id FROM company")
        yield company
        role = company_role(company)
        own.superuser(f"DO $$ BEGIN IF to_regrole('{role}') IS NOT NULL THEN DROP OWNED BY {role}; DROP ROLE {role}; "
                      "END IF; END $$")  # fmt: skip

    def test_without_the_right_to_make_roles_they_are_not_served_and_doctor_can_tell(
        self, own: Own, company: UUID
    ) -> None:
        with own.database.connection() as connection:
            assert companies_without_role(connection) == 1
            with pytest.raises(WrongUse, match="reads what is every company's"):
                refuse_unbound(connection)
        with (
            pytest.raises(WrongUse, match="cannot act for the company"),
            own.database.connection(company=company) as connection,
        ):
            connection.execute("SELECT 1")

    def test_with_it_each_has_a_role_by_which_it_is_served(self, own: Own, company: UUID) -> None:
        own.superuser(f"ALTER ROLE {own.user} CREATEROLE")
        with own.database.connection() as connection:
            if connection.info.server_version >= 160000:
                own.superuser(f"GRANT arcana_tenant TO {own.user} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE")
        schema.upgrade(own.database)
        with own.database.connection() as connection:
            assert companies_without_role(connection) == 0
            assert scalar(connection, "SELECT count(*) FROM company") == 1
        with contextlib.closing(Database(Settings(database_url=own.url_of(SERVER)), serves=True)) as server:
            with server.connection() as connection:
                refuse_unbound(connection)
            with server.connection(company=company) as connection:
                assert scalar(connection, "SELECT name FROM company") == "default"

    def test_the_superuser_is_refused(self, own: Own, company: UUID) -> None:
        with (
            contextlib.closing(Database(Settings(database_url=own.url_of(SUPERUSER)), serves=True)) as server,
            server.connection() as connection,
            pytest.raises(WrongUse, match="above all policies"),
        ):
            refuse_unbound(connection)

    def test_an_owner_whom_the_policies_of_companies_would_bind_is_refused(self, own: Own, company: UUID) -> None:
        own.superuser(f"GRANT arcana_tenant TO {own.user}")
        with pytest.raises(psycopg.errors.RaiseException, match="inherits arcana_tenant"):
            schema.upgrade(own.database)
