"""What every store of a target has to do (see `indexes.targets.protocol`)."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Protocol
from uuid import UUID

import numpy as np
import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import CollectionMissing, RowsRefused, TargetUnreachable
from arcana_pipelines.indexes.targets import embedded
from arcana_pipelines.indexes.targets.delivery import deliver, verify_target
from arcana_pipelines.indexes.targets.protocol import (
    Changes,
    Collection,
    Document,
    Found,
    Row,
    Store,
    Stored,
    Vector,
)
from arcana_pipelines.indexes.targets.registry import open_store
from arcana_pipelines.indexes.targets.targets import Target, add_target, drop_target, targets_of
from arcana_pipelines.indexes.targets.unwanted import drop_unwanted, due_places
from arcana_pipelines.settings import load_settings
from arcana_pipelines.testing.indexed_workspace import IndexedWorkspace
from arcana_pipelines.testing.notion_server import NotionWorld, serve
from arcana_pipelines.workspaces import workspaces

ONE, OTHER = "acme_default_b1_0a1b2c3d", "beta_default_b1_4e5f6a7b"
DIMENSIONS = 16
LEAST_COSINE = 0.9999
LEAST_RECALL = 0.98
# Who was overtaken says nothing more to a store after so long.
MOST_SECONDS = 30.0
# Rows that a process puts before it is killed, in changes of twenty.
_DELIVERING = """
import sys
from arcana_pipelines.indexes.targets.protocol import Changes
from arcana_pipelines.testing.conformance.targets import ONE, gone_of, opened, rows_of
with opened(sys.argv[1], sys.argv[2]) as store:
    for number in range(500):
        first = number * 20
        store.apply(ONE, Changes(rows=rows_of(1, range(first + 1, first + 21)), gone=gone_of(number)))
        print(number, flush=True)
