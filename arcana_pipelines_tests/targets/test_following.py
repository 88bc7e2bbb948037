"""What is published reaches targets by itself: at the end of a sync, between syncs, and while a sync still reads."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from arcana_pipelines.indexes.targets import delivery
from arcana_pipelines.indexes.targets.registry import kinds, location_of
from arcana_pipelines.indexes.targets.targets import Target, add_target, drop_target, pause, seen, targets_of
from arcana_pipelines.pipeline import targets as stage
from arcana_pipelines.pipeline.targets import compare_all, deliver_all, follow_once
from arcana_pipelines.testing.notion_server import NotionWorld
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.lease import locked
from arcana_pipelines_tests.harness import Harness


@pytest.fixture
def world() -> NotionWorld:
    world = NotionWorld()
    for number in range(3):
        world.add_page(f"Page {number}", blocks=f"Everyone has {number} days of vacation. 휴가는 {number}일입니다.")
    world.clock.advance(600)
    return world


class Synced:
    """A synced workspace, and targets of it that are added."""

    def __init__(self, harness: Harness) -> None:
        self.harness, self.database = harness, harness.database
        harness.sync()
        with self.database.connection() as connection:
            self.workspace = workspaces.find(connection, harness.slug)

    def add(self, name: str, location: str | None = None, kind: str = "sqlite") -> Target:
        directory = workspaces.storage_path(self.database.settings, self.workspace.slug)
        place = location_of(self.database.settings, kind, directory, location, name)
        with self.database.connection() as connection:
            return add_target(connection, self.workspace.workspace_id, kind, place, name)

    def target(self, name: str) -> Target:
        with self.database.connection() as connection:
            return targets_of(connection, self.workspace.workspace_id, name)[0]

    def drop(self, name: str) -> None:
        with self.database.connection() as connection:
            drop_target(connection, self.target(name))

    def change(self) -> None:
        """Another page, published while the targets hear nothing of it."""
        for target in ("one", "other"):
            with self.database.connection() as connection:
                pause(connection, self.target(target), True)
        self.harness.world.add_page("News", blocks="The canteen has Kimchi.")
        self.harness.settle()
        self.harness.sync()
        for target in ("one", "other"):
            with self.database.connection() as connection:
                pause(connection, self.target(target), False)

    def unwanted(self) -> list[tuple[int, bool]]:
        """Failures of the collections that are still to be dropped, and whether they wait."""
        return self.harness.rows("SELECT failures, next_attempt_at > now() FROM unwanted_collection")


@pytest.fixture
def synced(acme: Harness) -> Synced:
    return Synced(acme)


def test_a_sync_delivers_and_lets_the_workspace_go_before_that(synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
    synced.add("one")
    held: list[set[str]] = []
    ours = delivery.Delivering.deliver

    def deliver(self: delivery.Delivering, until: float) -> None:
        with synced.database.connection() as connection:
            held.append(locked(connection))
        ours(self, until)

    monkeypatch.setattr(delivery.Delivering, "deliver", deliver)
    synced.harness.sync()
    assert held == [set()], "no other run waits for a store"
    assert synced.target("one").state == "live" and synced.target("one").lag_seconds == 0


def test_where_nothing_waits_no_store_is_opened(synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
    synced.add("one")
    deliver_all(synced.database, synced.workspace.workspace_id)

    def opened(*_: object) -> None:
        raise AssertionError("a store was opened")

    monkeypatch.setattr(delivery, "open_store", opened)
    report = deliver_all(synced.database, synced.workspace.workspace_id)
    assert report.deliveries == [] and [target.name for target in report.targets] == ["one"] and not report.problems
    assert follow_once(synced.database).due == 0


def test_who_follows_delivers_what_was_published_and_one_that_hangs_holds_no_other(
    synced: Synced, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced.add("one")
    synced.add("other")
    assert {each.error for each in follow_once(synced.database).deliveries} == {None}
    synced.change()
    assert synced.target("one").waiting == synced.target("other").waiting == 1
    hangs, ours = threading.Event(), delivery.Delivering.deliver

    def deliver(self: delivery.Delivering, until: float) -> None:
        if self.target.name == "one":
            hangs.wait(20)
        ours(self, until)

    monkeypatch.setattr(delivery.Delivering, "deliver", deliver)
    started = time.monotonic()
    assert [each.target for each in follow_once(synced.database, seconds=1).deliveries] == ["other"]
    assert time.monotonic() - started < 5
    assert synced.target("other").waiting == 0 and synced.target("one").waiting == 1
    again = follow_once(synced.database, seconds=1).deliveries
    assert [each.target for each in again] == ["one"] and "Another process is delivering" in str(again[0].error)
    hangs.set()
    until = time.monotonic() + 10
    while synced.target("one").waiting and time.monotonic() < until:
        follow_once(synced.database, seconds=1)
    assert synced.target("one").waiting == 0 and synced.target("one").failures == 0


def test_a_target_that_fails_waits_longer_each_time_and_is_told(synced: Synced, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    synced.add("one", str(tmp_path / "file" / "index.sqlite"))
    report = deliver_all(synced.database, synced.workspace.workspace_id)
    assert list(report.problems) == ["one"]
    target = synced.target("one")
    assert target.failures == 1 and target.next_attempt_at is not None and target.last_error
    assert follow_once(synced.database).due == 0, "it is not tried before its time"


def test_a_target_is_late_after_five_minutes(synced: Synced) -> None:
    synced.add("one")
    synced.add("other")
    follow_once(synced.database)
    synced.change()
    with synced.database.connection() as connection:
        connection.execute("UPDATE sync_operations SET since = now() - interval '6 minutes'")
    assert stage.is_late(synced.target("one"))
    with synced.database.connection() as connection:
        pause(connection, synced.target("one"), True)
    assert not stage.is_late(synced.target("one")), "somebody wants it so"


def test_a_comparison_says_what_it_found_and_up_to_which_publish(synced: Synced) -> None:
    synced.add("one")
    follow_once(synced.database)
    ((seq,),) = synced.harness.rows("SELECT publish_seq FROM rag_indexes")
    (compared,) = compare_all(synced.database, "acme")
    assert compared.is_well and compared.parity is not None
    assert compared.parity.publish_seq == seq and compared.parity.published == compared.parity.count > 0


@pytest.mark.parametrize("kind", kinds())
def test_what_a_dropped_target_had_goes_with_its_file(synced: Synced, kind: str) -> None:
    target = synced.add("one", kind=kind)
    follow_once(synced.database)
    assert Path(target.location).exists()
    synced.drop("one")
    assert synced.unwanted() == [(0, None)]
    assert follow_once(synced.database).dropped == 1
    assert synced.unwanted() == [] and not list(Path(target.location).parent.iterdir())


def test_a_place_that_somebody_chose_is_emptied_and_stays(synced: Synced, tmp_path: Path) -> None:
    target = synced.add("one", str(tmp_path / "index.sqlite"))
    follow_once(synced.database)
    synced.drop("one")
    assert follow_once(synced.database).dropped == 1
    assert Path(target.location).exists()


def test_a_place_that_another_target_has_by_now_stays(synced: Synced) -> None:
    synced.add("one")
    follow_once(synced.database)
    synced.drop("one")
    target = synced.add("one")
    follow_once(synced.database)
    assert synced.unwanted() == [] and Path(target.location).exists()
    follow_once(synced.database)
    (compared,) = compare_all(synced.database, "acme")
    assert compared.is_well


def test_collections_of_a_store_that_is_gone_are_gone(synced: Synced) -> None:
    target = synced.add("one")
    follow_once(synced.database)
    synced.drop("one")
    Path(target.location).unlink()
    assert follow_once(synced.database).dropped == 1
    assert synced.unwanted() == []


def test_a_store_that_does_not_drop_is_asked_again_later(synced: Synced) -> None:
    target = synced.add("one")
    follow_once(synced.database)
    synced.drop("one")
    Path(target.location).write_text("This is no SQLite file. " * 100)
    assert follow_once(synced.database).dropped == 0
    assert synced.unwanted() == [(1, True)]
    assert follow_once(synced.database).dropped == 0 and synced.unwanted() == [(1, True)]


def test_a_store_that_was_deleted_is_seen_at_once_and_filled_again_without_another_publish(synced: Synced) -> None:
    place = Path(synced.add("one").location)
    assert follow_once(synced.database).due == 1
    assert follow_once(synced.database).due == 0
    before = synced.target("one").vector_count
    place.unlink()
    (told,) = seen([synced.target("one")])
    assert told.last_error == f"{place} is not there any more. It is filled again by itself."
    (filled,) = follow_once(synced.database).deliveries
    assert (filled.error, filled.put) == (None, before)
    assert place.exists() and seen([synced.target("one")])[0].last_error is None
    assert follow_once(synced.database).due == 0
