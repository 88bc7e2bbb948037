"""Bounded concurrency: every item once, never more than the window, and an end whatever the consumer does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arcana_pipelines.net.in_flight import in_flight
from arcana_pipelines.net.workers import Abandoned, pause, worker_threads

THREADS = st.integers(1, 4)
WINDOWS = st.integers(1, 9)
# What becomes of an item: seconds it takes, or a failure.
FATES = st.lists(st.sampled_from([0.0, 0.0, 0.0005, None]), max_size=40)


def lived(fate: tuple[int, float | None]) -> int:
    number, seconds = fate
    if seconds is None:
        raise ValueError(number)
    time.sleep(seconds)
    return number


class Counted:
    """Items that know how many of them were taken and not given back yet."""

    def __init__(self, fates: list[float | None]) -> None:
        self.fates = fates
        self.out = self.most = 0

    def __iter__(self) -> Iterator[tuple[int, float | None]]:
        for fate in enumerate(self.fates):
            self.out += 1
            self.most = max(self.most, self.out)
            yield fate


@settings(max_examples=60)
@given(fates=FATES, threads=THREADS, window=WINDOWS)
def test_every_item_comes_back_once_with_its_own_call_and_never_more_than_the_window_are_out(fates, threads, window):
    items, seen = Counted(fates), []
    with ThreadPoolExecutor(threads) as pool:
        for (number, seconds), future in in_flight(pool, lived, items, window):
            assert future.done()
            if seconds is None:
                assert str(future.exception()) == str(number)
            else:
                assert future.result() == number
            seen.append(number)
            items.out -= 1
    assert sorted(seen) == list(range(len(fates)))
    assert items.most <= window


@settings(max_examples=60)
@given(fates=FATES, threads=THREADS, window=WINDOWS, stop=st.integers(0, 40))
def test_a_consumer_that_fails_cancels_what_has_not_begun(fates, threads, window, stop):
    begun: list[int] = []

    def noted(fate: tuple[int, float | None]) -> int:
        begun.append(fate[0])
        return lived(fate)

    items, seen = Counted(fates), 0
    with ThreadPoolExecutor(threads) as pool:
        with suppress(ZeroDivisionError), closing(in_flight(pool, noted, items, window)) as ended:
            for _ in ended:
                items.out -= 1
                if seen == stop:
                    raise ZeroDivisionError
                seen += 1
        behind = items.out
    # What ran in the end was taken before, and nothing was taken afterwards.
    assert items.out == behind <= window
    assert len(begun) == len(set(begun)) <= seen + 1 + window


def test_calls_that_have_not_begun_when_the_consumer_fails_never_begin():
    gate, begun = threading.Event(), []

    def held(number: int) -> None:
        begun.append(number)
        if number:
            gate.wait(10)

    with ThreadPoolExecutor(1) as pool:
        with suppress(ZeroDivisionError), closing(in_flight(pool, held, range(50), 20)) as ended:
            for _ in ended:
                raise ZeroDivisionError
        gate.set()
    assert begun in ([0], [0, 1]), "the second may have begun before the first was looked at"


@settings(max_examples=30)
@given(count=st.integers(1, 30), window=WINDOWS, room=st.integers(1, 5))
def test_none_waits_until_the_consumer_has_seen_a_call_end(count, window, room):
    out = most = 0

    def with_room() -> Iterator[int | None]:
        nonlocal out, most
        for number in range(count):
            while out >= room:
                yield None
            out += 1
            most = max(most, out)
            yield number

    seen = []
    with ThreadPoolExecutor(3) as pool:
        for number, _ in in_flight(pool, lambda number: number, with_room(), window):
            seen.append(number)
            out -= 1
    assert sorted(seen) == list(range(count))
    assert most <= min(room, window)


def test_none_with_nothing_under_way_is_the_end():
    with ThreadPoolExecutor(1) as pool:
        assert list(in_flight(pool, str, iter([None, 1]), 3)) == []


def test_an_interrupt_ends_the_calls_that_wait_and_begins_no_other():
    begun, ends = [], []

    def waits(number: int) -> None:
        begun.append(number)
        try:
            pause(60)
        except Abandoned:
            ends.append(number)
            raise

    def items() -> Iterator[int]:
        yield from range(2)
        while len(begun) < 2:
            time.sleep(0.001)
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), worker_threads(2, "test") as pool:
        list(in_flight(pool, waits, items(), 5))
    while len(ends) < 2 and time.monotonic() - started < 10:
        time.sleep(0.001)
    assert sorted(ends) == sorted(begun) == [0, 1]
    assert time.monotonic() - started < 10
