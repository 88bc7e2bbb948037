"""A logical backup: what `pg_dump` writes of one snapshot, and how it is loaded into an empty database."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from arcana_pipelines.backup.vault import Part, PartWriter, Vault
from arcana_pipelines.db.client_programs import Unusable, environment_for, find_program, run_quietly, words
from arcana_pipelines.db.dump import OF_DUMPS
from arcana_pipelines.db.engine import DAGSTER_SCHEMA, Connection, Database
from arcana_pipelines.db.query import scalar, scalars
from arcana_pipelines.errors import BackupFailed, RestoreFailed

PART = "database"

_PIECE = 1024 * 1024
# A line of a dump's list: its number, two ids, the kind. The superuser makes these, and rights are given anew.
_NEVER = re.compile(r"\d+; \d+ \d+ (SCHEMA|EXTENSION|ACL|DEFAULT ACL|COMMENT - SCHEMA|COMMENT - EXTENSION) ")
_POLICY = re.compile(r"\d+; \d+ \d+ (POLICY|COMMENT - POLICY) ")
# Policies would bind who checks foreign keys; the table that says which release this is says that the others are whole.
_LAST = re.compile(r"\d+; \d+ \d+ (ROW SECURITY|POLICY|COMMENT - POLICY) |.* alembic_version")


def dump(vault: Vault, folder: str, database: Database, connection: Connection, snapshot: str, schema: str) -> Part:
    """Write a dump of our tables and Dagster's, as a snapshot sees them, into the place as it comes.

    Raises:
        BackupFailed: there is no `pg_dump` that can read the server, or it failed.
    """
    address = database.address
    server = connection.info.server_version // 10000
    has_dagster = scalar(connection, "SELECT to_regnamespace(%s) IS NOT NULL", [DAGSTER_SCHEMA])
    schemas = [schema, *([DAGSTER_SCHEMA] if has_dagster and schema != DAGSTER_SCHEMA else [])]
    is_embedded = database.settings.database_url is None
    try:
        program = find_program("pg_dump", server, connection.pgconn.ssl_in_use, is_embedded)
        environment = environment_for(address)
    except Unusable as error:
        raise BackupFailed(f"The database could not be dumped: {error}.") from None
    with tempfile.TemporaryFile() as said, PartWriter(vault, folder, PART) as writer:
        process = subprocess.Popen(
            [
                program.path,
                *OF_DUMPS,
                f"--snapshot={snapshot}",
                *(f'--schema="{name}"' for name in schemas),
                f"--dbname={address.shown}",
            ],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
        )
        try:
            assert process.stdout is not None
            while piece := process.stdout.read(_PIECE):
                writer.write(piece)
            code = process.wait()
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        if code:
            said.seek(0)
            message = words(said.read().decode(errors="replace"), code, address)
            raise BackupFailed(f"The database could not be dumped: {program.path} said: {message}")
    return writer.part


def load(dumped: Path, database: Database, jobs: int) -> None:
    """Load a dump into a database that has none of its tables. Who is killed in between leaves no `alembic_version`.

    Raises:
        RestoreFailed: `pg_restore` did not do it.
    """
    with database.connection() as connection:
        server = connection.info.server_version // 10000
        is_encrypted = connection.pgconn.ssl_in_use
        has_roles = bool(scalar(connection, "SELECT to_regrole('arcana_tenant') IS NOT NULL"))
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {DAGSTER_SCHEMA}")
    try:
        program = find_program("pg_restore", server, is_encrypted, database.settings.database_url is None).path
        environment = environment_for(database.address)
    except Unusable as error:
        raise RestoreFailed(f"The database could not be restored: {error}.") from None
    listed = subprocess.run(
        [program, "--list", dumped],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        raise RestoreFailed(f"The dump cannot be read: {words(listed.stderr, listed.returncode, database.address)}")
    entries = [line for line in listed.stdout.splitlines() if line and not line.startswith(";")]
    wanted = [line for line in entries if _is_wanted(line, has_roles)]
    last = [line for line in wanted if _LAST.match(line)]
    first = [line for line in wanted if line not in last]
    for lines in (first, last):
        with _listed(lines, dumped.parent) as file:
            arguments = ["--no-owner", "--no-acl", "--exit-on-error", f"--jobs={jobs}", f"--use-list={file}"]
            command: list[str | Path] = [
                program,
                "--no-password",
                *arguments,
                f"--dbname={database.address.shown}",
                dumped,
            ]
            said = run_quietly(command, environment, database.address)
        if said is not None:
            raise RestoreFailed(f"The database could not be restored: {program} said: {said}")


def jobs_here() -> int:
    """How many tables and indexes are loaded at once."""
    return max(1, min(4, os.cpu_count() or 1))


def refuse_to_fill(connection: Connection, schema: str) -> str | None:
    """Why a dump whose tables are in `schema` cannot be loaded here; None: it can. Reads only."""
    there = scalar(connection, "SELECT current_schema()")
    if there != schema:
        return f"its tables are in the schema {schema}, and new ones would be made in {there or 'none'} here"
    occupied: Sequence[str] = scalars(
        connection,
        "SELECT format('%%I.%%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname IN (%s, %s) AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND NOT EXISTS ("
        "  SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') "
        "ORDER BY 1 LIMIT 3",
        [schema, DAGSTER_SCHEMA],
    )
    return f"it holds {', '.join(occupied)} already" if occupied else None


def _is_wanted(line: str, has_roles: bool) -> bool:
    if _NEVER.match(line) or "arcana_company_role" in line:
        return False
    return has_roles or not (_POLICY.match(line) or "of_company" in line)


@contextlib.contextmanager
def _listed(lines: Iterable[str], folder: Path) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".list") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        yield Path(file.name)