"""


class Readable(Protocol):
    """What is asked of a store to prove and to search it; see `Store`."""

    def count(self, collection: str) -> int:
        """How many rows there are."""
        ...

    def scan(self, collection: str) -> Iterator[list[Stored]]:
        """All rows."""
        ...

    def vectors(self, collection: str, chunk_ids: Sequence[int]) -> Mapping[int, Vector]:
        """Those of some rows."""
        ...

    def nearest(self, collection: str, vector: Vector, limit: int) -> list[Found]:
        """The nearest rows."""
        ...


@dataclass(frozen=True, slots=True)
class Filled:
    """A store, and the rows that a collection of it has to have."""

    store: Readable
    collection: str
    rows: list[Row]


class Server(Protocol):
    """A server that is killed and started again, with what it had on its disk and at the same address."""

    def kill(self) -> None:
        """End it with SIGKILL."""
        ...

    def start(self) -> None:
        """Start it, and wait until it answers."""
        ...


class ReadingConformance:
    """Of what is filled by other ways than `Store.apply`, too: inherit and give the fixture `filled`."""

    @pytest.fixture
    def filled(self) -> Filled:
        """A collection with twenty rows at least."""
        raise NotImplementedError

    def test_rows_are_counted_exactly_and_listed_once_with_document_and_hash(self, filled: Filled) -> None:
        assert filled.store.count(filled.collection) == len(filled.rows) >= 20
        assert held(filled.store, filled.collection) == hashes(filled.rows)

    def test_vectors_are_those_that_were_put(self, filled: Filled) -> None:
        found = filled.store.vectors(filled.collection, [row.chunk_id for row in filled.rows])
        assert found.keys() == {row.chunk_id for row in filled.rows}
        assert all(cosine(found[row.chunk_id], row.vector) > LEAST_COSINE for row in filled.rows)
        assert filled.store.vectors(filled.collection, [0, 10**12]) == {}
        assert filled.store.vectors(filled.collection, []) == {}

    def test_the_nearest_come_first_with_their_cosine(self, filled: Filled) -> None:
        vectors = {row.chunk_id: row.vector for row in filled.rows}
        for row in filled.rows[:10]:
            found = filled.store.nearest(filled.collection, row.vector, 5)
            assert len({near.chunk_id for near in found}) == len(found) == 5
            assert found[0].nearness == pytest.approx(1, abs=1e-3)
            assert [near.nearness for near in found] == sorted((near.nearness for near in found), reverse=True)
            for near in found:
                assert near.nearness == pytest.approx(float(vectors[near.chunk_id] @ row.vector), abs=1e-3)

    def test_the_ten_nearest_are_found_as_by_comparing_all(self, filled: Filled) -> None:
        vectors = np.stack([row.vector for row in filled.rows])
        hits = 0
        probes = filled.rows[:40]
        for row in probes:
            cosines = vectors @ row.vector
            least = np.sort(cosines)[-10] - 1e-6
            ids = {filled.rows[place].chunk_id for place in np.flatnonzero(cosines >= least)}
            hits += sum(near.chunk_id in ids for near in filled.store.nearest(filled.collection, row.vector, 10))
        assert hits / (10 * len(probes)) >= LEAST_RECALL

    def test_all_are_found_where_more_are_wanted_than_there_are(self, filled: Filled) -> None:
        found = filled.store.nearest(filled.collection, filled.rows[0].vector, len(filled.rows) + 10)
        assert {near.chunk_id for near in found} == {row.chunk_id for row in filled.rows}


class TargetConformance(ReadingConformance):
    """Inherit and give the fixture `kind`; `location` if it is no path, and `broken` if it can be out of reach.

    `server` if it is one, and `wipe` if what it holds can be lost.
    """

    # How many rows it takes at once, at least. A document of as many chunks is delivered in one change.
    MOST: ClassVar[int] = 10_000

    @pytest.fixture
    def kind(self) -> str:
        """The name of the kind, as its registry has it."""
        raise NotImplementedError

    @pytest.fixture
    def location(self, tmp_path: Path) -> str:
        """Where there is nothing of it yet."""
        return str(tmp_path / "below" / "store")

    @pytest.fixture
    def broken(self) -> str:
        """A location where nothing usable answers."""
        pytest.skip("no location out of reach was given")

    @pytest.fixture
    def server(self) -> Server:
        """The server at `location`."""
        pytest.skip("it has no server")

    @pytest.fixture
    def wipe(self) -> Callable[[], None]:
        """Deletes all that the store holds behind our back; no one has it open."""
        pytest.skip("no way to wipe it was given")

    @pytest.fixture
    def filled(self, store: Store) -> Filled:
        """See `ReadingConformance`."""
        rows = rows_of(1, range(1, 301))
        store.apply(ONE, Changes(rows=rows))
        store.settle(ONE, len(rows))
        return Filled(store, ONE, rows)

    @pytest.fixture
    def store(self, kind: str, location: str) -> Iterator[Store]:
        with opened(kind, location) as store:
            store.make(Collection(ONE, DIMENSIONS, 0))
            yield store

    def test_it_says_who_it_is(self, kind: str, location: str) -> None:
        with opened(kind, location) as store:
            assert store.version()

    def test_an_empty_collection_holds_and_finds_nothing(self, store: Store) -> None:
        store.apply(ONE, Changes())
        store.settle(ONE, 0)
        assert held(store) == {}
        assert store.vectors(ONE, [1, 2]) == {} and store.nearest(ONE, vector_of(1), 5) == []

    def test_what_is_put_twice_is_there_once(self, store: Store) -> None:
        put = Changes(rows=rows_of(1, range(1, 31)), documents=[document_of(1, range(1, 31))])
        for _ in range(2):
            store.apply(ONE, put)
            assert held(store) == hashes(put.rows)

    def test_what_was_put_is_found_by_whoever_opens_it_next(self, store: Store, kind: str, location: str) -> None:
        store.apply(ONE, Changes(rows=rows_of(1, range(1, 31))))
        store.settle(ONE, 30)
        store.close()
        with opened(kind, location) as again:
            assert held(again) == hashes(rows_of(1, range(1, 31)))
            assert again.nearest(ONE, vector_of(7), 1)[0].chunk_id == 7

    def test_one_that_is_open_sees_what_another_puts_or_is_alone(
        self, store: Store, kind: str, location: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(embedded, "PATIENCE_SECONDS", 0.2)
        store.apply(ONE, Changes(rows=rows_of(1, [1])))
        with opened(kind, location) as reader:
            try:
                assert [found.chunk_id for found in reader.nearest(ONE, vector_of(1), 9)] == [1]
                store.apply(ONE, Changes(rows=rows_of(1, [2]), gone=[1]))
            except TargetUnreachable:
                # One process, or one who has it open, at a time: nobody sees anything old.
                return
            assert held(reader) == hashes(rows_of(1, [2]))
            assert [found.chunk_id for found in reader.nearest(ONE, vector_of(2), 9)] == [2]

    def test_a_document_that_shrinks_leaves_no_chunk_behind(self, store: Store) -> None:
        store.apply(ONE, Changes(rows=rows_of(1, range(1, 31)), documents=[document_of(1, range(1, 31))]))
        store.apply(ONE, Changes(rows=rows_of(2, [50])))
        store.apply(ONE, Changes(rows=rows_of(1, [31]), gone=range(3, 31), documents=[document_of(1, [1, 2, 31])]))
        assert held(store) == hashes(rows_of(1, [1, 2, 31])) | hashes(rows_of(2, [50]))

    def test_of_a_document_of_which_nobody_knows_what_is_there_only_the_rows_that_come_are_left(
        self, store: Store
    ) -> None:
        store.apply(ONE, Changes(rows=[*rows_of(1, range(1, 31)), *rows_of(2, [50])]))
        store.apply(ONE, Changes(rows=rows_of(1, [2, 31]), whole=[UUID(int=1)]))
        assert held(store) == hashes(rows_of(1, [2, 31])) | hashes(rows_of(2, [50]))
        store.apply(ONE, Changes(whole=[UUID(int=1), UUID(int=9)]))
        assert held(store) == hashes(rows_of(2, [50]))

    def test_a_document_is_removed_twice_and_comes_back(self, store: Store) -> None:
        put = Changes(rows=rows_of(1, [1, 2]), documents=[document_of(1, [1, 2])])
        removal = Changes(gone=[1, 2], removed=[UUID(int=1)])
        for changes, rows in ((put, 2), (removal, 0), (removal, 0), (put, 2)):
            store.apply(ONE, changes)
            assert store.count(ONE) == rows

    def test_an_older_state_that_comes_late_is_put_right_by_the_next(self, store: Store) -> None:
        older, newer = Changes(rows=rows_of(1, [1, 2])), Changes(rows=rows_of(1, [2, 3]), gone=[1])
        for changes in (older, newer, older):
            store.apply(ONE, changes)
        store.apply(ONE, Changes(rows=newer.rows, gone=newer.gone, whole=[UUID(int=1)]))
        assert held(store) == hashes(newer.rows)

    def test_a_row_that_is_put_again_is_as_it_was_put_last(self, store: Store) -> None:
        store.apply(ONE, Changes(rows=rows_of(1, [1])))
        vector = vector_of(99)
        store.apply(ONE, Changes(rows=[Row(1, UUID(int=2), "", "", None, (), None, "f" * 32, vector)]))
        assert held(store) == {1: (UUID(int=2), "f" * 32)}
        assert cosine(store.vectors(ONE, [1])[1], vector) > LEAST_COSINE
        assert [found.chunk_id for found in store.nearest(ONE, vector, 5)] == [1]
        assert store.nearest(ONE, vector, 1)[0].nearness == pytest.approx(1, abs=1e-3)

    @pytest.mark.parametrize(
        "text",
        ["가나다라 마바사 " * 3_000, "🐄🧑‍🤝‍🧑 한국어 e\u0301 \u202e", "", "'\"\\;--\n\t\x1b", "\ufffe\uffff"],
        ids=["64 KB", "emoji", "empty", "quotes", "no characters"],
    )
    def test_any_text_is_taken(self, store: Store, text: str) -> None:
        headings = (text[:200], "휴가")
        store.apply(
            ONE, Changes(rows=[Row(1, UUID(int=1), text[:2_000], "", text, headings, "ko", "a" * 32, vector_of(1))])
        )
        assert held(store) == {1: (UUID(int=1), "a" * 32)}
        store.apply(ONE, Changes(gone=[1]))
        assert held(store) == {}

    def test_a_null_byte_is_taken_or_refused(self, store: Store) -> None:
        """PostgreSQL has none, so none is delivered."""
        row = Row(1, UUID(int=1), "a\0b", "", "a\0b", ("a\0b",), None, "a" * 32, vector_of(1))
        try:
            store.apply(ONE, Changes(rows=[row]))
        except RowsRefused:
            assert held(store) == {}
        else:
            assert held(store) == hashes([row])

    @pytest.mark.parametrize("dimensions", [384, 1_536, 3_072])
    def test_vectors_of_every_size_come_back(self, store: Store, dimensions: int) -> None:
        rows = rows_of(1, range(1, 21), dimensions)
        store.make(Collection(ONE, dimensions, len(rows)))
        store.apply(ONE, Changes(rows=rows))
        store.settle(ONE, len(rows))
        found = store.vectors(ONE, [*range(1, 21), 77])
        assert found.keys() == set(range(1, 21))
        assert all(cosine(found[row.chunk_id], row.vector) > LEAST_COSINE for row in rows)
        assert store.nearest(ONE, rows[4].vector, 3)[0].chunk_id == 5

    def test_a_vector_of_another_size_is_refused_and_changes_nothing(self, store: Store) -> None:
        store.apply(ONE, Changes(rows=rows_of(1, [1])))
        for dimensions in (DIMENSIONS - 1, DIMENSIONS + 1):
            with pytest.raises(RowsRefused):
                store.apply(ONE, Changes(rows=rows_of(1, [2], dimensions)))
        assert held(store) == hashes(rows_of(1, [1]))

    def test_the_nearest_are_found_in_their_order(self, store: Store) -> None:
        rows = rows_of(1, range(1, 201))
        store.apply(ONE, Changes(rows=rows))
        store.settle(ONE, len(rows))
        for number in range(1_000, 1_005):
            question = vector_of(number)
            exact = sorted(((float(row.vector @ question), row.chunk_id) for row in rows), reverse=True)[:10]
            found = store.nearest(ONE, question, 10)
            assert [each.chunk_id for each in found] == [chunk for _, chunk in exact]
            assert [each.nearness for each in found] == pytest.approx([near for near, _ in exact], abs=1e-3)
        assert len(store.nearest(ONE, vector_of(1), 500)) == len(rows), "all, where more are asked for"

    @pytest.mark.slow
    def test_many_rows_at_once_are_all_there(self, store: Store) -> None:
        rows = rows_of(1, range(1, self.MOST + 1), 8)
        store.make(Collection(ONE, 8, len(rows)))
        store.apply(ONE, Changes(rows=rows))
        store.settle(ONE, len(rows))
        assert held(store) == hashes(rows)
        assert len(store.vectors(ONE, range(1, 2_001))) == min(2_000, self.MOST)
        store.apply(ONE, Changes(gone=range(2, self.MOST + 1)))
        assert held(store) == hashes(rows[:1])
        store.apply(ONE, Changes(rows=rows[:2_000]))
        store.apply(ONE, Changes(whole=[UUID(int=1)]))
        assert held(store) == {}

    def test_nothing_crosses_between_two_collections(self, store: Store) -> None:
        """The same documents and chunks, of two workspaces that share a store."""
        store.make(Collection(OTHER, DIMENSIONS, 0, workspace="beta"))
        for name, document in ((ONE, 1), (OTHER, 1)):
            store.apply(name, Changes(rows=rows_of(document, range(1, 6))))
        store.apply(OTHER, Changes(rows=rows_of(3, [60])))
        for changes in (
            Changes(gone=[1, 2]),
            Changes(rows=rows_of(1, [3]), whole=[UUID(int=1)]),
            Changes(gone=range(1, 6), removed=[UUID(int=1)]),
        ):
            store.apply(ONE, changes)
        both = hashes(rows_of(1, range(1, 6))) | hashes(rows_of(3, [60]))
        assert held(store) == {} and held(store, OTHER) == both
        assert store.nearest(ONE, vector_of(60), 5) == [] and store.vectors(ONE, [1, 60]) == {}
        store.make(Collection(ONE, DIMENSIONS, 0))
        store.drop(ONE)
        assert held(store, OTHER) == both

    def test_one_that_is_made_again_is_empty_and_may_have_another_size(self, store: Store) -> None:
        store.apply(ONE, Changes(rows=rows_of(1, range(1, 6)), documents=[document_of(1, range(1, 6))]))
        store.make(Collection(ONE, 24, 5))
        assert held(store) == {}
        store.apply(ONE, Changes(rows=rows_of(1, [1], 24), documents=[document_of(1, [1])]))
        assert held(store) == hashes(rows_of(1, [1]))

    def test_what_is_not_there_is_said_and_dropped_without_harm(self, store: Store) -> None:
        store.drop(ONE)
        store.drop(ONE)
        for ask in (
            lambda: store.count(ONE),
            lambda: list(store.scan(ONE)),
            lambda: store.vectors(ONE, [1]),
            lambda: store.nearest(ONE, vector_of(1), 1),
            lambda: store.apply(ONE, Changes(rows=rows_of(1, [1]))),
        ):
            with pytest.raises(CollectionMissing, match=ONE):
                ask()

    def test_the_name_of_what_serves_moves_and_changes_no_row(self, store: Store) -> None:
        store.make(Collection(OTHER, DIMENSIONS, 0))
        for name, chunk in ((ONE, 1), (OTHER, 2), (OTHER, 2), (ONE, 1)):
            store.apply(name, Changes(rows=rows_of(1, [chunk])))
            store.name_serving("acme_default", name)
        assert held(store) == hashes(rows_of(1, [1])) and held(store, OTHER) == hashes(rows_of(1, [2]))
        store.drop(ONE)
        store.name_serving("acme_default", OTHER)
        assert held(store, OTHER) == hashes(rows_of(1, [2]))

    @pytest.mark.slow
    def test_what_a_killed_process_had_done_is_there_and_the_rest_can_be_told_again(
        self, store: Store, kind: str, location: str
    ) -> None:
        store.close()
        command = [sys.executable, "-c", _DELIVERING, kind, location]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            # In the middle of the next change.
            done = [int(next(process.stdout)) for _ in range(4)][-1]
            process.kill()
            done = max([done, *map(int, process.stdout.read().split())])
        assert process.returncode == -signal.SIGKILL
        with opened(kind, location) as again:
            acknowledged = _left_after(done)
            left = held(again)
            whole = {**left, **hashes(rows_of(1, acknowledged))}
            assert acknowledged - set(left) <= set(range(done * 20 + 11, done * 20 + 21)), "but those that go next"
            assert set(left) <= acknowledged | set(range(done * 20 + 21, done * 20 + 41))
            assert whole == hashes(rows_of(1, whole))
            for number in (done + 1, done + 2):
                first = number * 20
                rows = rows_of(1, range(first + 1, first + 21))
                again.apply(ONE, Changes(rows=rows, gone=gone_of(number)))
            assert held(again) == hashes(rows_of(1, _left_after(done + 2)))
            assert again.nearest(ONE, vector_of(3), 1)[0].chunk_id == 3

    @pytest.mark.slow
    def test_what_a_killed_server_had_acknowledged_is_there_and_the_rest_can_be_told_again(
        self, server: Server, store: Store
    ) -> None:
        done = -1

        def deliver_on() -> None:
            nonlocal done
            until = time.monotonic() + MOST_SECONDS
            while time.monotonic() < until:
                store.apply(ONE, Changes(rows=_edit(done + 1), gone=[row.chunk_id for row in _edit(done)]))
                done += 1

        killing = threading.Timer(0.3, server.kill)
        killing.start()
        with pytest.raises(TargetUnreachable):
            deliver_on()
        killing.join()
        with pytest.raises(TargetUnreachable):
            store.count(ONE)
        server.start()
        left = held(store).items()
        # The last word may have been heard, and half carried out: new rows come first.
        assert hashes(_edit(done)).items() <= left or hashes(_edit(done + 1)).items() <= left
        store.apply(ONE, Changes(rows=_edit(done + 1), whole=[UUID(int=1)]))
        assert held(store) == hashes(_edit(done + 1))
        assert len(store.nearest(ONE, vector_of(3), 500)) == 100

    def test_one_that_was_wiped_is_filled_again(
        self, store: Store, kind: str, location: str, wipe: Callable[[], None]
    ) -> None:
        store.apply(ONE, Changes(rows=rows_of(1, range(1, 6))))
        store.close()
        wipe()
        with opened(kind, location) as again:
            with pytest.raises(CollectionMissing):
                again.count(ONE)
            again.make(Collection(ONE, DIMENSIONS, 5))
            again.apply(ONE, Changes(rows=rows_of(1, range(1, 6))))
            assert held(again) == hashes(rows_of(1, range(1, 6)))

    def test_one_out_of_reach_is_an_error_of_ours_that_names_it(self, kind: str, broken: str) -> None:
        asks: list[Callable[[Store], object]] = [
            lambda store: store.version(),
            lambda store: store.make(Collection(ONE, DIMENSIONS, 0)),
            lambda store: store.count(ONE),
            lambda store: store.apply(ONE, Changes(rows=rows_of(1, [1]))),
            lambda store: store.drop(ONE),
        ]
        started = time.monotonic()
        for ask in asks:
            with pytest.raises(TargetUnreachable, match=re.escape(broken)), opened(kind, broken) as store:
                ask(store)
        assert time.monotonic() - started < MOST_SECONDS

    def test_it_may_be_closed_twice(self, store: Store) -> None:
        store.close()
        store.close()


class DeliveryConformance:
    """Of a kind that is registered: inherit and give the fixtures `kind`, `location` and `wipe`.

    `arcana_index` and what it needs come from `arcana_pipelines.testing.fixtures`.
    """

    @pytest.fixture
    def kind(self) -> str:
        """Its name in the registry."""
        raise NotImplementedError

    @pytest.fixture
    def location(self) -> str:
        """Where it is: a path or an address, as a target's row says it."""
        raise NotImplementedError

    @pytest.fixture
    def wipe(self) -> Callable[[], None]:
        """Deletes all that the store has behind our back; no one has it open."""
        raise NotImplementedError

    def test_it_follows_what_is_published_and_comes_back_when_it_was_wiped(
        self, arcana_index: IndexedWorkspace, kind: str, location: str, wipe: Callable[[], None]
    ) -> None:
        target = added(arcana_index, kind, location)
        assert deliver(arcana_index.database, target, seconds=60).error is None
        assert_equal(arcana_index.database, target)
        world = arcana_index.world
        world.add_page("One more", blocks="There is a canteen. 식당이 있습니다.")
        world.trash(world.visible_pages()[0])
        world.clock.advance(600)
        arcana_index.sync()
        deliver(arcana_index.database, target, seconds=60)
        published = assert_equal(arcana_index.database, target)
        wipe()
        found = verify_target(arcana_index.database, target)
        assert found.parity is not None
        # It was filled again before it was compared, or found empty and filled then.
        assert found.delivery.put + found.repair.put == published
        assert assert_equal(arcana_index.database, target) == published

    def test_two_workspaces_share_a_store_and_one_that_leaves_takes_only_its_own(
        self, arcana_index: IndexedWorkspace, kind: str, location: str
    ) -> None:
        database = arcana_index.database
        world = NotionWorld()
        world.add_page("Theirs", blocks="It is nobody else's. 남의 것이 아닙니다.")
        world.clock.advance(600)
        with serve(world) as server:
            other = IndexedWorkspace.register(database, world, server, "other")
            settings = database.settings.model_copy(update={"notion_base_url": server.base_url})
            with closing(Database(settings)) as own:
                other = replace(other, database=own)
                other.sync()
                ours, theirs = added(arcana_index, kind, location), added(other, kind, location)
                for target in (ours, theirs):
                    assert deliver(database, target, seconds=60).error is None
                assert assert_equal(database, ours) > 1 and assert_equal(database, theirs) == 1
                with database.connection() as connection:
                    drop_target(connection, theirs)
                    places = due_places(connection)
                assert [drop_unwanted(database, place) for place in places] == [1]
                assert_equal(database, ours)


