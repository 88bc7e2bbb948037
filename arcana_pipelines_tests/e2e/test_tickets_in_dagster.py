"""Workspaces of ticket platforms in a real Dagster: its daemon, its code server, a process for each run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from arcana_pipelines.defs.config import sync_config
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.freshdesk_server import FreshdeskServer, seed_world
from arcana_pipelines_tests.conformance.conftest import PLUGIN, TICKETS
from arcana_pipelines_tests.e2e.conftest import Arcana
from arcana_pipelines_tests.e2e.test_guest import daemon, launch, until

# Daemon, code server and processes say once more what `defs/test_readers.py` and `freshdesk/` say in one process.
pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.long]

FAILURE, SUCCESS = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS


@pytest.fixture(autouse=True)
def dagster(arcana: Arcana, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance with Dagster's defaults but for telemetry, which loads our definitions."""
    home = tmp_path / "host"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\nnux:\n  enabled: false\n")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    arcana.environment["DAGSTER_HOME"] = str(home)
    (tmp_path / "workspace.yaml").write_text(
        "load_from:\n  - python_module:\n      module_name: arcana_pipelines.definitions\n      location_name: arcana\n"
    )


@pytest.fixture
def desk(arcana: Arcana, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of tickets of the workspace `desk`, in an installation with the plug-in that reads them."""
    monkeypatch.syspath_prepend(str(PLUGIN))
    arcana.clean["PYTHONPATH"] = os.pathsep.join([str(PLUGIN), arcana.clean.get("PYTHONPATH", "")])
    path = tmp_path / "tickets.json"
    path.write_text(json.dumps(TICKETS))
    arcana.json("workspace", "add", "desk", "--source", "ticket-desk", "--path", str(path))
    return path


@pytest.fixture
def freshdesk(arcana: Arcana) -> Iterator[FreshdeskServer]:
    """A help desk whose clock runs; the workspace `desk` reads it."""
    with FreshdeskServer(seed_world(12, real_time=True)) as server:
        arcana.environment |= {
            "FRESHDESK_DOMAIN": server.world.domain,
            "FRESHDESK_API_KEY": server.world.key,
            "FRESHDESK_BASE_URL": server.url,
        }
        arcana.json("workspace", "add", "desk", "--source", "freshdesk")
        yield server


def ended(instance: dg.DagsterInstance, job: str) -> Callable[[int], bool]:
    """Whether so many runs of the job are over."""
    runs = dg.RunsFilter(job_name=job, statuses=[FAILURE, SUCCESS])
    return lambda count: len(instance.get_runs(runs)) >= count


def looks(rows: Callable[..., list[tuple[Any, ...]]]) -> Callable[[int], bool]:
    """Whether the sensor has looked at the source, with an answer, so many times since this was called.

    Whoever asks lets it look again at its next tick, as a webhook does; by itself it would after 30 seconds.
    """
    seen: list[tuple[Any, ...]] = []

    def so_many(count: int) -> bool:
        seen.extend(rows("UPDATE workspace SET polled_at = NULL WHERE polled_at IS NOT NULL RETURNING slug"))
        return len(seen) >= count

    so_many(0)
    seen.clear()
    return so_many


def test_its_sensors_sync_it_a_change_is_seen_and_a_run_of_the_wrong_job_is_told_the_right_one(
    arcana: Arcana, tmp_path: Path, desk: Path
) -> None:
    with daemon(arcana, tmp_path) as log, dg.DagsterInstance.get() as instance:
        synced = ended(instance, "sync_tickets")
        until(lambda: synced(1), log)
        desk.write_text(json.dumps({key: ticket for key, ticket in TICKETS.items() if key != "T-2"}))
        until(lambda: synced(2), log)
        launch(arcana, tmp_path, "arcana", "sync_workspace", "--tags", '{"dagster/partition": "desk"}')
        until(lambda: ended(instance, "sync_workspace")(1), log)
        (refused,) = instance.get_runs(dg.RunsFilter(job_name="sync_workspace"))
        assert refused.status is FAILURE and refused.tags["arcana/read-by"] == "support_tickets"
        assert {run.status for run in instance.get_runs(dg.RunsFilter(job_name="sync_tickets"))} == {SUCCESS}
    assert arcana.json("status", "--check") == {"ok": True, "exit_code": 0, "causes": []}
    audited = arcana.json("sync", "desk", "--mode", "audit")
    assert (audited["pages"]["enumerated"], audited["pages"]["added"], audited["pages"]["updated"]) == (2, 0, 0)
    assert [hit["title"] for hit in arcana.json("search", "desk", "heating")["hits"]][:1] == ["No heating"]


def test_freshdesk_is_synced_looked_at_in_vain_synced_after_a_reply_and_audited(
    arcana: Arcana, tmp_path: Path, freshdesk: FreshdeskServer, rows: Callable[..., list[tuple[Any, ...]]]
) -> None:
    world = freshdesk.world
    with daemon(arcana, tmp_path) as log, dg.DagsterInstance.get() as instance:
        runs = dg.RunsFilter(job_name="sync_tickets")
        synced = ended(instance, "sync_tickets")
        until(lambda: synced(1), log)
        looked = looks(rows)
        until(lambda: looked(2), log, 240)
        quiet = len(instance.get_runs(runs))
        assert quiet <= 2, "what nobody touched is read once more at most"
        ticket = next(iter(world.tickets))
        world.reply(ticket, "The parcel with the turquoise umbrella is on its way. 우산을 보냈습니다.")
        until(lambda: looked(0) and len(instance.get_runs(runs)) > quiet and synced(quiet + 1), log, 240)
        config = json.dumps(sync_config(Mode.AUDIT, asset="support_tickets"))
        tags = '{"dagster/partition": "desk"}'
        launch(arcana, tmp_path, "arcana", "audit_tickets", "--tags", tags, "--config-json", config)
        until(lambda: ended(instance, "audit_tickets")(1), log, 240)
        until(lambda: {run.status for run in instance.get_runs()} == {SUCCESS}, log)
        assert instance.get_latest_materialization_event(dg.AssetKey("notion_pages")) is None
        event = instance.get_latest_materialization_event(dg.AssetKey("support_tickets"))
        assert event is not None and event.asset_materialization is not None
        shown = {name: value.value for name, value in event.asset_materialization.metadata.items()}
        assert (shown["mode"], shown["enumerated"], shown["removed"]) == ("audit", len(world.tickets), 0)
    assert arcana.json("status", "--check") == {"ok": True, "exit_code": 0, "causes": []}
    (hit, *_) = arcana.json("search", "desk", "turquoise umbrella")["hits"]
    assert hit["external_id"] == str(ticket)
    assert rows("SELECT count(*) FROM tickets WHERE removed_at IS NULL") == [(len(world.tickets),)]
