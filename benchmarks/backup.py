"""How long backups and restores take, and that they are equal: `python benchmarks/backup.py`.

    python benchmarks/backup.py                                  # 100,000 chunks, 2 GB of files: half an hour
    python benchmarks/backup.py --chunks 10000 --files-mb 200    # a look
    python benchmarks/backup.py --kills                          # both are killed at ten moments

An embedded server, an encrypted place on the same disk. A full backup, edits of one chunk in a hundred, an incremental
one, a moment, more edits; then restores of the newest, of that moment, and of a logical backup without files. Each is
compared with what was there: a sum over all rows of every table. Exit code 1: a target was missed, or they differ.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from index_build import CHUNKS_OF_A_DOCUMENT, Writer, made_up, met, registered_with, run_stages
from machine import print_machine
from own_server import own_server
from pydantic import SecretStr

from arcana_pipelines.backup import facts, manifest, wal
from arcana_pipelines.backup.create import create
from arcana_pipelines.backup.drill import drill
from arcana_pipelines.backup.prune import prune
from arcana_pipelines.backup.restore import restore
from arcana_pipelines.backup.vault import open_vault
from arcana_pipelines.backup.verify import verify
from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.db import schema
from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.engine import Database
from arcana_pipelines.embedding import local_small
from arcana_pipelines.embedding.catalogue import SMALL_MODEL
from arcana_pipelines.files.stores.registry import key_of, open_file_store
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.settings import Settings
from arcana_pipelines.workspaces import workspaces

MOST_RESTORE_SECONDS = 300.0
KEY = bytes(range(32)).hex()
MOMENTS = 10

T = TypeVar("T")


def timed(name: str, work: Callable[[], T]) -> tuple[T, float]:
    """What it gives, and its seconds, which are printed."""
    started = time.monotonic()
    done = work()
    seconds = time.monotonic() - started
    print(f"{name}: {seconds:.1f} s", flush=True)
    return done, seconds


def settings_of(home: Path, **more: Any) -> Settings:
    """Those of an installation with a key, whose log of changes is kept."""
    given = {"encryption_key": SecretStr(KEY), "backup_wal": "on", "embedding_provider": "local-small", **more}
    return Settings(arcana_home=home, **given)


def fill(database: Database, chunks: int, megabytes: int) -> None:
    """A workspace with so many chunks, and with so many MB of files of one MB each."""
    schema.upgrade(database)
    index = IndexSettings(SMALL_MODEL, local_small.DIMENSIONS, ChunkerSettings(), "auto")
    texts = made_up("acme", chunks // CHUNKS_OF_A_DOCUMENT, Writer(1))
    registered_with(database, "acme", texts, index)
    run_stages(database, "acme")
    add_files(database, megabytes, seed=1)


def add_files(database: Database, number: int, seed: int) -> None:
    """So many files of a MB: a half of each is noise, the other one packs well."""
    random = Random(seed)
    with database.connection() as connection, open_file_store(database.settings) as store:
        workspace = workspaces.find(connection, "acme")
        with tempfile.NamedTemporaryFile() as file:
            path = Path(file.name)
            for _ in range(number):
                content = random.randbytes(2**19) + b"a line of a table\n" * (2**19 // 18)
                sha256 = hashlib.sha256(content).hexdigest()
                path.write_bytes(content)
                key = key_of(workspace.company_id, workspace.platform, workspace.workspace_id, sha256)
                store.put(key, path, sha256, len(content))
                with connection.transaction():
                    connection.execute(
                        "INSERT INTO stored_file (workspace_id, sha256, size, kind, mime_type, storage_key) "
                        "VALUES (%s, %s, %s, 'pdf', 'application/pdf', %s)",
                        [workspace.workspace_id, bytes.fromhex(sha256), len(content), key],
                    )


def edit(database: Database, seed: int, megabytes: int) -> None:
    """One chunk and one version of a document in a hundred are written anew, and some files added."""
    with database.connection() as connection, connection.transaction():
        picked = "mod(hashtextextended({}::text, %s), 100) = 0"
        connection.execute(
            f"UPDATE chunk SET chunk_content = chunk_content WHERE {picked.format('document_chunk_id')}", [seed]
        )
        connection.execute(
            "UPDATE document_content SET contents = contents || '{\"edited\": true}' "
            f"WHERE {picked.format('document_content_id')}",
            [seed],
        )
    add_files(database, megabytes, seed)


def sums(database: Database) -> facts.Sums:
    """What is in the database."""
    with database.connection() as connection, connection.transaction():
        return facts.sums(connection, "public")


def restored(name: str, home: Path, place: str, expected: facts.Sums, **options: Any) -> tuple[float, list[str]]:
    """Restore into a new home; its seconds, and by what it differs."""
    settings = settings_of(home)
    found: list[facts.Sums] = []
    done, seconds = timed(
        name, lambda: restore(settings, place, before_upgrade=lambda made: found.append(sums(made)), **options)
    )
    lease.release_lease(home)
    lease.wait_until_stopped(home)
    shutil.rmtree(home, ignore_errors=True)
    print(f"    {done.files:,} files, {done.files_missing} missing", flush=True)
    return seconds, facts.differences(expected, found[0])


def figures(chunks: int, megabytes: int) -> bool:
    """All but the kills."""
    with own_server() as (home, _), tempfile.TemporaryDirectory(prefix="arcana-bench-") as folder:
        place, top = str(Path(folder) / "place"), Path(folder)
        with closing(Database(settings_of(home))) as database:
            timed(f"{chunks:,} chunks and {megabytes} MB of files are made", lambda: fill(database, chunks, megabytes))
            full, _ = timed("full backup", lambda: create(database, place))
            print(f"    {full.manifest.kept / 1e6:,.0f} MB written, of the database {_database_bytes(full) / 1e6:,.0f}")
            edit(database, 2, megabytes // 100)
            later, _ = timed("incremental backup after edits of 1 %", lambda: create(database, place, "incremental"))
            print(f"    {later.manifest.kept / 1e6:,.0f} MB, of the database {_database_bytes(later) / 1e6:,.0f}")
            then = sums(database)
            with database.connection() as connection:
                (moment,) = connection.execute("SELECT clock_timestamp()").fetchone() or (None,)
            edit(database, 3, megabytes // 100)
            now = sums(database)
            logical, _ = timed("logical backup", lambda: create(database, place, "logical"))
            print(f"    {logical.manifest.kept / 1e6:,.0f} MB written")
            with open_vault(place, database.settings) as vault:
                shipped, _ = timed("log of changes shipped", lambda: wal.ship(vault, database))
                print(f"    {shipped.segments} segments, {shipped.size / 1e6:,.0f} MB")
                every = list(manifest.all_of(vault))
                known: set[str] = set()
                found, _ = timed("all verified", lambda: [verify(vault, each, known) for each in every])
                print(f"    {sum(each.size for each in found) / 1e6:,.0f} MB read, "
                      f"{sum(each.problem is not None for each in found)} damaged")  # fmt: skip
            assert isinstance(moment, datetime)
        chosen = {"backup_id": later.manifest.backup_id}
        _, one = restored("restore of full and incremental, with files", top / "one", place, then, **chosen)
        _, two = restored("restore of a moment, with files", top / "two", place, then, at=moment)
        chosen = {"backup_id": logical.manifest.backup_id, "with_files": False}
        seconds, three = restored("restore of the logical one, without files", top / "three", place, now, **chosen)
        held, _ = timed("drill of the incremental one",
                        lambda: drill(settings_of(home), place, later.manifest.backup_id))  # fmt: skip
        print(f"    {held.tables} tables with {held.rows:,} rows, {held.searches} searches, {held.files:,} files read")
        different = [*one, *two, *three, *held.differences]
        print("\n".join(different) or "Everything is equal.")
        return met("seconds of a restore without files", seconds, MOST_RESTORE_SECONDS) and not different


def _database_bytes(made: Any) -> int:
    return sum(part.kept for name, part in made.manifest.parts.items() if name in ("base.tar", "database"))


def kills() -> bool:
    """A backup and a restore are killed with SIGKILL at ten moments each; what is whole stays whole."""
    good = True
    with own_server() as (home, _), tempfile.TemporaryDirectory(prefix="arcana-bench-") as folder:
        place, target = str(Path(folder) / "place"), Path(folder) / "restored"
        with closing(Database(settings_of(home))) as database:
            fill(database, 5_000, 40)
            first = create(database, place).manifest
            expected = sums(database)
            seconds = _arcana(home, "backup", "create", "--to", place)
            for number in range(MOMENTS):
                _arcana(home, "backup", "create", "--to", place, killed_after=seconds * (number + 0.5) / MOMENTS)
                with open_vault(place, database.settings) as vault:
                    every = list(manifest.all_of(vault))
                    good &= all(verify(vault, each, set()).problem is None for each in every)
            with open_vault(place, database.settings) as vault:
                done = prune(vault, 1, first.at)
                whole = set(manifest.all_ids(vault).values()) == {True}
                print(f"backups killed: {len(every)} whole, {done.files} files left by the others are gone")
                good &= whole
        command = ("restore", "--from", place, "--backup", first.backup_id)
        seconds = _arcana(target, *command)
        _remove(target)
        killed = refused = 0
        while killed < MOMENTS:
            after = seconds * (killed + 0.5) / MOMENTS
            took = _arcana(target, *command, killed_after=after)
            if took < after:  # it was through before, as the machine is less busy than it was
                seconds = took
                _remove(target)
                continue
            killed += 1
            said = "it had touched nothing"
            if target.exists():
                asked = subprocess.run(_command("db", "url"), env=_environment(target), capture_output=True, text=True)
                refused += asked.returncode == 2 and "interrupted" in asked.stderr
                good &= asked.returncode == 2 and "interrupted" in asked.stderr
                said = asked.stderr.strip()[:80]
            print(f"    killed after {after:.1f} s: {said}", flush=True)
        found: list[facts.Sums] = []
        restore(settings_of(target), place, first.backup_id, before_upgrade=lambda made: found.append(sums(made)))
        different = facts.differences(expected, found[0])
        print(
            f"restores killed: {refused} of {MOMENTS} had touched the home and were refused; the last one went through"
        )
        print("\n".join(different) or "and is equal.")
        _remove(target)
        return good and not different


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "arcana_pipelines.cli", *arguments]


def _environment(home: Path) -> dict[str, str]:
    given = {"ARCANA_HOME": str(home), "ENCRYPTION_KEY": KEY, "EMBEDDING_PROVIDER": "local-small"}
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **given}


def _arcana(home: Path, *arguments: str, killed_after: float | None = None) -> float:
    """Run a command, and end it with SIGKILL after so many seconds; returns its seconds."""
    started = time.monotonic()
    process = subprocess.Popen(
        _command(*arguments, "--json"),
        env=_environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said, _ = process.communicate(timeout=killed_after)
        if killed_after is None and process.returncode:
            raise SystemExit(json.loads(said)["error"])
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    return time.monotonic() - started


def _remove(home: Path) -> None:
    lease.release_lease(home)
    lease.wait_until_stopped(home)
    shutil.rmtree(home, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000, help="(%(default)s)")
    parser.add_argument("--files-mb", type=int, default=2_000, help="(%(default)s)")
    parser.add_argument("--kills", action="store_true", help="kill both at ten moments, and nothing else")
    given = parser.parse_args()
    print_machine()
    return 0 if (kills() if given.kills else figures(given.chunks, given.files_mb)) else 1


if __name__ == "__main__":
    sys.exit(main())