def added(index: IndexedWorkspace, kind: str, location: str) -> Target:
    """A new target of a workspace."""
    with index.database.connection() as connection:
        workspace_id = workspaces.find(connection, index.slug).workspace_id
        return add_target(connection, workspace_id, kind, location, kind)


def assert_equal(database: Database, target: Target) -> int:
    """It serves, and is proven equal; returns how many rows it has."""
    found = verify_target(database, target)
    assert found.parity is not None and found.parity.is_equal and not found.repair.put
    with database.connection() as connection:
        (now,) = targets_of(connection, target.workspace_id, target.name)
    assert (now.state, now.waiting, now.last_error) == ("live", 0, None)
    assert found.parity.count == now.vector_count > 0
    return now.vector_count


def opened(kind: str, location: str) -> AbstractContextManager[Store]:
    """The store at a location, as its registry opens it."""
    return open_store(load_settings(), kind, location)


def vector_of(number: int, dimensions: int = DIMENSIONS) -> Vector:
    """One at unit length, the same each time."""
    vector = np.random.default_rng(number).standard_normal(dimensions).astype(np.float32)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def rows_of(document: int, chunks: Iterable[int], dimensions: int = DIMENSIONS) -> list[Row]:
    """Rows of a document, each chunk with a text and a vector of its own."""
    return [
        Row(
            chunk_id=chunk,
            document_id=UUID(int=document),
            title="Leave",
            url="https://wiki.example/leave",
            text=f"Everyone has {chunk} days of 연차휴가.",
            heading_path=("Days", "휴가"),
            language="en",
            row_hash=f"{chunk:032x}",
            vector=vector_of(chunk, dimensions),
        )
        for chunk in chunks
    ]


