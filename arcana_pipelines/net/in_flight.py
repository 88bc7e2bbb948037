"""Many calls at once in a pool, and never more than a number of them: neither the queue nor the answers grow."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_flight(
    pool: Executor, call: Callable[[Item], Result], items: Iterable[Item | None], window: int
) -> Generator[tuple[Item, Future[Result]], None, None]:
    """Yield each item with its call, which has ended, in the order in which they end.

    An item is taken when there is room for it, in the thread of the consumer. None instead of an item says: nothing
    more until a call has ended and the consumer has seen it. It is the last one when no call is under way.
    When the consumer stops or fails (close the iterator), calls that have not begun are cancelled.
    """
    taken = iter(items)
    # Each call reports its end once; `concurrent.futures.wait` would look at all that are under way.
    ended: SimpleQueue[Future[Result]] = SimpleQueue()
    under_way: dict[Future[Result], Item] = {}
    try:
        while True:
            while len(under_way) < window and (item := next(taken, None)) is not None:
                future = pool.submit(call, item)
                under_way[future] = item
                future.add_done_callback(ended.put)
            if not under_way:
                return
            future = ended.get()
            yield under_way.pop(future), future
    finally:
        for future in under_way:
            future.cancel()
