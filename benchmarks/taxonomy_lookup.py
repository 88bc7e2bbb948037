"""How long paths of topics take to find: `python benchmarks/taxonomy_lookup.py`.

    python benchmarks/taxonomy_lookup.py              # 31,531 nodes in each of three versions, about a minute
    python benchmarks/taxonomy_lookup.py --scale 0.1  # a tenth of the leaves: a look

Paths of all levels are asked one by one, none of them twice and nothing kept, as the operator and as a company; so are
batches of a thousand. Then 5,000 documents over 500 paths, 200 a batch, by a cache as syncs have it, and paths that are
no node's, whose error names what is near. Exit code 1: a target was missed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from index_build import installation, met, percentile
from machine import print_machine
from pydantic import SecretStr

from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.embedding.registry import model_of
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.pipeline import registration
from arcana_pipelines.taxonomy.labels import Path as Topic
from arcana_pipelines.taxonomy.lookup import TopicLookup, not_found
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.taxonomy.planted import large_tree, plant

MOST_MEAN_MS, MOST_P95_MS = 5.0, 10.0
MOST_NEAR_MS = 100.0
LEAST_HIT_RATE = 0.8
ASKED = 2000
LEAVES = 34  # below each of 900 nodes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="of the leaves (%(default)s)")
    given = parser.parse_args()
    print_machine()
    with installation() as database:
        index = IndexSettings.of_model(*model_of(database.settings))
        registration.register(database, "acme", "notion", index, lambda _: None, lambda _: None, company="Acme")
        with database.connection() as connection:
            workspace = workspaces.find(connection, "acme")
            nodes = large_tree((1, 30, 30, max(1, round((LEAVES - 1 / 3) * given.scale))))
            for version in ("1.0.0", "2.0.0", "3.0.0"):
                plant(connection, workspace.workspace_id, version, nodes)
            connection.execute("ANALYZE taxonomy_nodes")
        by_level = [[node.path for node in nodes if len(node.path) == level] for level in (1, 2, 3, 4)]
        print(f"{len(nodes):,} nodes in each of 3 versions")
        url = database.url.replace(f"{lease.WRITER}@", f"{lease.SERVER}@")
        settings = database.settings.model_copy(update={"database_url": SecretStr(url)})
        ok = True
        with closing(Database(settings, serves=True)) as served:
            for who, connection in _connections(database, served, workspace.company_id):
                ok &= _alone(who, connection, workspace.workspace_id, by_level)
                ok &= _in_batches(who, connection, workspace.workspace_id, by_level)
            with served.connection(company=workspace.company_id) as connection:
                ok &= _documents(connection, workspace.workspace_id, [node.path for node in nodes])
        with database.connection() as connection:
            ok &= _wrong(connection, workspace.workspace_id, by_level)
    return 0 if ok else 1


def _connections(database: Database, served: Database, company: UUID) -> Iterator[tuple[str, Connection]]:
    with database.connection() as connection:
        yield "as the operator", connection
    with served.connection(company=company) as connection:
        yield "as a company", connection


def _alone(who: str, connection: Connection, workspace_id: UUID, by_level: list[list[Topic]]) -> bool:
    """Each level as often as the others: the root is one path, and is asked as often as all leaves together."""
    ok = True
    chosen = random.Random(1)
    together: list[float] = []
    for level, paths in enumerate(by_level, 1):
        asked = [chosen.choice(paths) for _ in range(ASKED // len(by_level))]
        spent = [_ms(lambda path=path: TopicLookup().one(connection, workspace_id, path)) for path in asked]  # type: ignore[misc]
        together += spent
        print(f"       level {level}, {who}: mean {sum(spent) / len(spent):.2f} ms, p95 {percentile(spent, 95):.2f} ms")
    ok &= met(f"mean of a path that nobody asked before, {who}, ms", sum(together) / len(together), MOST_MEAN_MS)
    return ok & met(f"p95 of the same, {who}, ms", percentile(together, 95), MOST_P95_MS)


def _in_batches(who: str, connection: Connection, workspace_id: UUID, by_level: list[list[Topic]]) -> bool:
    every = [path for paths in by_level for path in paths]
    batches = [random.Random(number).sample(every, min(1000, len(every))) for number in range(20)]
    spent = [_ms(lambda batch=batch: TopicLookup().find(connection, workspace_id, batch)) for batch in batches]  # type: ignore[misc]
    print(f"       a batch of {len(batches[0]):,} paths, {who}: p50 {percentile(spent, 50):.1f} ms")
    return met(f"a path of such a batch, {who}, ms", percentile(spent, 95) / len(batches[0]), MOST_MEAN_MS)


def _documents(connection: Connection, workspace_id: UUID, paths: list[Topic]) -> bool:
    chosen = random.Random(2)
    known = chosen.sample(paths, 500)
    asked = [chosen.choice(known) for _ in range(5000)]
    lookup = TopicLookup()
    took = _ms(lambda: [lookup.find(connection, workspace_id, asked[at : at + 200]) for at in range(0, 5000, 200)])
    report = lookup.report()
    print(f"       5,000 documents over 500 paths: {took:.0f} ms, {report.misses} asked of the database")
    return met("share that was known without asking", report.hit_rate or 0.0, LEAST_HIT_RATE, at_least=True)


def _wrong(connection: Connection, workspace_id: UUID, by_level: list[list[Topic]]) -> bool:
    chosen = random.Random(3)
    slips = [
        (*path[:-1], f"{path[-1][:-1]}x{chosen.randrange(10)}")
        for path in (chosen.choice(chosen.choice(by_level)) for _ in range(50))
    ]
    spent = [_ms(lambda path=path: not_found(connection, workspace_id, "3.0.0", path)) for path in slips]  # type: ignore[misc]
    return met("p95 of the error of a path that is none, ms", percentile(spent, 95), MOST_NEAR_MS)


def _ms(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    sys.exit(main())
