"""Plans of an account, and what they allow: calls a minute or an hour, and features."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from arcana_pipelines.testing.clock import Clock


@dataclass(frozen=True, slots=True)
class Plan:
    """What an account may ask for.

    Attributes:
        total: credits in a window, of all keys together.
        lists: calls in a window of an endpoint that has a limit of its own, by the endpoint's class.
        window_seconds: how long a window lasts.
        archives: archived tickets can be looked at.
        multilingual: articles have translations.
        lists_count_credits: the limits of endpoints count credits, too, not calls.
    """

    name: str
    total: int
    lists: Mapping[str, int] = field(default_factory=dict)
    window_seconds: int = 60
    archives: bool = True
    multilingual: bool = True
    lists_count_credits: bool = False


def _lists(tickets: int, contacts: int) -> dict[str, int]:
    return {"tickets": tickets, "contacts": contacts}


UNLIMITED = Plan("unlimited", 1_000_000)
PLANS = {
    plan.name: plan
    for plan in (
        UNLIMITED,
        Plan("trial", 50),
        Plan("growth", 200, _lists(20, 20), archives=False, multilingual=False),
        Plan("pro", 400, _lists(100, 100)),
        Plan("enterprise", 700, _lists(200, 200)),
        Plan("garden", 3000, window_seconds=3600),
        Plan("forest", 5000, window_seconds=3600),
    )
}


class Throttled(Exception):
    """Too many calls. `seconds` is what `Retry-After` says."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"again in {seconds} seconds")
        self.seconds = seconds


class Meter:
    """Counts the credits of an account in windows of its plan, by the world's clock.

    A test that waits moves that clock; refused calls use nothing up.
    """

    def __init__(self, plan: Plan, clock: Clock) -> None:
        self.plan = plan
        self._clock = clock
        self._begun = -math.inf
        self._used = 0
        self._used_of: dict[str, int] = {}

    def charge(self, kind: str | None, credits: int) -> None:
        """Use credits up. Raises `Throttled`."""
        now = self._roll()
        of_list = credits if self.plan.lists_count_credits else 1
        allowed = self.plan.lists.get(kind) if kind else None
        too_many = self._used + credits > self.plan.total
        if too_many or (allowed is not None and self._used_of.get(kind or "", 0) + of_list > allowed):
            raise Throttled(max(1, math.ceil(self._begun + self.plan.window_seconds - now)))
        self._used += credits
        if kind:
            self._used_of[kind] = self._used_of.get(kind, 0) + of_list

    @property
    def remaining(self) -> int:
        """Credits that the account has left in this window, whatever an endpoint's own limit says."""
        self._roll()
        return max(0, self.plan.total - self._used)

    def _roll(self) -> float:
        now = self._clock.now().timestamp()
        if now >= self._begun + self.plan.window_seconds or now < self._begun:
            self._begun, self._used, self._used_of = now, 0, {}
        return now
