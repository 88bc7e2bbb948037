"""What every store of a target has to do (see `indexes.targets.protocol`)."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar
from uuid import UUID

import numpy as np
import pytest

from arcana_pipelines.errors import CollectionMissing, RowsRefused, TargetUnreachable
from arcana_pipelines.indexes.targets import embedded
from arcana_pipelines.indexes.targets.protocol import Changes, Collection, Document, Row, Store, Vector
from arcana_pipelines.indexes.targets.registry import open_store
from arcana_pipelines.settings import load_settings

ONE, OTHER = "acme_default_b1_0a1b2c3d", "beta_default_b1_4e5f6a7b"
DIMENSIONS = 16
LEAST_COSINE = 0.9999
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


class TargetConformance:
    """Inherit and give the fixture `kind`; `location` if it is no path, and `broken` if it can be out of reach."""

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

    def test_one_out_of_reach_is_an_error_of_ours_that_names_it(self, kind: str, broken: str) -> None:
        asks: list[Callable[[Store], object]] = [
            lambda store: store.version(),
            lambda store: store.make(Collection(ONE, DIMENSIONS, 0)),
            lambda store: store.count(ONE),
            lambda store: store.apply(ONE, Changes(rows=rows_of(1, [1]))),
            lambda store: store.drop(ONE),
        ]
        for ask in asks:
            with pytest.raises(TargetUnreachable, match=re.escape(broken)), opened(kind, broken) as store:
                ask(store)

    def test_it_may_be_closed_twice(self, store: Store) -> None:
        store.close()
        store.close()


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


def held(store: Store, collection: str = ONE) -> dict[int, tuple[UUID | None, str]]:
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
