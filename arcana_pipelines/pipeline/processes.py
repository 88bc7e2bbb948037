"""Computing in several processes at once: Python computes in one thread of a process at a time."""

from __future__ import annotations

import itertools
import logging
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from loky import ProcessPoolExecutor

Given = TypeVar("Given")
Made = TypeVar("Made")

log = logging.getLogger(__name__)

# So long batches are made here before other processes are started, which takes a third of a second.
ALONE_SECONDS = 1.0
# Each other process has one batch in hand, and one that it can go on with.
IN_HAND = 2
# After so long without work a process ends by itself: whoever started it may have been killed.
IDLE_SECONDS = 30


def made_in_processes(make: Callable[[Given], Made], batches: Iterable[Given], processes: int) -> Iterator[Made]:
    """What is made of each batch, in any order, by so many processes at once, this one among them.

    Few batches are made here alone. Of many, no more are in memory than the processes have in hand.

    Args:
        make: a function of a module. It, the batches and what it makes of them are pickled.
    """
    waiting, seconds = iter(batches), 0.0
    for batch in waiting:
        if processes > 1 and seconds > ALONE_SECONDS:
            with _others(processes - 1) as others:
                yield from _shared(make, itertools.chain([batch], waiting), others, IN_HAND * (processes - 1))
            return
        began = time.monotonic()
        made = make(batch)
        seconds += time.monotonic() - began
        yield made


def _shared(
    make: Callable[[Given], Made], waiting: Iterator[Given], others: ProcessPoolExecutor, most: int
) -> Iterator[Made]:
    from loky.process_executor import TerminatedWorkerError

    given: dict[Future[Made], Given] = {}
    while True:
        for batch in itertools.islice(waiting, most - len(given)):
            with without_interrupts():
                given[others.submit(make, batch)] = batch
        if not given:
            return
        if not any(each.done() for each in given):
            # Instead of waiting make one here; wait only where nothing else is left.
            own = [make(batch) for batch in itertools.islice(waiting, 1)]
            yield from own
            if not own:
                wait(given, return_when="FIRST_COMPLETED")
            continue
        for done in [each for each in given if each.done()]:
            batch = given.pop(done)
            try:
                made = done.result()
            except TerminatedWorkerError:
                log.warning("another process of this run was ended from outside (for want of memory?); going on alone")
                yield from map(make, itertools.chain([batch], given.values(), waiting))
                return
            yield made


@contextmanager
def _others(number: int) -> Iterator[ProcessPoolExecutor]:
    """Other processes, which end with the block."""
    from loky import ProcessPoolExecutor

    # They are started by `python -m`, which would let a file of the current directory go before any module.
    pool = ProcessPoolExecutor(number, timeout=IDLE_SECONDS, env={"PYTHONSAFEPATH": "1"})
    try:
        yield pool
    finally:
        pool.shutdown(kill_workers=True)


@contextmanager
def without_interrupts() -> Iterator[None]:
    """What is started within never hears of a Ctrl-C, from its first moment on: this process decides what ends."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
