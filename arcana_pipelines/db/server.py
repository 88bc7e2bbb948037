"""Can a PostgreSQL hold our schema? What it lacks is said before anything is made in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg

from arcana_pipelines.errors import WrongUse

LOWEST_POSTGRES = 15
# 0.8.3 and 0.8.4 repair HNSW indexes that VACUUM corrupted: https://github.com/pgvector/pgvector/blob/master/CHANGELOG.md
LOWEST_VECTOR = (0, 8, 4)
# A type or operator class of each extension, by which it is seen whether the search path finds it.
_EXTENSIONS = {"ltree": "ltree", "pg_trgm": "gtrgm", "vector": "vector"}


def check_server(connection: psycopg.Connection[Any]) -> None:
    """Refuse a server or a database that the schema cannot be made in. Reads only.

    Raises:
        WrongUse: the message says what is missing and who can mend it how.
    """
    for lack in _lacks(connection):
        raise WrongUse(lack)


def _lacks(connection: psycopg.Connection[Any]) -> Iterator[str]:
    """What is missing, the most fundamental first."""
    version = connection.info.server_version // 10000
    if version < LOWEST_POSTGRES:
        yield f"PostgreSQL {version} is too old: {LOWEST_POSTGRES} or newer is needed."
    database, user, encoding, read_only, may_make_schemas, may_use_public = _one(
        connection,
        "SELECT current_database(), current_user, current_setting('server_encoding'), "
        "current_setting('transaction_read_only') = 'on' OR pg_is_in_recovery(), "
        "has_database_privilege(current_database(), 'CREATE'), "
        "coalesce(has_schema_privilege(to_regnamespace('public')::oid, 'CREATE') "
        "         AND has_schema_privilege(to_regnamespace('public')::oid, 'USAGE'), false)",
    )
    if encoding != "UTF8":
        yield (
            f"The database '{database}' has the encoding {encoding}; Arcana needs UTF8. Make another one: "
            f"CREATE DATABASE arcana ENCODING 'UTF8' TEMPLATE template0; and name it in DATABASE_URL."
        )
    if read_only:
        yield f"The database '{database}' is read-only (a standby, or default_transaction_read_only): use its primary."
    if not may_use_public:
        yield (
            f"The user '{user}' may not make tables in the schema public of '{database}'. Let its owner run: "
            f'GRANT ALL ON SCHEMA public TO "{user}";'
        )
    if not may_make_schemas and _one(connection, "SELECT to_regnamespace('dagster') IS NULL")[0]:
        yield (
            f"The user '{user}' may not make the schema dagster in '{database}'. Let its owner run: "
            f'GRANT CREATE ON DATABASE "{database}" TO "{user}";'
        )
    for extension, kind in _EXTENSIONS.items():
        yield from _lacks_of(connection, extension, kind, user)


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
        yield (
            f"The extension '{extension}' is in the schema {schema}, which is not on the search path of '{user}'. Run: "
            f'ALTER ROLE "{user}" SET search_path = "$user", public, {schema};'
        )
    version = installed or offered
    if extension == "vector" and version and tuple(int(part) for part in version.split(".")) < LOWEST_VECTOR:
        lowest = ".".join(str(part) for part in LOWEST_VECTOR)
        mend = " Run: ALTER EXTENSION vector UPDATE;" if installed and offered != installed else ""
        yield f"pgvector {version} can corrupt its indexes under VACUUM: {lowest} or newer is needed.{mend}"


def _one(connection: psycopg.Connection[Any], statement: str, parameters: dict[str, str] | None = None) -> Any:
    return connection.execute(statement, parameters).fetchone()
