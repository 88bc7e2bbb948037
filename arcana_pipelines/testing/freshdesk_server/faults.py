"""Faults on command: what goes wrong, for which requests, and how often."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from random import Random

from arcana_pipelines.testing.freshdesk_server.endpoints import ENDPOINTS

STATUSES = frozenset({"401", "403", "404", "429", "500", "502", "503", "504"})
KINDS = STATUSES | {"require_feature", "account_suspended", "empty", "no_content", "html", "cut", "drop", "slow"}


@dataclass(slots=True)
class Fault:
    """One fault that waits for its requests (see `Faults.add`)."""

    kind: str
    endpoint: str | None
    item: int | None
    times: int | None
    skip: int
    probability: float
    seconds: float
    retry_after: str | None
    random: Random = field(repr=False)
    hits: int = 0


class Faults:
    """The faults that wait for their requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(
        self,
        kind: str | int,
        endpoint: str | None = None,
        *,
        item: int | None = None,
        times: int | None = 1,
        skip: int = 0,
        probability: float = 1.0,
        seed: int = 1,
        seconds: float = 1.0,
        retry_after: str | int | None = 30,
    ) -> Fault:
        """Let requests to an endpoint (one of `ENDPOINTS`; None: all) fail.

        Kinds: 401, 403 (`access_denied`), 404, 429, 500, 502 (a page of HTML), 503, 504; `require_feature` and
        `account_suspended` (403); `empty` (200 without a body), `no_content` (204), `html` (200 with a page of HTML);
        `cut` (half of the answer, then the connection ends), `drop` (no answer at all), `slow` (after `seconds`).

        Args:
            item: only requests for the ticket, contact, article … of this id.
            times: how many requests meet it; None: all there are.
            skip: requests that still pass before the first one meets it.
            probability: with which each of the others meets it; the draws depend on `seed`.
            retry_after: of a 429, as its header says it; None: there is no such header.
        """
        name = str(kind)
        if name not in KINDS:
            raise ValueError(f"There is no fault {name!r}; there are {', '.join(sorted(KINDS))}.")
        if endpoint is not None and endpoint not in ENDPOINTS:
            raise ValueError(f"There is no endpoint {endpoint!r}; there are {', '.join(sorted(ENDPOINTS))}.")
        after = None if retry_after is None else str(retry_after)
        fault = Fault(name, endpoint, item, times, skip, probability, seconds, after, Random(f"fault {seed}"))
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Let everything go well again."""
        with self._lock:
            self._faults.clear()

    def take(self, endpoint: str, item: int | None) -> Fault | None:
        """The fault that this request meets, counted."""
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults:
                if fault.endpoint not in (None, endpoint) or fault.item not in (None, item):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if fault.probability < 1 and fault.random.random() >= fault.probability:
                    continue
                fault.hits += 1
                if fault.times is not None and fault.hits >= fault.times:
                    self._faults.remove(fault)
                return fault
        return None
