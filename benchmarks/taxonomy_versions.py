"""A large taxonomy from version to version: `python benchmarks/taxonomy_versions.py` (two minutes).

30,931 nodes on four levels, topics of 100,000 documents; the next version renames 500 nodes, moves 100, splits 40 and
merges 80 into 40. It is promoted, rolled back, and promoted again while it is killed (`kill -9`) at seven places, after
which it must hold the same rows. A third version follows. Exit code 1: a target was missed, or an assignment is not
accounted for.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from index_build import installation, met
from machine import print_machine

from arcana_pipelines.db.engine import Database
from arcana_pipelines.taxonomy import carry, stored_versions, versions
from arcana_pipelines.taxonomy.nodes import GivenNode
from arcana_pipelines_tests.taxonomy.grown import Grown
from arcana_pipelines_tests.taxonomy.library import Library, assign_at_random, is_balanced

DOCUMENTS = 100_000
RENAMES, MOVES, SPLITS, MERGES = 500, 100, 40, 40
MOST_IMPORT, MOST_PROMOTION, MOST_HELD = 20, 60, 20  # seconds
KILLED_IN_BATCHES = (1, 6, 11, 16, 20)


def main() -> int:
    print_machine()
    with installation() as database:
        library = Library(database)
        grown = Grown()
        ok = [imported(library, list(grown.rows.values()), "1.0.0")]
        library.promote("1.0.0")
        assign_at_random(library, DOCUMENTS)
        print(f"{counted(library)} topics of {DOCUMENTS:,} documents")
        rows = grown.changed(RENAMES, MOVES, SPLITS, MERGES)
        ok.append(imported(library, rows, "1.1.0"))
        ok.append(promoted(library, "1.1.0"))
        whole = without_version(library, "1.1.0")
        before = without_version(library, "1.0.0")
        print(f"rollback: {timed(library.roll_back)[1]:.1f} s")
        ok.append(same("what was before, after the rollback", without_version(library, "1.0.0"), before))
        # The same draft under another name: its nodes have the same ids.
        library.draft(*rows, version="1.1.1")
        killed(database, library, "1.1.1")
        ok.append(promoted(library, "1.1.1"))
        ok.append(same("killed and run again", without_version(library, "1.1.1"), whole))
        third = Grown(rows={}, seed=1)
        third.rows = {row.node_id: without_origin(row) for row in rows if row.node_id is not None}
        ok.append(imported(library, third.changed(RENAMES, MOVES, 0, 0), "1.2.0"))
        ok.append(promoted(library, "1.2.0"))
        library.close()
    return 0 if all(ok) else 1


def imported(library: Library, rows: list[GivenNode], version: str) -> bool:
    report, seconds = timed(lambda: library.draft(*rows, version=version))
    print(f"\n## {version}: {report.nodes:,} nodes, {report.changes}, {len(report.missing)} missing\n")
    return met("seconds of the import", seconds, MOST_IMPORT)


def promoted(library: Library, version: str) -> bool:
    dry, seconds = timed(lambda: library.promote(version, dry_run=True))
    print(f"dry run: {seconds:.1f} s")
    held: list[float] = []
    finish = carry.finish

    def measured(connection: Any, way: carry.Way) -> carry.Carried:
        carried, seconds = timed(lambda: finish(connection, way))
        held.append(seconds)
        return carried

    carry.finish = measured
    report, seconds = timed(lambda: library.promote(version))
    carry.finish = finish
    print(
        f"{report.assignments:,} assignments of {report.documents:,} documents: {report.carried:,} carried, "
        f"{report.merged_into:,} merged, {report.queued:,} queued, {report.decided:,} decided, {report.ended:,} ended; "
        f"{report.after:,} after"
    )
    as_dry = (dry.carried, dry.merged_into, dry.queued, dry.decided, dry.ended, dry.after)
    told = (report.carried, report.merged_into, report.queued, report.decided, report.ended, report.after)
    return all(
        [
            met("seconds of the promotion", seconds, MOST_PROMOTION),
            met("seconds in which nobody else assigns topics", sum(held), MOST_HELD),
            same("assignments are accounted for", is_balanced(report), True),
            same("the dry run said so", as_dry, told),
        ]
    )


def killed(database: Database, library: Library, version: str) -> None:
    """A promotion that is killed in the middle of batches, later each time, and in the transaction that releases it."""
    for batch in (*KILLED_IN_BATCHES, None, None):
        child = os.fork()
        if child == 0:
            _die_in(Database(database.settings), library, version, batch)
        _, status = os.waitpid(child, 0)
        state = stored_versions.find_version(library.connection, library.workspace_id, version).state
        where = f"batch {batch}" if batch is not None else "the release"
        print(f"killed by {os.WTERMSIG(status)} in {where}: {counted(library, version)} rows, {state}")


def _die_in(database: Database, library: Library, version: str, batch: int | None) -> None:
    """Ends this process within the transaction of a batch, or within the one that releases the version."""
    real, done = carry.carry, 0

    def dying(connection: Any, way: carry.Way, documents: Any, *others: Any) -> carry.Carried:
        nonlocal done
        carried = real(connection, way, documents, *others)
        done += 1
        if done == batch or (batch is None and len(documents) > carry.DOCUMENTS_A_BATCH):
            os.kill(os.getpid(), signal.SIGKILL)
        return carried

    carry.carry = dying
    with database.connection() as connection:
        versions.promote(connection, library.workspace_id, version)
    os._exit(1)


def without_version(library: Library, version: str) -> list[tuple[Any, ...]]:
    return [tuple(value for value in row if value != version) for row in library.all_rows(version)]


def without_origin(row: GivenNode) -> GivenNode:
    return GivenNode(row.path, node_id=row.node_id, parent=row.parent)


def counted(library: Library, version: str | None = None) -> str:
    ((rows,),) = library.connection.execute(
        "SELECT count(*) FROM doc_taxonomy WHERE version = %s", [version or library.active()]
    ).fetchall()
    return f"{rows:,}"


def same(what: str, found: object, wanted: object) -> bool:
    ok = found == wanted
    print(f"{'met   ' if ok else 'MISSED'} {what}")
    return ok


def timed(act: Callable[[], Any]) -> tuple[Any, float]:
    began = time.monotonic()
    return act(), time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
