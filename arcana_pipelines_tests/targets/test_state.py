"""What operators are told of targets: by `arcana status`, the page, and `arcana doctor`."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from arcana_pipelines.errors import TargetUnreachable
from arcana_pipelines.indexes.targets import probe as probing
from arcana_pipelines.indexes.targets.probe import probe
from arcana_pipelines.indexes.targets.targets import Target, add_target, all_targets
from arcana_pipelines.operations.status import workspace_status
from arcana_pipelines.testing.notion_server import NotionWorld
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness


@pytest.fixture
def world() -> NotionWorld:
    world = NotionWorld()
    world.add_page("Canteen", blocks="The canteen has Kimchi. 식당에 김치가 있습니다.")
    world.clock.advance(600)
    return world


@pytest.fixture
def target(acme: Harness) -> Target:
    acme.sync()
    with acme.database.connection() as connection:
        place = workspaces.storage_path(acme.database.settings, "acme") / "targets" / "sqlite.sqlite"
        workspace_id = workspaces.find(connection, "acme").workspace_id
        return add_target(connection, workspace_id, "sqlite", str(place), "sqlite")


def now(harness: Harness) -> Target:
    with harness.database.connection() as connection:
        return all_targets(connection)[0]


def test_status_tells_targets_with_their_state_and_what_waits(acme: Harness, target: Target) -> None:
    def told() -> dict[str, object]:
        with acme.database.connection() as connection:
            (told,) = workspace_status(connection, workspaces.find(connection, "acme")).as_dict()["targets"]
        return told

    assert (told()["name"], told()["state"], told()["vector_count"]) == ("sqlite", "filling", 0)
    acme.sync()
    assert (told()["state"], told()["vector_count"], told()["waiting"], told()["parked"]) == ("live", 1, 0, 0)


def test_a_store_is_asked_who_it_is_and_none_is_made(acme: Harness, target: Target) -> None:
    settings = acme.database.settings
    (asked,) = probe(settings, [target], 3)
    assert asked.problem is None and "not made yet" in asked.said
    assert not Path(target.location).exists()
    acme.sync()
    (asked,) = probe(settings, [now(acme)], 3)
    assert asked.problem is None and asked.said.startswith("SQLite")
    Path(target.location).unlink()
    (asked,) = probe(settings, [now(acme)], 3)
    assert asked.problem is not None and "not there any more" in asked.problem
    assert not Path(target.location).exists()
    (asked,) = probe(settings, [replace(now(acme), is_paused=True)], 3)
    assert asked.problem is None and "paused" in asked.said


def test_stores_are_asked_at_once_and_one_that_hangs_is_not_waited_for(
    acme: Harness, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.sync()
    ours = probing.open_store

    def open_store(settings: object, kind: str, location: str) -> object:
        if location.startswith("http://slow"):
            time.sleep(4)
        if location.startswith("http://"):
            raise TargetUnreachable("http://down does not answer.")
        return ours(settings, kind, location)  # type: ignore[arg-type]

    monkeypatch.setattr(probing, "open_store", open_store)
    well = now(acme)
    asked = [replace(well, location="http://slow:1"), well, replace(well, location="http://down:1")]
    started = time.monotonic()
    slow, fine, down = probe(acme.database.settings, asked, 1)
    assert time.monotonic() - started < 3
    assert slow.problem == "http://slow:1 did not answer within 1 seconds."
    assert fine.problem is None and down.problem == "http://down does not answer."
