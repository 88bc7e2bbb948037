"""What is asked for one after the other comes in order, the next while the one before is worked on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from arcana_pipelines.net import workers
from arcana_pipelines.net.one_ahead import one_ahead


def test_the_next_item_is_made_while_the_one_before_is_worked_on() -> None:
    is_asked = [threading.Event() for _ in range(4)]

    def answers() -> Iterator[int]:
        for number in range(3):
            is_asked[number].set()
            yield number
        is_asked[3].set()

    seen = []
    for number in one_ahead(answers()):
        assert is_asked[number + 1].wait(10)
        seen.append(number)
    assert seen == [0, 1, 2]


def test_no_more_than_one_is_made_ahead() -> None:
    made = []

    def answers() -> Iterator[int]:
        for number in range(5):
            made.append(number)
            yield number

    with closing(one_ahead(answers())) as items:
        assert next(items) == 0
    assert made in ([0], [0, 1])


def test_what_goes_wrong_is_raised_behind_what_came_before() -> None:
    def answers() -> Iterator[int]:
        yield 1
        raise ValueError("no luck")

    items = one_ahead(answers())
    assert next(items) == 1
    with pytest.raises(ValueError, match="no luck"):
        next(items)


def test_who_stops_ends_what_the_thread_waits_for() -> None:
    is_waiting, is_over = threading.Event(), threading.Event()

    def answers() -> Iterator[int]:
        yield 1
        is_waiting.set()
        try:
            workers.pause(600)
        finally:
            is_over.set()
        yield 2

    with closing(one_ahead(answers())) as items:
        next(items)
        assert is_waiting.wait(10)
    assert is_over.wait(10)
