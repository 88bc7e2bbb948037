"""How long a tick of `source_changes` takes with 1,000 registered workspaces, and whether each gets its turn.

    python benchmarks/sensor_tick.py [--workspaces 1000] [--latency 0.05] [--hanging 50] [--revoked 50]

Every workspace is looked at over HTTP, at a stand-in server in a process of its own. In the first tick nothing
has changed; in the second, looks at `--hanging` workspaces get no answer; in the third a page was edited, so
that every workspace needs a sync. Exit code 1: a tick took 20 s or longer, or a workspace had to wait for more
ticks than ceil(workspaces / looks in a tick).
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from typing import Any

import dagster as dg
from machine import print_machine

from arcana_pipelines.cli.runs import run_sync
from arcana_pipelines.db import schema
from arcana_pipelines.db.engine import Database
from arcana_pipelines.defs.build import build_defs
from arcana_pipelines.defs.registration import register
from arcana_pipelines.defs.sensors import source_changes
from arcana_pipelines.settings import load_settings
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server.world.world import DEFAULT_TOKEN

LONGEST_TICK = 20.0

MORE_WORKSPACES = """
WITH copied AS (
    INSERT INTO workspace (company_id, slug, name, platform, credential_ref, credential_hash, source_workspace_id,
                           storage_path, generation, source_cursor)
    SELECT w.company_id, 'w' || n, 'w' || n, w.platform,
           CASE WHEN n <= %(revoked)s THEN 'REVOKED_TOKEN' ELSE w.credential_ref END,
           w.credential_hash, w.source_workspace_id, w.storage_path, w.generation, w.source_cursor
    FROM workspace w, generate_series(1, %(more)s) AS n
    RETURNING workspace_id
)
INSERT INTO source_page (workspace_id, external_id, kind, is_container, parent_kind, parent_external_id, title, url,
                         properties, revision, last_edited_at, fetched_revision, settled, metadata_hash, state,
                         seen_generation)
SELECT copied.workspace_id, external_id, kind, is_container, parent_kind, parent_external_id, title, url, properties,
       revision, last_edited_at, fetched_revision, true, metadata_hash, state, seen_generation
FROM source_page, copied
"""


def main() -> int:
    """Run and report; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workspaces", type=int, default=1000)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds an answer takes (%(default)s)")
    parser.add_argument("--hanging", type=int, default=50)
    parser.add_argument("--revoked", type=int, default=50)
    options = parser.parse_args()
    print_machine()
    logging.getLogger("arcana_pipelines").setLevel(logging.ERROR)  # not a line for each revoked token
    command = [sys.executable, "-m", "arcana_pipelines.testing.notion_server", "--pages", "20", "--rows", "5"]
    with tempfile.TemporaryDirectory() as home, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        os.environ.update(
            ARCANA_HOME=home, NOTION_REQUESTS_PER_MINUTE="0", NOTION_BASE_URL=url, NOTION_TOKEN=DEFAULT_TOKEN,
            REVOKED_TOKEN="ntn_revoked", EMBEDDING_PROVIDER="local-small",
        )  # fmt: skip
        database = Database(load_settings(), may_create=True)
        try:
            return 1 if measure(database, url, options) else 0
        finally:
            database.close()
            server.terminate()


def measure(database: Database, url: str, options: argparse.Namespace) -> list[str]:
    """Three rounds of ticks; returns the targets that were missed."""
    schema.upgrade(database)
    register(database, "w0", "notion", {}, "NOTION_TOKEN")
    run_sync(database, "w0", Mode.FULL)
    with database.connection() as connection:
        connection.execute(MORE_WORKSPACES, {"more": options.workspaces - 1, "revoked": options.revoked})
        connection.execute("UPDATE source_page SET settled = true")
    control(url, "latency", seconds=options.latency)
    missed: list[str] = []
    with dg.DagsterInstance.ephemeral() as instance:
        missed += rounds(database, instance, "nothing changed", options.workspaces)
        if options.hanging:
            fault = {"match": "search", "kind": "hang", "times": options.hanging, "seconds": 30}
            control(url, "add_fault", **fault)
            missed += rounds(database, instance, f"{options.hanging} hang", options.workspaces)
        page = control(url, "visible_pages")[0]
        control(url, "set_title", node_id=page, title="another title")
        missed += rounds(database, instance, "all changed", options.workspaces)
    for line in missed:
        print("MISSED:", line)
    return missed


def rounds(database: Database, instance: dg.DagsterInstance, what: str, workspaces: int) -> list[str]:
    """Tick until every workspace had its turn; each tick is reported."""
    with database.connection() as connection:
        connection.execute("UPDATE workspace SET polled_at = NULL, poll_after = NULL")
    missed, capacity, ticks, left = [], 0, 0, workspaces
    while left:
        started = time.monotonic()
        result = source_changes(dg.build_sensor_context(instance=instance, definitions=build_defs()))
        seconds = time.monotonic() - started
        ticks += 1
        with database.connection() as connection:
            row = connection.execute("SELECT count(*) FROM workspace WHERE polled_at IS NULL").fetchone()
        assert row is not None
        capacity, left = max(capacity, left - row[0]), row[0]
        requests = len(result.run_requests or []) if isinstance(result, dg.SensorResult) else 0
        print(f"{what}: tick {ticks} took {seconds:.1f} s, {left} left to look at, {requests} syncs asked for")
        if seconds >= LONGEST_TICK:
            missed.append(f"{what}: a tick of {seconds:.1f} s")
        if ticks > math.ceil(workspaces / max(1, capacity)):
            missed.append(f"{what}: {ticks} ticks although {capacity} fit into one")
            break
    return missed


def control(url: str, call: str, **args: Any) -> Any:
    """Tell the stand-in server what to do."""
    request = urllib.request.Request(f"{url}/_control", json.dumps({"call": call, "args": args}).encode())
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["result"]


if __name__ == "__main__":
    sys.exit(main())
