"""The same question from several threads at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def at_once(ask: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer]:
    """The answers in the order of the items, asked by eight threads. An exception of any is raised."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(ask, items))
