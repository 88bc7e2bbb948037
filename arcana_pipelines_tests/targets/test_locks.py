"""Publishes, promotions, removals and deliveries at once wait for each other in one order: never in a circle."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from uuid import UUID

import pytest

from arcana_pipelines.db.query import scalar
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.indexes import lifecycle, promotion
from arcana_pipelines.indexes.builds import builds_of
from arcana_pipelines.indexes.targets import delivery
from arcana_pipelines.indexes.targets.delivery import deliver, verify_target
from arcana_pipelines.indexes.targets.pgvector import publish
from arcana_pipelines.indexes.targets.registry import location_of
from arcana_pipelines.indexes.targets.targets import add_target, drop_target, pause, targets_of
from arcana_pipelines.pipeline import registration
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.targets.truth import differences

SECONDS = 8.0
PAGES = 30


class Crowd:
    """What many do to one index at once, and how often."""

    def __init__(self, acme: Harness) -> None:
        self.acme, self.database = acme, acme.database
        for number in range(PAGES):
            acme.world.add_page(f"Page {number}", blocks=f"Everyone has {number} days of vacation.")
        acme.settle()
        acme.sync()
        with self.database.connection() as connection:
            self.workspace_id: UUID = workspaces.find(connection, acme.slug).workspace_id
            for name in ("one", "two"):
                place = location_of(self.database.settings, "sqlite", acme.database.settings.home, None, name)
                add_target(connection, self.workspace_id, "sqlite", place, name)
            lifecycle.rebuild_index(connection, self.workspace_id, "default", promote=True)
        acme.fill()
        self.done: Counter[str] = Counter()

    def publish(self, third: int) -> None:
        """Publish every page of one third again, in both builds, in the order of their numbers or in the other one."""
        with self.database.own_connection() as connection:
            for build in builds_of(connection, self.workspace_id)[:: 1 if third else -1]:
                connection.execute(
                    "INSERT INTO content_stage (rag_index_build_id, document_content_id, chunk_ids) "
                    "SELECT s.rag_index_build_id, s.document_content_id, s.chunk_ids FROM published_document s "
                    "WHERE s.rag_index_build_id = %s AND abs(hashtext(s.document_id::text)) %% 3 = %s "
                    "ON CONFLICT DO NOTHING",
                    [build.rag_index_build_id, third],
                )
                documents = [
                    document
                    for (document,) in connection.execute(
                        "SELECT d.document_id FROM document d JOIN content_stage c "
                        "ON c.document_content_id = d.latest_content_id WHERE c.rag_index_build_id = %s",
                        [build.rag_index_build_id],
                    )
                ]
                publish._publish_ready(connection, build, documents)

    def promote(self) -> None:
        """The build that served before serves again."""
        with self.database.own_connection() as connection:
            builds = builds_of(connection, self.workspace_id)
            promotion.switch(connection, next(each for each in builds if each.state != "active"), "index.promoted")

    def remove(self) -> None:
        """One of the last third of the pages goes, while there are any."""
        with self.database.own_connection() as connection:
            one = (
                "SELECT document_id FROM document WHERE deleted_at IS NULL AND workspace_id = %s "
                "AND abs(hashtext(document_id::text)) %% 3 = 2 LIMIT 1"
            )
            connection.execute(
                f"UPDATE document SET deleted_at = now() WHERE document_id = ({one})",  # type: ignore[arg-type]
                [self.workspace_id],
            )
            for build in builds_of(connection, self.workspace_id):
                publish._take_out_removed(connection, build)
        time.sleep(0.2)

    def deliver(self, name: str) -> None:
        with self.database.connection() as connection:
            (target,) = targets_of(connection, self.workspace_id, name)
        done = deliver(self.database, target, seconds=30)
        assert done.error is None, done.error

    def verify(self) -> None:
        with self.database.connection() as connection:
            (target,) = targets_of(connection, self.workspace_id, "two")
        verify_target(self.database, target)

    def come_and_go(self) -> None:
        with self.database.connection() as connection:
            place = location_of(self.database.settings, "sqlite", self.database.settings.home, None, "three")
            target = add_target(connection, self.workspace_id, "sqlite", place, "three")
            pause(connection, target, True)
            drop_target(connection, target)


@pytest.mark.slow
def test_two_publishes_a_promotion_a_removal_and_deliveries_never_wait_in_a_circle(
    acme: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "BATCH", 5)
    monkeypatch.setattr(delivery, "DOCUMENTS", 5)
    crowd = Crowd(acme)
    failures: list[BaseException] = []
    until = time.monotonic() + SECONDS

    def go_on(name: str, work: Callable[[], None]) -> None:
        try:
            while time.monotonic() < until and not failures:
                work()
                crowd.done[name] += 1
        except BaseException as error:
            failures.append(error)

    works: dict[str, Callable[[], None]] = {
        "publish": lambda: crowd.publish(0),
        "publish beside": lambda: crowd.publish(1),
        "promote": crowd.promote,
        "remove": crowd.remove,
        "deliver": lambda: crowd.deliver("one"),
        "deliver beside": lambda: crowd.deliver("one"),
        "deliver to another": lambda: crowd.deliver("two"),
        "verify": crowd.verify,
        "add and drop": crowd.come_and_go,
    }
    threads = [threading.Thread(target=go_on, args=each) for each in works.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    assert set(crowd.done) == set(works), crowd.done
    print(f"in {SECONDS:.0f} s: {dict(crowd.done)}")
    with acme.superuser() as superuser:
        deadlocks = scalar(superuser, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    assert deadlocks == 0
    for name in ("one", "two"):
        for _ in range(2):
            crowd.deliver(name)
        with acme.database.connection() as connection:
            (target,) = targets_of(connection, crowd.workspace_id, name)
        assert differences(acme.database, target) == [] and target.state == "live"


def test_a_workspace_is_removed_beside_deliveries(acme: Harness) -> None:
    crowd = Crowd(acme)
    failures: list[BaseException] = []
    gone = threading.Event()

    def go_on(name: str) -> None:
        try:
            while not gone.is_set():
                with acme.database.connection() as connection:
                    found = targets_of(connection, crowd.workspace_id)
                    for target in found:
                        connection.execute(
                            "UPDATE target_collection SET state = 'filling', is_counted = false "
                            "WHERE index_target_id = %s",
                            [target.index_target_id],
                        )
                for target in found:
                    deliver(acme.database, target, seconds=5)
        except WrongUse:
            return
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=go_on, args=[name]) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    try:
        registration.remove(acme.database, acme.slug, lambda _: None)
    finally:
        gone.set()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
    assert acme.rows("SELECT count(*) FROM index_target") == [(0,)]
    assert acme.rows("SELECT count(*) FROM sync_operations") == [(0,)]
