"""One workspace comes back from a backup into an installation that goes on: rows with their ids, builds, files.

The backup is restored into a server of its own. From there the rows are copied in the order of their foreign keys, in
one transaction and with a status that hides the workspace; then the partitions of its builds, which nobody reads yet;
then it is shown. What is interrupted in between is removed by `arcana workspace remove`.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from psycopg import sql

from arcana_pipelines.audit.record import record
from arcana_pipelines.backup import manifest, objects
from arcana_pipelines.backup.scratch import restored
from arcana_pipelines.backup.vault import open_vault
from arcana_pipelines.db.client_programs import Unusable, environment_for, find_program, words
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.query import scalar, scalars
from arcana_pipelines.db.schema import grant_reads
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import RestoreFailed, RestoreRefused
from arcana_pipelines.files.stores.incoming import incoming_folder
from arcana_pipelines.files.stores.registry import open_file_store, prefix_of
from arcana_pipelines.home import room_in
from arcana_pipelines.workspaces.workspaces import storage_path

if TYPE_CHECKING:
    from sqlalchemy import Table

load_sql = statements_beside(__file__)

# What belongs to the installation, is counted again as rows come, or is on its way to somewhere.
_LEFT_OUT = frozenset({
    "api_usage_logs", "audit_logs", "company", "ticket_counts", "sync_operations", "target_collection", "webhook_event",
    "workspace_lease", "chunk_stage", "content_stage", "passage_stage",
})  # fmt: skip
# Tables with one partition a build.
_OF_BUILDS = ("chunk", "chunk_terms", "passage")
# Their triggers keep people from changing what is released; here it comes as it was.
_GUARDED = ("taxonomy_version", "taxonomy_nodes")


@dataclass(frozen=True, slots=True)
class RestoredWorkspace:
    """What came back.

    Attributes:
        slug: of the workspace.
        backup_id: from which backup.
        rows: in how many rows of all tables, without those of chunks.
        builds: of its indexes.
        files: whose bytes were put into the store.
    """

    slug: str
    backup_id: str
    rows: int
    builds: int
    files: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "workspace": self.slug, "backup_id": self.backup_id, "rows": self.rows, "builds": self.builds,
            "files": self.files, "seconds": round(self.seconds, 3),
        }  # fmt: skip


def restore_workspace(database: Database, address: str, slug: str, backup_id: str | None = None) -> RestoredWorkspace:
    """Bring a workspace back as it was in a backup (the newest, or the one with this id). No other one is touched.

    Raises:
        RestoreRefused: the slug is taken, the backup has no such workspace, or rows with its ids are there. Nothing was
            changed.
        ArcanaError: the backup cannot be restored (see `restore`).
    """
    started = time.monotonic()
    with database.connection() as connection:
        _refuse_taken(connection, slug)
    with restored(database.settings, address, backup_id, reads_files=False) as (done, there):
        with there.own_connection() as source, source.transaction():
            row = source.execute(
                "SELECT workspace_id, company_id, platform, status FROM workspace WHERE slug = %s", [slug]
            ).fetchone()
            if row is None:
                raise RestoreRefused(f"There is no workspace '{slug}' in the backup {done.manifest.backup_id}.")
            workspace_id, company_id, platform, status = row
            builds: list[int] = scalars(source, load_sql("builds_of_workspace"), {"workspace_id": workspace_id})
            rows = _copy(source, database, slug, workspace_id, company_id)
        _copy_builds(there, database, builds)
    files = _files(database, address, done.manifest.backup_id, prefix_of(company_id, platform, workspace_id))
    storage_path(database.settings, slug).mkdir(mode=0o700, parents=True, exist_ok=True)
    with database.connection() as connection, connection.transaction():
        connection.execute("UPDATE workspace SET status = %s WHERE workspace_id = %s", [status, workspace_id])
        details = {"restored_from": done.manifest.backup_id}
        record(connection, None, "workspace.registered", slug, workspace_id=workspace_id, details=details)
    grant_reads(database)
    return RestoredWorkspace(slug, done.manifest.backup_id, rows, len(builds), files, time.monotonic() - started)


def _refuse_taken(connection: Connection, slug: str) -> None:
    if scalar(connection, "SELECT 1 FROM workspace WHERE slug = %s", [slug]) is not None:
        raise RestoreRefused(f"There is a workspace '{slug}': remove it first (`arcana workspace remove {slug}`).")


def _copy(source: Connection, database: Database, slug: str, workspace_id: UUID, company_id: UUID) -> int:
    """All rows but those of builds, in one transaction, hidden yet; returns how many."""
    number = 0
    try:
        with database.own_connection() as target, target.transaction():
            target.execute("SET CONSTRAINTS ALL DEFERRED")
            for name in _GUARDED:
                target.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(sql.Identifier(name)))
            number += _rows(source, target, "company", ["company_id", "name"], "company_id = %s", company_id, True)
            for table, condition in _tables():
                columns = [column.name for column in table.columns if column.computed is None]
                number += _rows(source, target, table.name, columns, condition, workspace_id)
            active = source.execute(
                "SELECT active_build_id, rag_index_id FROM rag_indexes WHERE workspace_id = %s", [workspace_id]
            ).fetchall()
            for row in active:
                target.execute("UPDATE rag_indexes SET active_build_id = %s WHERE rag_index_id = %s", row)
            target.execute("DELETE FROM retired_slug WHERE slug = %s", [slug])
            for statement in scalars(target, load_sql("sequences_to_move")):
                target.execute(statement)
            for name in _GUARDED:
                target.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(sql.Identifier(name)))
    except psycopg.errors.IntegrityError as error:
        said = " ".join(str(error).split())
        raise RestoreRefused(
            f"The workspace '{slug}' cannot come back here, as ids of its rows are taken or something that they "
            f"need is missing: {said}"
        ) from error
    return number


def _rows(
    source: Connection, target: Connection, table: str, columns: list[str], condition: str, value: UUID,
    is_shared: bool = False,
) -> int:  # fmt: skip
    """Copy rows of a table. Policies refuse COPY into it, so they come by a temporary one."""
    named, name = sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(table)
    values = [sql.Literal(value)] * condition.count("%s")
    its_own = sql.SQL(condition.replace("%s", "{}")).format(*values)  # from this module
    chosen = sql.SQL("SELECT {} FROM {} t WHERE {}").format(named, name, its_own)
    target.execute(sql.SQL("CREATE TEMP TABLE coming AS SELECT {} FROM {} LIMIT 0").format(named, name))
    with (
        source.cursor() as reading,
        target.cursor() as writing,
        reading.copy(sql.SQL("COPY ({}) TO STDOUT").format(chosen)) as given,
        writing.copy(sql.SQL("COPY coming FROM STDIN")) as taken,
    ):
        for piece in given:
            taken.write(piece)
    if table == "workspace":
        target.execute("UPDATE coming SET status = 'deleting'")
    if table == "rag_indexes":
        target.execute("UPDATE coming SET active_build_id = NULL")
    conflict = sql.SQL("ON CONFLICT DO NOTHING" if is_shared else "")
    done = target.execute(
        sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM coming {}").format(
            name, named, named, conflict
        )
    )
    target.execute("DROP TABLE coming")
    return done.rowcount


def _tables() -> Iterator[tuple[Table, str]]:
    """What a workspace has rows in, in the order of foreign keys, and which rows are its own."""
    import warnings

    from arcana_pipelines.db.models import Base

    builds = f"rag_index_build_id IN ({load_sql('builds_of_workspace').replace('%(workspace_id)s', '%s')})"
    documents = "(SELECT d.document_id FROM document d WHERE d.workspace_id = %s)"
    by_name = {
        "document_content": f"document_id IN {documents}",
        "document_relation": f"base_document_id IN {documents} AND related_document_id IN {documents}",
        "embedding_batch_text": "embedding_batch_id IN "
        "(SELECT b.embedding_batch_id FROM embedding_batch b WHERE b.workspace_id = %s)",
        "rag_index_build": builds,
        "retrieval_quality": "rag_index_id IN (SELECT i.rag_index_id FROM rag_indexes i WHERE i.workspace_id = %s)",
        "conversations": "ticket_id IN (SELECT k.id FROM tickets k WHERE k.workspace_id = %s)",
        **dict.fromkeys(
            ("published_document", "retired_document", "retired_chunk_terms", "term_count", "index_word"), builds
        ),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of cycles, which are deferred
        tables = Base.metadata.sorted_tables
    first = [table for table in tables if table.name in ("company", "workspace")]
    for table in (*first, *(table for table in tables if table not in first)):
        if table.name in _LEFT_OUT or table.name in _OF_BUILDS:
            continue
        if table.name in by_name:
            yield table, by_name[table.name]
        elif "workspace_id" in table.columns:
            yield table, "workspace_id = %s"


def _copy_builds(there: Database, database: Database, builds: list[int]) -> None:
    """The partitions of builds, with their indexes, as `pg_dump` writes them."""
    if not builds:
        return
    tables = [f"--table={parent}_b{build}" for parent in _OF_BUILDS for build in builds]
    with database.connection() as connection:
        server, is_encrypted = connection.info.server_version // 10000, connection.pgconn.ssl_in_use
    try:
        reading = find_program("pg_dump", 18, False, True)
        writing = find_program("pg_restore", server, is_encrypted, database.settings.database_url is None)
        environment = environment_for(database.address)
    except Unusable as error:
        raise RestoreFailed(f"The builds could not be restored: {error}.") from None
    home = room_in(database.settings.home)
    with tempfile.NamedTemporaryFile(dir=home) as file, tempfile.NamedTemporaryFile("w", dir=home) as listed:
        common = ["--no-password", "--no-owner", "--no-acl"]
        dump = [reading.path, *common, "--format=custom", "--compress=0", *tables, f"--file={file.name}"]
        load = [writing.path, *common, "--exit-on-error", "--single-transaction", f"--dbname={database.address.shown}"]
        steps: list[tuple[list[Any], dict[str, str]]] = [
            ([*dump, f"--dbname={there.address.shown}"], environment_for(there.address)),
            # They are attached below: `pg_restore` switches policies off, and then may not check their foreign keys.
            ([writing.path, "--list", file.name], environment),
            ([*load, f"--use-list={listed.name}", file.name], environment),
        ]
        for program, given in steps:
            done = subprocess.run(
                program, env=given, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                check=False,
            )  # fmt: skip
            if done.returncode:
                message = words(done.stderr, done.returncode, database.address)
                raise RestoreFailed(
                    f"The builds could not be restored: {Path(str(program[0])).name} said: {message}. "
                    "`arcana workspace remove` removes what came."
                )
            if "--list" in program:
                listed.writelines(f"{line}\n" for line in done.stdout.splitlines() if " ATTACH " not in line)
                listed.flush()
    with database.connection() as connection, connection.transaction():
        for parent in _OF_BUILDS:
            for build in builds:
                connection.execute(
                    sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES IN ({})").format(
                        sql.Identifier(parent), sql.Identifier(f"{parent}_b{build}"), sql.Literal(build)
                    )
                )


def _files(database: Database, address: str, backup_id: str, prefix: str) -> int:
    """The bytes of its files that the store has not."""
    number = 0
    scratch = incoming_folder(database.settings)
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open_vault(address, database.settings) as vault, open_file_store(database.settings) as store:
        made = manifest.read(vault, backup_id)
        missing = set(made.missing)
        for each in objects.read_list(vault, made):
            if each.key.startswith(prefix) and each.sha256 not in missing and store.size(each.key) != each.size:
                with objects.as_file(vault, each, scratch) as path:
                    store.put(each.key, path, each.sha256, each.size)
                number += 1
    return number
