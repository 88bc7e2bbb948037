"""What is published is delivered to targets: everything once, then what differs, and nothing when nothing does."""

from __future__ import annotations

from pathlib import Path

import pytest

from arcana_pipelines.indexes import lifecycle
from arcana_pipelines.indexes.targets.delivery import Delivery, deliver
from arcana_pipelines.indexes.targets.registry import location_of, open_store
from arcana_pipelines.indexes.targets.targets import Target, add_target, pause, targets_of
from arcana_pipelines.testing.notion_server import NotionWorld
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness

LONG = "\n\n".join(f"Paragraph {number} about 휴가 규정 and the canteen, " + "word " * 80 for number in range(12))


@pytest.fixture
def world() -> NotionWorld:
    world = NotionWorld()
    for number in range(5):
        world.add_page(f"Page {number}", blocks=f"Everyone has {number} days of vacation.")
    world.long = world.add_page("Long", blocks=LONG)  # type: ignore[attr-defined]
    world.clock.advance(600)
    return world


class Copied:
    """A workspace with a target."""

    def __init__(self, harness: Harness, kind: str) -> None:
        self.harness = harness
        harness.sync()
        harness.settle()
        harness.sync()
        with harness.database.connection() as connection:
            workspace = workspaces.find(connection, harness.slug)
            self.workspace_id = workspace.workspace_id
            place = location_of(harness.database.settings, kind, Path(workspace.storage_path), None, kind)
            add_target(connection, self.workspace_id, kind, place, kind)

    @property
    def target(self) -> Target:
        with self.harness.database.connection() as connection:
            return targets_of(connection, self.workspace_id)[0]

    def deliver(self) -> Delivery:
        return deliver(self.harness.database, self.target, seconds=60)

    def published(self) -> int:
        with self.harness.database.connection() as connection:
            row = connection.execute("SELECT published_vectors FROM rag_indexes").fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture
def copied(acme: Harness) -> Copied:
    return Copied(acme, "sqlite")


def test_a_new_target_is_filled_and_proven(copied: Copied) -> None:
    done = copied.deliver()
    assert done.error is None and done.put == copied.published() > 6 and done.waiting == 0
    target = copied.target
    assert target.state == "live" and target.vector_count == copied.published() and target.object_count == 6
    assert target.verification is not None and target.verification["is_equal"]


def test_one_changed_word_is_one_row_more_and_one_less(copied: Copied) -> None:
    copied.deliver()
    with copied.harness.database.connection() as connection:
        pause(connection, copied.target, True)
    world = copied.harness.world
    world.edit_page(world.long, LONG.replace("Paragraph 5 about", "Paragraph five about"))  # type: ignore[attr-defined]
    copied.harness.sync()
    assert copied.target.waiting == 1 and copied.target.lag_seconds > 0
    assert copied.deliver() == Delivery("sqlite", waiting=1)
    with copied.harness.database.connection() as connection:
        pause(connection, copied.target, False)
    done = copied.deliver()
    assert (done.documents, done.put, done.taken, done.error) == (1, 1, 1, None)
    assert copied.deliver() == Delivery("sqlite")


def test_a_new_build_is_delivered_beside_the_old_one(copied: Copied) -> None:
    copied.deliver()
    with copied.harness.database.connection() as connection:
        lifecycle.rebuild_index(connection, copied.workspace_id, "default", promote=True)
    copied.harness.fill()
    target = copied.target
    assert target.state == "live"
    assert target.serving_build_id == target.active_build_id
    with open_store(copied.harness.database.settings, "sqlite", target.location) as store:
        assert store.version().startswith("SQLite")
