"""Threads for a stage's requests, and waiting in them, which an interrupt of the run ends.

Ctrl-C and Dagster's "Terminate" reach the main thread alone. A process ends when its last thread has, and a thread may
be in the middle of a minute's pause, so everything that waits does it by `pause` or inside `ended_by_interrupt`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TypeVar

from arcana_pipelines.observing import context, traces

Given = TypeVar("Given")
Made = TypeVar("Made")


class Abandoned(BaseException):
    """What this thread does is needed no more. No page and no text failed: nothing may take it for an error."""


class _Interrupt:
    """Whether the threads of one pool are to end, and how to end what they wait for."""

    def __init__(self) -> None:
        self.came = threading.Event()
        self._lock = threading.Lock()
        self._ends: list[Callable[[], None]] = []

    def come(self) -> None:
        self.came.set()
        with self._lock:
            ends = list(self._ends)
        for end in ends:
            with suppress(OSError):
                end()

    @contextmanager
    def ends(self, end: Callable[[], None]) -> Iterator[None]:
        with self._lock:
            self._ends.append(end)
        try:
            if self.came.is_set():
                raise Abandoned
            yield
        finally:
            with self._lock:
                self._ends.remove(end)


_of_thread = threading.local()


@contextmanager
def worker_threads(count: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """A pool that is waited for when its work ends or fails, and told to end after an interrupt.

    What raises no `Exception` is an interrupt. The answers that its threads wait for are then needed no more.
    """
    interrupt = _Interrupt()
    adopts = context.carried(), traces.carried()

    def begin() -> None:
        _of_thread.interrupt = interrupt
        for adopt in adopts:
            adopt()

    pool = ThreadPoolExecutor(count, thread_name_prefix=name, initializer=begin)
    try:
        yield pool
    except Exception:
        pool.shutdown(cancel_futures=True)
        raise
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        interrupt.come()
        raise
    pool.shutdown()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pause(seconds: float) -> None:
    """Wait. With 0 seconds it is only seen whether there is a reason to go on.

    Raises:
        Abandoned: this thread belongs to a pool whose run was interrupted.
    """
    interrupt = getattr(_of_thread, "interrupt", None) or _Interrupt()
    if interrupt.came.wait(max(0.0, seconds)):
        raise Abandoned


@contextmanager
def ended_by_interrupt(end: Callable[[], None]) -> Iterator[None]:
    """Call `end`, from another thread, when an interrupt comes while this thread is inside.

    Raises:
        Abandoned: one has come already.
    """
    interrupt = getattr(_of_thread, "interrupt", None)
    if interrupt is None:
        yield
        return
    with interrupt.ends(end):
        yield


def on_each_core(make: Callable[[Given], Made], items: Sequence[Given], name: str) -> list[Made]:
    """What is made of each item, in their order, one a core at once; alone in the caller's thread."""
    threads = min(len(items), cores())
    if threads <= 1:
        return [make(item) for item in items]
    with worker_threads(threads, name) as pool:
        return list(pool.map(make, items))
