"""For whom the code works now: a request, a run, a workspace, a company. Lines of the log and traces name it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

NAMES = ("request_id", "run", "workspace", "company")

# The dictionary is one for a request and its threads, so that what the gate finds out is known above it, too.
_NOW: ContextVar[dict[str, str] | None] = ContextVar("for_whom", default=None)


def now() -> Mapping[str, str]:
    """What is known, by its name (`NAMES`)."""
    return MappingProxyType(_NOW.get() or {})


@contextmanager
def working_for(**known: str) -> Iterator[None]:
    """Inside, this is known, too."""
    token = _NOW.set({**(_NOW.get() or {}), **known})
    try:
        yield
    finally:
        _NOW.reset(token)


def note(**known: str) -> None:
    """Say more of what the innermost `working_for` is for; nothing outside of one."""
    if (held := _NOW.get()) is not None:
        held.update(known)


def carried() -> Callable[[], None]:
    """What makes another thread work for the same, when it is called there."""
    held = _NOW.get()

    def adopt() -> None:
        _NOW.set(held)

    return adopt
