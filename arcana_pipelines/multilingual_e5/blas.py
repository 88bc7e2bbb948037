"""One thread for each matrix product, so that on each core other texts are embedded at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

_entry = threading.Lock()
_room = threading.Condition()
_inside = 0
_outside: list[int] = []  # how many threads each library has while nobody is inside


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Hold BLAS to one thread a product while any thread of this process is inside, for the time of a few texts.

    The number is one for the whole process: whoever comes first lowers it, and whoever leaves last puts it back, so
    that others who use numpy in this process have their threads as before.
    """
    global _inside, _outside
    with _entry, _room:
        if _inside == 0:
            _outside = [library.num_threads for library in _libraries()]
            _set([1] * len(_outside))
        _inside += 1
    try:
        yield
    finally:
        with _room:
            _inside -= 1
            if _inside == 0:
                _set(_outside)
                _room.notify_all()


def _set(numbers: Sequence[int]) -> None:
    from threadpoolctl import OpenBLASController

    # It lets one thread alone change the number; here the first and the last are seldom the same.
    OpenBLASController.clear_controlling_thread(force=True)
    for library, number in zip(_libraries(), numbers, strict=True):
        library.set_num_threads(number)


@cache
def _libraries() -> list[Any]:
    """The BLAS of numpy, which is loaded by now; to look for it takes milliseconds."""
    from threadpoolctl import ThreadpoolController

    found = ThreadpoolController().select(user_api="blas").lib_controllers
    # A store's library brings another one, which is its own affair, and need not do what it is told from any thread.
    return [library for library in found if "numpy" in str(library.filepath)] or list(found)


# A process that is forked in the middle of a product inherits OpenBLAS's locks as they are, and waits for ever. So who
# forks waits until nobody is inside, and keeps everyone outside meanwhile.


def _before_fork() -> None:
    _entry.acquire()
    _room.acquire()
    _room.wait_for(lambda: _inside == 0)


def _after_fork() -> None:
    _room.release()
    _entry.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
