"""Upgrades from each revision by the code of its own time: `python benchmarks/upgrades.py [--only 0031 --only 0044]`.

Needs the repository with its history. For each migration, the code of the last commit at which it was the newest makes
an installation of its own: it brings up the schema, registers the sample handbook, syncs it, and searches it all the
time, in a process of its own (`Searcher`, as a server does; there is one since 0008, and who searched before asks the
tables). Meanwhile this code upgrades that database to its newest revision, and then searches it itself. Told apart are
searches that were over before the new schema was there, and those of the old code that were not: an old server answers
until it is stopped where the releases between only added.

Exit code 1: a search failed before the new schema was there, or this code finds nothing where the old one found much.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from arcana_pipelines.db import schema
from arcana_pipelines.db.engine import Database
from arcana_pipelines.retrieval.searcher import Searcher
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.postgres import DatabaseServer, database_server

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = "arcana_pipelines/db/migrations/versions"
SLUG = "handbook"
QUESTIONS = ("swollen battery", "How many vacation days carry over?", "부풀어 오른 배터리")
AFTER_SECONDS = 2.0

# Run by the old code. A line for each search: when it was over, and what it found or how it failed.
_SEARCH = """
import itertools, json, sys, time
import psycopg
from arcana_pipelines.settings import load_settings
questions = {questions!r}
try:
    from arcana_pipelines.retrieval.searcher import Searcher
    searcher = Searcher("{slug}")
    def search(question):
        found = searcher.search(question, k=3)
        return [hit.title for hit in getattr(found, "hits", found)]
except (ImportError, TypeError):  # of another kind, before 0008
    connection = psycopg.connect({url!r}, autocommit=True)
    def search(question):
        return [title for (title,) in connection.execute(
            "SELECT DISTINCT p.title FROM rag_indexes JOIN document_chunk k ON true JOIN document_content USING "
            "(document_content_id) JOIN document d USING (document_id) JOIN source_page p USING (document_id) "
            "WHERE k.deleted_at IS NULL ORDER BY p.title LIMIT 3")]
search(questions[0])
print("ready", flush=True)
for question in itertools.cycle(questions):
    try:
        found, failure = search(question), None
    except Exception as error:
        found, failure = None, type(error).__name__ + ": " + str(error)[:300]
    print(json.dumps([time.time(), question, found, failure]), flush=True)
    if failure:
        time.sleep(0.05)
    time.sleep(0.02)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", help="a revision to begin at; may be repeated (default: all)")
    given = parser.parse_args()
    print("| from | searches | failed before the new schema | after it | of these failed | the same answers | s |")
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    is_met = True
    with database_server(f"upgrades-{os.getpid()}") as server:
        for revision, commit in _commits().items():
            if not given.only or revision in given.only:
                is_met &= _upgraded(server, revision, commit)
    return 0 if is_met else 1


def _commits() -> dict[str, str]:
    """The last commit at which each revision was the newest, in order; that of the newest is the one checked out."""
    newest: dict[str, str] = {}
    for commit in _git("log", "--reverse", "--format=%H", "--first-parent").split():
        there = _git("ls-tree", "--name-only", commit, f"{VERSIONS}/")
        revisions = [Path(name).name[:4] for name in there.splitlines() if Path(name).name[:1] == "0"]
        if revisions:
            newest[max(revisions)] = commit
    return {revision: newest[revision] for revision in sorted(newest) if revision < schema.newest_revision()}


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def _upgraded(server: DatabaseServer, revision: str, commit: str) -> bool:
    """Install as of this commit, upgrade under its searches, and print a line."""
    with tempfile.TemporaryDirectory() as folder, server.database(with_tables=False) as url:
        code, home = Path(folder) / "code", Path(folder) / "home"
        archive = subprocess.run(
            ["git", "archive", commit, "arcana_pipelines"], cwd=ROOT, capture_output=True, check=True
        )
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(code, filter="data")
        kept = {name: os.environ[name] for name in ("PATH", "HOME")}
        environment = {
            **kept, "PYTHONPATH": str(code), "DATABASE_URL": url, "ARCANA_HOME": str(home), "PYTHONWARNINGS": "ignore",
            "EMBEDDING_PROVIDER": "local" if revision < "0020" else "local-small",
        }  # fmt: skip
        cli = [sys.executable, "-m", "arcana_pipelines.cli"]
        sample = code / "arcana_pipelines/demo/handbook"
        for command in (
            ["db", "upgrade"],
            ["workspace", "add", SLUG, "--source", "notion-export", "--path", str(sample)],
            ["sync", SLUG],
        ):
            done = subprocess.run([*cli, *command], env=environment, cwd=folder, capture_output=True, text=True)
            if done.returncode:
                print(f"| {revision} | not installed: {' '.join(done.stderr.split())[-300:]} |", flush=True)
                return False
        searching = subprocess.Popen(
            [sys.executable, "-c", _SEARCH.format(questions=QUESTIONS, slug=SLUG, url=url)],
            env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert searching.stdout is not None and searching.stderr is not None
            if searching.stdout.readline().strip() != "ready":
                print(f"| {revision} | did not search: {searching.stderr.read()[-300:]} |", flush=True)
                return False
            return _upgrade(Database(Settings(database_url=url, arcana_home=home)), revision, searching)
        finally:
            searching.kill()
            searching.wait()


def _upgrade(database: Database, revision: str, searching: subprocess.Popen[str]) -> bool:
    said: list[list[Any]] = []

    def read() -> None:
        assert searching.stdout is not None
        said.extend(json.loads(line) for line in searching.stdout)

    reading = threading.Thread(target=read)
    reading.start()
    time.sleep(1.0)  # some before
    begun = time.monotonic()
    upgrading = threading.Thread(target=schema.upgrade, args=[database])
    upgrading.start()
    with database.own_connection() as connection:
        statement = "SELECT version_num FROM alembic_version"
        while connection.execute(statement).fetchone() == (revision,) and upgrading.is_alive():
            ended = time.time()
            time.sleep(0.005)
    upgrading.join()
    seconds = time.monotonic() - begun
    time.sleep(AFTER_SECONDS)
    searching.kill()
    reading.join()
    before = [each for each in said if each[0] < ended]
    after = [each for each in said if each[0] >= ended]
    failed = [[error for *_, error in part if error] for part in (before, after)]
    is_same = _same(database, before)
    database.close()
    why = f" ({failed[0][0] if failed[0] else failed[1][0]})" if any(failed) else ""
    print(
        f"| {revision} | {len(before)} | {len(failed[0])} | {len(after)} | {len(failed[1])}{why} | {is_same} | "
        f"{seconds:.1f} |", flush=True,
    )  # fmt: skip
    return not failed[0] and is_same != "no"


def _same(database: Database, before: list[list[Any]]) -> str:
    """Whether this code's first answers are the old code's; older ones cut and ranked otherwise."""
    first = {question: found[0] for _, question, found, _ in before if found}
    with Searcher(SLUG, settings=database.settings) as searcher:
        for question, title in first.items():
            hits = searcher.search(question, k=3).hits
            if not hits:
                return "no"
            if hits[0].title != title:
                return "another first hit"
    return "yes"


if __name__ == "__main__":
    sys.exit(main())
