"""`kill -9` in the middle of a promotion or a rollback: run again, it ends where an uninterrupted one would."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.taxonomy import carry, versions
from arcana_pipelines_tests.pipeline.world_machine import WatchedDatabase, end_if_it_hangs
from arcana_pipelines_tests.taxonomy.grown import Grown
from arcana_pipelines_tests.taxonomy.library import Library, assign_at_random, is_balanced

LEVELS, DOCUMENTS, BATCH = (1, 3, 9, 60), 60, 10


@pytest.fixture
def library(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    monkeypatch.setattr(carry, "DOCUMENTS_A_BATCH", BATCH)
    with closing(Library(database)) as library:
        yield library


def killed(library: Library, database: Database, work: Callable[[Connection], object], where: str) -> None:
    """Work in a process of its own, killed right after a commit or right before one."""
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            end_if_it_hangs()
            dying = WatchedDatabase(database.settings)
            if where == "after a commit":
                dying.watch = _die
            else:
                real = carry.carry

                def unfinished(*given: Any, **named: Any) -> carry.Carried:
                    carried = real(*given, **named)
                    if carried.written or (where == "before the release" and len(given[2]) == DOCUMENTS):
                        _die()
                    return carried

                carry.carry = unfinished
            with dying.connection() as connection:
                work(connection)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def rows(library: Library, version: str) -> list[tuple[Any, ...]]:
    return [tuple(value for value in row if value != version) for row in library.all_rows(version)]


def prepared(library: Library) -> list[tuple[Any, ...]]:
    """Topics in 1.0.0; the same next version as 2.0.0 and 3.0.0; the rows that 2.0.0 gets when nobody is in the way."""
    grown = Grown(LEVELS)
    library.release(*grown.rows.values())
    assign_at_random(library, DOCUMENTS)
    library.connection.execute(
        "INSERT INTO taxonomy_decision (doc_id, node_id, workspace_id, verdict, decided_by) "
        "SELECT doc_id, node_id, workspace_id, (ARRAY['accepted', 'rejected'])[1 + lft % 2], 'user:kim' "
        "FROM doc_taxonomy WHERE lft % 5 < 2"
    )
    said = library.connection.execute("SELECT * FROM taxonomy_decision").fetchall()
    changed = grown.changed(renames=8, moves=6, splits=6, merges=6)
    changed.remove(next(row for row in reversed(changed) if not row.replaces))
    for version in ("2.0.0", "3.0.0"):
        library.draft(*changed, version=version)
    report = library.promote("2.0.0", retire_missing=True)
    assert is_balanced(report) and min(report.carried, report.merged_into, report.queued) > 0
    whole = rows(library, "2.0.0")
    library.roll_back()
    library.connection.execute(
        "DELETE FROM taxonomy_decision WHERE NOT (doc_id, node_id) IN (SELECT * FROM unnest(%s::uuid[], %s::uuid[]))",
        [[row[0] for row in said], [row[1] for row in said]],
    )
    return whole


@pytest.mark.slow
def test_a_promotion_that_is_killed_at_any_commit_ends_as_if_it_had_not_been(
    library: Library, database: Database
) -> None:
    whole = prepared(library)
    kills = 0
    while library.active() != "3.0.0":
        killed(library, database, lambda connection: promote(connection, library), "after a commit")
        kills += 1
    assert kills == DOCUMENTS // BATCH + 1
    assert rows(library, "3.0.0") == whole


@pytest.mark.slow
@pytest.mark.parametrize("where", ["within a batch", "before the release"])
def test_a_promotion_that_is_killed_before_a_commit_ends_as_if_it_had_not_been(
    library: Library, database: Database, where: str
) -> None:
    whole = prepared(library)
    for _ in range(2):
        if where == "before the release":
            way = carry.forward(library.connection, library.workspace_id, "1.0.0", "3.0.0", None)
            carry.carry_ahead(library.connection, way)
        killed(library, database, lambda connection: promote(connection, library), where)
        assert library.active() == "1.0.0"
    library.promote("3.0.0", retire_missing=True)
    assert rows(library, "3.0.0") == whole


@pytest.mark.slow
def test_a_rollback_that_is_killed_at_any_commit_ends_as_if_it_had_not_been(
    library: Library, database: Database
) -> None:
    prepared(library)
    before = rows(library, "1.0.0")
    library.promote("3.0.0", retire_missing=True)
    # What is assigned meanwhile: to documents of several batches.
    library.connection.execute(
        "UPDATE doc_taxonomy SET origin = 'person', reason = NULL, created_at = now() WHERE version = '3.0.0'"
    )
    while library.active() != "1.0.0":
        killed(
            library, database, lambda connection: versions.roll_back(connection, library.workspace_id), "after a commit"
        )
    after = rows(library, "1.0.0")
    assert after != before
    library.promote("3.0.0", retire_missing=True)
    library.roll_back()
    assert rows(library, "1.0.0") == after


def promote(connection: Connection, library: Library) -> object:
    return versions.promote(connection, library.workspace_id, "3.0.0", retire_missing=True)
