"""Can a PostgreSQL hold our schema? What it lacks is said before anything is made in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import OnlySearches, WrongUse

load_sql = statements_beside(__file__)

LOWEST_POSTGRES = 15
# 0.8.3 and 0.8.4 repair HNSW indexes that VACUUM corrupted: https://github.com/pgvector/pgvector/blob/master/CHANGELOG.md
LOWEST_VECTOR = (0, 8, 4)
# A type or operator class of each extension, by which it is seen whether the search path finds it.
_EXTENSIONS = {"ltree": "ltree", "pg_trgm": "gtrgm", "vector": "vector"}


def reader(connection: psycopg.Connection[Any]) -> str | None:
    """The user, if it may read what searches read and write nothing, as `arcana_reader`; None for all others."""
    user, may_read, may_write = _one(
        connection,
        "SELECT current_user, has_table_privilege(to_regclass('document'), 'SELECT'), "
        "has_table_privilege(to_regclass('document'), 'INSERT')",
    )
    return str(user) if may_read and not may_write else None


def refuse_reader(connection: psycopg.Connection[Any]) -> None:
    """Refuse a user who may only search: what it lacks is meant, and no statement should give it more.

    Raises:
        OnlySearches: it may.
    """
    user = reader(connection)
    if user is not None:
        raise OnlySearches(
            f"The database's user '{user}' may only search. For everything else put the address of the owner into "
            "DATABASE_URL."
        )


def refuse_unbound(connection: psycopg.Connection[Any]) -> None:
    """Refuse to serve companies as a user whom no policy binds, or who can act for none. Reads only.

    Raises:
        WrongUse: the message says why, and what to do.
    """
    user, is_above_policies, may_read, roles = _one(
        connection,
        "SELECT current_user, "
        "  (SELECT bool_or(rolsuper OR rolbypassrls) FROM pg_roles WHERE rolname IN (current_user, session_user)), "
        "  has_any_column_privilege(to_regclass('document'), 'SELECT'), "
        "  (SELECT count(*) FROM pg_roles WHERE rolname ~ '^arcana_company_' AND pg_has_role(oid, 'MEMBER'))",
    )
    serve = "Companies are served as a user like arcana_server (docs/operating.md has how it is made)."
    if is_above_policies:
        raise WrongUse(f"The database's user '{user}' is above all policies, so nothing keeps companies apart. {serve}")
    if may_read:
        raise WrongUse(f"The database's user '{user}' reads what is every company's. {serve}")
    if not roles:
        raise WrongUse(f"The database's user '{user}' may act for no company. {serve}")


def companies_without_role(connection: psycopg.Connection[Any]) -> int | None:
    """Companies that cannot be served, as they have no role; None where the database serves none at all."""
    serves, count = _one(
        connection,
        "SELECT to_regrole('arcana_server') IS NOT NULL AND to_regrole('arcana_tenant') IS NOT NULL, count(*) FILTER "
        "(WHERE to_regrole('arcana_company_' || replace(company_id::text, '-', '')) IS NULL) FROM company",
    )
    return int(count) if serves else None


def check_server(connection: psycopg.Connection[Any]) -> None:
    """Refuse a server or a database that the schema cannot be made in. Reads only.

    Raises:
        OnlySearches: the schema is there, and this user may only search.
        WrongUse: the message says what is missing and who can repair it how.
    """
    refuse_reader(connection)
    for lack in _lacks(connection):
        raise WrongUse(lack)


def tables_out_of_reach(connection: psycopg.Connection[Any]) -> None:
    """Refuse to work where our tables are in a schema that this user's search path does not find. Reads only.

    Raises:
        WrongUse: the message says which schema, and what to run.
    """
    for lack in _tables_out_of_reach(connection):
        raise WrongUse(lack)


def _lacks(connection: psycopg.Connection[Any]) -> Iterator[str]:
    """What is missing, the most fundamental first."""
    version = connection.info.server_version // 10000
    if version < LOWEST_POSTGRES:
        yield f"PostgreSQL {version} is too old: {LOWEST_POSTGRES} or newer is needed."
    database, database_id, user, encoding, read_only, may_make_schemas = _one(
        connection,
        "SELECT current_database(), quote_ident(current_database()), current_user, "
        "current_setting('server_encoding'), "
        "current_setting('transaction_read_only') = 'on' OR pg_is_in_recovery(), "
        "has_database_privilege(current_database(), 'CREATE')",
    )
    if encoding != "UTF8":
        yield (
            f"The database '{database}' has the encoding {encoding}; Arcana needs UTF8. Make another one: "
            f"CREATE DATABASE arcana ENCODING 'UTF8' TEMPLATE template0; and name it in DATABASE_URL."
        )
    if read_only:
        yield f"The database '{database}' is read-only (a standby, or default_transaction_read_only): use its primary."
    yield from _lacks_of_a_schema(connection, database, user)
    if not may_make_schemas and _one(connection, "SELECT to_regnamespace('dagster') IS NULL")[0]:
        yield (
            f"The user '{user}' may not make the schema dagster in '{database}'. Let its owner run: "
            f"GRANT CREATE ON DATABASE {database_id} TO {_quoted(user)};"
        )
    for extension, kind in _EXTENSIONS.items():
        yield from _lacks_of(connection, extension, kind, user)


def _lacks_of_a_schema(connection: psycopg.Connection[Any], database: str, user: str) -> Iterator[str]:
    """Tables are made in the first schema on the search path that there is and that the user may use."""
    yield from _tables_out_of_reach(connection)
    schema, schema_id, may_make_tables = _one(
        connection,
        "SELECT current_schema(), quote_ident(current_schema()), has_schema_privilege(current_schema(), 'CREATE')",
    )
    if schema is None:
        names = _search_path(connection, user)
        named = ", ".join(names) or "empty"
        known = connection.execute(
            "SELECT quote_ident(name) FROM unnest(%s::text[]) WITH ORDINALITY AS path (name, place) "
            "WHERE to_regnamespace(quote_ident(name)) IS NOT NULL ORDER BY place LIMIT 1",
            [names],
        ).fetchone()
        if known is None:
            make = f"CREATE SCHEMA {_quoted(names[0] if names else user)} AUTHORIZATION {_quoted(user)};"
            yield f"No schema on the search path of '{user}' ({named}) is in '{database}'. Let its owner run: {make}"
            return
        schema_id, may_make_tables = known[0], False
    if not may_make_tables:
        yield (
            f"The user '{user}' may not make tables in the schema {schema_id} of '{database}'. Let its owner run: "
            f"GRANT ALL ON SCHEMA {schema_id} TO {_quoted(user)};"
        )
    if schema is not None and _one(connection, f"SELECT NOT EXISTS ({load_sql('our_schema')})")[0]:
        theirs = _tables_of_others(connection, schema)
        if theirs:
            yield (
                f"The schema {schema_id} of '{database}' holds another application's {', '.join(theirs)}. Give Arcana "
                f"a schema of its own: CREATE SCHEMA arcana AUTHORIZATION {_quoted(user)}; and name it first in "
                "DATABASE_URL: …?options=-c%20search_path%3Darcana,public"
            )


def _tables_of_others(connection: psycopg.Connection[Any], schema: str) -> list[str]:
    """Names that our tables need and that others have taken."""
    from arcana_pipelines.db.models import Base

    rows = connection.execute(
        "SELECT relname, has_table_privilege(oid, 'SELECT') FROM pg_class "
        "WHERE relnamespace = to_regnamespace(quote_ident(%s)) AND relname = ANY (%s) ORDER BY relname",
        [schema, [*Base.metadata.tables, "alembic_version"]],
    ).fetchall()
    may_read = dict(rows)
    if may_read.get("alembic_version"):
        # An empty one is what is left when all migrations were taken back.
        versions = sql.Identifier(schema, "alembic_version")
        if connection.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(versions)).fetchone() is None:
            del may_read["alembic_version"]
    return list(may_read)


def _tables_out_of_reach(connection: psycopg.Connection[Any]) -> Iterator[str]:
    row = connection.execute(
        "SELECT n.nspname, current_database(), current_user FROM pg_namespace n "
        f"WHERE NOT EXISTS ({load_sql('our_schema')}) AND 2 = ("
        "  SELECT count(*) FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind = 'r' "
        "  AND c.relname IN ('alembic_version', 'rag_index_build')) "
        "ORDER BY n.nspname LIMIT 1"
    ).fetchone()
    if row is not None:
        schema, database, user = row
        yield f"Arcana's tables in '{database}' are in {_out_of_reach(connection, schema, user)}"


def _lacks_of(connection: psycopg.Connection[Any], extension: str, kind: str, user: str) -> Iterator[str]:
    installed, schema, is_found, offered, may_install = _one(
        connection,
        "SELECT e.extversion, n.nspname, to_regtype(%(kind)s) IS NOT NULL, a.default_version, "
        "  (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) "
        "  OR NOT v.superuser OR (v.trusted AND has_database_privilege(current_database(), 'CREATE')) "
        "FROM (SELECT %(name)s::name AS name) wanted "
        "LEFT JOIN pg_extension e ON e.extname = wanted.name LEFT JOIN pg_namespace n ON n.oid = e.extnamespace "
        "LEFT JOIN pg_available_extensions a ON a.name = wanted.name "
        "LEFT JOIN pg_available_extension_versions v ON v.name = wanted.name AND v.version = a.default_version",
        {"name": extension, "kind": kind},
    )
    if installed is None and offered is None:
        yield (
            f"The PostgreSQL server does not offer the extension '{extension}'. Install it on the server "
            "(pgvector for 'vector', postgresql-contrib for the others) and run `arcana db upgrade` again."
        )
    elif installed is None and not may_install:
        yield (
            f"The user '{user}' may not install the extension '{extension}'. Let a superuser run, in this database: "
            f"CREATE EXTENSION {extension};"
        )
    elif installed is not None and not is_found:
        yield f"The extension '{extension}' is in {_out_of_reach(connection, schema, user)}"
    version = installed or offered
    if extension == "vector" and version and tuple(int(part) for part in version.split(".")) < LOWEST_VECTOR:
        lowest = ".".join(str(part) for part in LOWEST_VECTOR)
        remedy = " Run: ALTER EXTENSION vector UPDATE;" if installed and offered != installed else ""
        yield f"pgvector {version} can corrupt its indexes under VACUUM: {lowest} or newer is needed.{remedy}"


def _out_of_reach(connection: psycopg.Connection[Any], schema: str, user: str) -> str:
    """Why what is in a schema is not found, and what makes it so. It follows "is in"."""
    # What is set for a role holds for the one that logs in, no matter which role it then works as.
    schema_id, may_use, path, source, login = _one(
        connection,
        "SELECT quote_ident(%(schema)s), has_schema_privilege(to_regnamespace(quote_ident(%(schema)s)), 'USAGE'), "
        "reset_val, source, session_user FROM pg_settings WHERE name = 'search_path'",
        {"schema": schema},
    )
    is_named = schema in _search_path(connection, user)
    wrong, steps = [], []
    if not may_use:
        wrong.append(f"which '{user}' may not use")
        steps.append(f"Let its owner run: GRANT USAGE ON SCHEMA {schema_id} TO {_quoted(user)};")
    if not is_named and source == "client":
        wrong.append(f"which is not on the search path that DATABASE_URL or PGOPTIONS gives '{login}'")
        steps.append(f"Name it there: search_path={path},{schema_id}")
    elif not is_named:
        wrong.append(f"which is not on the search path of '{login}'")
        within = " IN DATABASE " + _quoted(connection.info.dbname) if source == "database user" else ""
        paths = ", ".join(part for part in (path, schema_id) if part)
        steps.append(f"Run: ALTER ROLE {_quoted(login)}{within} SET search_path = {paths};")
    return f"the schema {schema_id}, {' and '.join(wrong)}. {' '.join(steps)}"


def _search_path(connection: psycopg.Connection[Any], user: str) -> list[str]:
    """The names on the search path, whether there are such schemas or not."""
    path = _one(connection, "SELECT current_setting('search_path')")[0]
    parts = re.findall(r'"((?:[^"]|"")*)"|([^\s,"]+)', path)
    names = [quoted.replace('""', '"') if quoted else plain.lower() for quoted, plain in parts]
    return [user if name == "$user" else name for name in names if name]


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string(None)


def _one(connection: psycopg.Connection[Any], statement: str, parameters: dict[str, str] | None = None) -> Any:
    return connection.execute(statement, parameters).fetchone()