def document_of(document: int, chunks: Iterable[int]) -> Document:
    """A document of these chunks."""
    return Document(
        document_id=UUID(int=document),
        external_id=f"page-{document}",
        kind="page",
        title="Leave",
        url="https://wiki.example/leave",
        path="1",
        version=1,
        published_at=datetime(2026, 1, 1, tzinfo=UTC),
        chunk_ids=tuple(chunks),
    )


def held(store: Readable, collection: str = ONE) -> dict[int, tuple[UUID | None, str]]:
    """Document and hash of each row as the store lists it; it lists none twice, and counts as many."""
    listed = [row for batch in store.scan(collection) for row in batch]
    rows = {row.chunk_id: (row.document_id, row.row_hash) for row in listed}
    assert len(rows) == len(listed) == store.count(collection)
    return rows


def hashes(rows: Sequence[Row]) -> dict[int, tuple[UUID | None, str]]:
    """What `held` is to be where these rows are there."""
    return {row.chunk_id: (row.document_id, row.row_hash) for row in rows}


def cosine(one: Vector, other: Vector) -> float:
    """Of two vectors."""
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def gone_of(change: int) -> range:
    """What a change of the process that is killed takes out: the last ten of the twenty rows before."""
    return range(max(1, change * 20 - 9), change * 20 + 1)


def _left_after(change: int) -> set[int]:
    """The rows that are there after that change of the process that is killed."""
    return set(range(1, change * 20 + 21)) - {chunk for each in range(change + 1) for chunk in gone_of(each)}


def _edit(number: int) -> list[Row]:
    """A document after so many edits, of which no chunk stays; none before the first."""
    return rows_of(1, range(number * 100 + 1, number * 100 + 101)) if number >= 0 else []
