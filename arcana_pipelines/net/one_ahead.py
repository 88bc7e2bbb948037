"""What is asked for one after the other: the next is under way while the one before is worked on."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TypeVar

from arcana_pipelines.net.workers import worker_threads

Item = TypeVar("Item")


def one_ahead(items: Iterator[Item]) -> Generator[Item, None, None]:
    """Each item in order, while another thread is at the one behind it. None of them is None.

    What goes wrong with an item is raised in its place. Close the iterator when no more is wanted: that ends what the
    thread waits for.
    """
    with worker_threads(1, "ahead") as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
