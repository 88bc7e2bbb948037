"""Connections that wait for the rest of a request, and which of them gives way when there are many."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from uvicorn.protocols.http.h11_impl import H11Protocol


class Watched(H11Protocol):
    """A connection of which is known whether it waits for its client, and since when.

    uvicorn takes a class for `http` (https://www.uvicorn.org/settings/#implementation).

    Attributes:
        began: when it was made, or when the first bytes of its next request came.
        received: bytes that have come since.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self.began = self.loop.time()
        self.received = 0
        self._has_begun = False

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        before, was_answered = self.cycle, self.is_answered
        if was_answered and not self._has_begun:
            self.began = self.loop.time()
            self.received = 0
        self.received += len(data)
        super().data_received(data)
        self._has_begun = was_answered and self.cycle is before

    @property
    def is_answered(self) -> bool:
        """Whether the last request was answered and another may come."""
        return self.cycle is not None and self.cycle.response_complete

    @property
    def waits(self) -> bool:
        """Whether a request, body included, has not been read whole."""
        return self.cycle is None or self._has_begun or self.cycle.more_body

    @property
    def address(self) -> str:
        """Where it comes from; behind a proxy all come from there."""
        return self.client[0] if self.client else ""


def to_give_way(connections: Sequence[Watched]) -> Watched | None:
    """The oldest of those, of the address that has most of them; None where there is none."""
    left = [each for each in connections if not each.transport.is_closing()]
    held = Counter(each.address for each in left)
    return max(left, key=lambda each: (held[each.address], -each.began), default=None)
