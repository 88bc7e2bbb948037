"""Before tables change they are dumped, whole and for nobody else, or nothing changes."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest

from arcana_pipelines.cli.database_changes import upgrade
from arcana_pipelines.db import dump, schema
from arcana_pipelines.db.embedded.programs import programs
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.query import scalars
from arcana_pipelines.db.reader import company_role
from arcana_pipelines.errors import BackupFailed
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.notion_server import NotionWorld
from arcana_pipelines_tests.db import rows_of_releases
from arcana_pipelines_tests.db.rows_of_releases import COMPANY, World

BEFORE = "0012"


@pytest.fixture
def new(empty_database: Database, tmp_path: Path) -> Iterator[Database]:
    """A new installation."""
    database = Database(Settings(arcana_home=tmp_path / "home", database_url=empty_database.settings.database_url))
    yield database
    database.close()


@pytest.fixture
def installed(new: Database, world: NotionWorld) -> Database:
    """An installation of an older release, with rows."""
    schema.upgrade(new, BEFORE)
    with new.connection() as connection, connection.transaction():
        rows_of_releases.insert(connection, rows_of_releases.rows(World(world)))
    return new


def _program(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str, version: int = 99) -> None:
    """Let the PATH have a `pg_dump` of this version that does this."""
    folder.mkdir(exist_ok=True)
    file = folder / "pg_dump"
    file.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && {{ echo "pg_dump (PostgreSQL) {version}.1"; exit; }}\n'
        f'for option; do case "$option" in --file=*) file="${{option#--file=}}";; esac; done\n{script}\n'
    )
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def _dumps(database: Database) -> list[Path]:
    folder = dump.backup_folder(database.settings.home)
    return sorted(folder.iterdir()) if folder.exists() else []


def test_tables_that_change_are_dumped_first_and_the_dump_restores_them(
    installed: Database, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    file = upgrade(installed)

    assert schema.current_revision(installed) == schema.newest_revision()
    assert file is not None and _dumps(installed) == [file]
    assert file.name.startswith(f"arcana-{BEFORE}-") and str(file) in caplog.text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700

    # As docs/operating.md has it: into another database, whose tables are those of the release that the dump is of.
    schema.downgrade(database, BEFORE)
    with database.connection() as connection:
        dumped_by = dump._able_to_read(connection.info.server_version // 10_000, False, False).path
    restore = [dumped_by.with_name("pg_restore"), "--clean", "--if-exists", "--no-owner", "--exit-on-error"]
    subprocess.run([*restore, f"--dbname={database.url}", file], check=True)
    assert schema.current_revision(database) == BEFORE
    with database.connection() as connection:
        found = scalars(
            connection,
            "SELECT p.title FROM document_chunk JOIN document_content USING (document_content_id) "
            "JOIN source_page p USING (document_id) WHERE chunk_embedding IS NOT NULL ORDER BY p.title",
        )
        assert scalars(connection, "SELECT nextval('document_chunk_document_chunk_id_seq')") == [101]
    assert found == ["Mend the heater", "Old canteen", "Vacation policy", "휴가 규정"]
    schema.upgrade(database)
    assert schema.drift(database) == []


def test_tables_with_policies_are_dumped_and_restored_whole(
    new: Database, database: Database, world: NotionWorld
) -> None:
    schema.upgrade(new)
    with new.connection() as connection, connection.transaction():
        rows_of_releases.insert(connection, rows_of_releases.rows(World(world)))
        wanted = scalars(connection, "SELECT document_id::text FROM document ORDER BY 1")
    file = dump.dump_tables(new, schema.newest_revision())
    with database.connection() as connection:
        dumped_by = dump._able_to_read(connection.info.server_version // 10_000, False, False).path
    restore = [dumped_by.with_name("pg_restore"), "--clean", "--if-exists", "--no-owner", "--no-acl"]
    subprocess.run([*restore, "--exit-on-error", f"--dbname={database.url}", file], check=True)
    schema.upgrade(database)
    assert schema.drift(database) == []
    with database.connection() as connection:
        assert wanted and scalars(connection, "SELECT document_id::text FROM document ORDER BY 1") == wanted
        readers = "SELECT rolname FROM pg_roles WHERE has_table_privilege(oid, 'chunk_b2', 'SELECT')"
        assert company_role(UUID(COMPANY)) in scalars(connection, readers)


@pytest.mark.parametrize("made_by", ["an upgrade", "hand"])
def test_a_dump_of_an_older_release_becomes_an_installation_of_this_one(
    made_by: str, new: Database, database: Database, world: NotionWorld, tmp_path: Path
) -> None:
    revision = schema.revisions()[-2]
    schema.upgrade(new, revision)
    with new.connection() as connection, connection.transaction():
        rows_of_releases.insert(connection, rows_of_releases.rows(World(world)))
        dumped_by = dump._able_to_read(connection.info.server_version // 10_000, False, False).path
    file, listed = tmp_path / "arcana.dump", tmp_path / "arcana.list"
    if made_by == "hand":
        by_hand = ["--enable-row-security", "--format=custom", f"--file={file}", new.url]
        subprocess.run([dumped_by, *by_hand], check=True)
    else:
        file = dump.dump_tables(new, revision)

    # As docs/operating.md has it: this release makes its tables, takes them back to the dump's, and brings these up.
    restore = dumped_by.with_name("pg_restore")
    told = subprocess.run([restore, "--list", file], capture_output=True, text=True, check=True).stdout
    theirs = ("EXTENSION", "arcana_company_role")
    listed.write_text("".join(f"{line}\n" for line in told.splitlines() if not any(each in line for each in theirs)))
    schema.downgrade(database, revision)
    options = ["--clean", "--if-exists", "--no-owner", "--no-acl", "--exit-on-error", f"--use-list={listed}"]
    subprocess.run([restore, *options, f"--dbname={database.url}", file], check=True)
    schema.upgrade(database)

    assert schema.drift(database) == []
    with database.connection() as connection:
        found = scalars(
            connection,
            "SELECT p.title FROM document_chunk JOIN document_content USING (document_content_id) "
            "JOIN source_page p USING (document_id) WHERE chunk_embedding IS NOT NULL ORDER BY p.title",
        )
    assert found == ["Mend the heater", "Old canteen", "Vacation policy", "휴가 규정"]


def test_every_table_and_sequence_of_every_release_is_in_a_dump(empty_database: Database) -> None:
    for revision in sorted(path.stem.split("_")[0] for path in (schema.MIGRATIONS / "versions").glob("[0-9]*.py")):
        schema.upgrade(empty_database, revision)
        with empty_database.connection() as connection:
            dumped = scalars(connection, dump.load_sql("our_relations"), {"names": dump.names_of_ours()})
            there = scalars(
                connection,
                "SELECT 'public.' || c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace "
                "AND (c.relkind IN ('r', 'p', 'v') OR c.relkind = 'S' AND NOT EXISTS (SELECT FROM pg_depend d "
                "WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')))",
            )
        assert set(dumped) == set(there), revision


def test_tables_of_others_in_the_same_schema_are_not_in_the_dump(installed: Database) -> None:
    with installed.connection() as connection:
        connection.execute("CREATE TABLE public.theirs AS SELECT 1 AS one")
    file = upgrade(installed)
    assert file is not None
    listed = subprocess.run([programs() / "pg_restore", "--list", file], capture_output=True, text=True, check=True)
    assert "document_chunk_b2" in listed.stdout and "alembic_version" in listed.stdout
    assert "theirs" not in listed.stdout


def test_a_new_database_and_one_of_this_release_are_not_dumped(new: Database) -> None:
    assert upgrade(new) is None
    assert upgrade(new) is None
    assert _dumps(new) == []


def test_a_backup_that_is_not_wanted_is_not_made(installed: Database) -> None:
    assert upgrade(installed, backup=False) is None
    assert schema.current_revision(installed) == schema.newest_revision()
    assert _dumps(installed) == []


def test_a_dump_that_fails_changes_nothing_and_leaves_nothing_and_says_no_secret(
    installed: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "hunter2-비밀"
    url = installed.url.replace("@/", f":{secret}@/")
    _program(tmp_path / "bin", monkeypatch, 'echo half > "$file"; echo "no space, $PGPASSWORD, $*" >&2; exit 1')

    with (
        closing(Database(Settings(arcana_home=installed.settings.home, database_url=url))) as database,
        pytest.raises(BackupFailed) as failed,
    ):
        upgrade(database)

    assert "no space" in str(failed.value) and "--no-backup" in str(failed.value)
    assert secret not in str(failed.value)
    assert _dumps(installed) == []
    assert schema.current_revision(installed) == BEFORE


def test_an_interrupted_dump_leaves_nothing(
    installed: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(tmp_path / "bin", monkeypatch, 'echo half > "$file"; kill -INT $PPID; sleep 60')
    # A shell starts what it puts in the background deaf to Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            upgrade(installed)
    finally:
        signal.signal(signal.SIGINT, before)
    assert _dumps(installed) == []
    assert schema.current_revision(installed) == BEFORE


def test_a_folder_that_cannot_be_written_is_named(installed: Database) -> None:
    installed.settings.home.mkdir()
    dump.backup_folder(installed.settings.home).write_text("a file")
    with pytest.raises(BackupFailed, match="backups"):
        upgrade(installed)
    assert schema.current_revision(installed) == BEFORE


class TestWhichProgram:
    def test_that_of_the_path_reads_a_server_of_its_own_release_and_older_ones(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _program(tmp_path / "bin", monkeypatch, "", version=16)
        for server in (15, 16):
            assert dump._able_to_read(server, is_encrypted=True, is_embedded=False).path.parent == tmp_path / "bin"

    def test_ours_reads_what_that_of_the_path_is_too_old_for_and_the_embedded_server(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _program(tmp_path / "bin", monkeypatch, "", version=16)
        assert dump._able_to_read(17, is_encrypted=False, is_embedded=False).path.parent == programs()
        assert dump._able_to_read(16, is_encrypted=False, is_embedded=True).path.parent == programs()

    def test_ours_never_reads_in_the_clear_what_is_encrypted_otherwise(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _program(tmp_path / "bin", monkeypatch, "", version=16)
        with pytest.raises(BackupFailed, match=r"of PostgreSQL 16, and the server is a PostgreSQL 17.*--no-backup"):
            dump._able_to_read(17, is_encrypted=True, is_embedded=False)

    def test_a_server_newer_than_all_is_said(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(BackupFailed, match=r"no pg_dump on the PATH for the server, a PostgreSQL 99.*--no-backup"):
            dump._able_to_read(99, is_encrypted=False, is_embedded=False)

    def test_one_in_the_current_directory_is_never_run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        _program(tmp_path / "unpacked", monkeypatch, "", version=99)
        monkeypatch.chdir(tmp_path / "unpacked")
        for path in ("", ".", ":/nowhere", "/nowhere:"):
            monkeypatch.setenv("PATH", path)
            with pytest.raises(BackupFailed):
                dump._able_to_read(99, is_encrypted=False, is_embedded=False)
