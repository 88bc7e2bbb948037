"""How sure a nearest topic is: what share of such suggestions people accepted.

How near a text is to a topic says little by itself, and other things with other models. The margin to the next topic
says more, but is no probability either. So a workspace's own decisions turn margins into probabilities, once there are
enough of the model in use: a curve that never falls, by the pool-adjacent-violators algorithm
(https://en.wikipedia.org/wiki/Isotonic_regression). Before that a person is asked each time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import rows
from arcana_pipelines.db.statements import statements_beside

load_sql = statements_beside(__file__)

LEAST_DECISIONS = 50
# A step of the curve rests on so many decisions at least, lest three lucky ones assign everything above them.
LEAST_OF_A_STEP = 10
# The margin at which a suggestion that nobody has calibrated is called a half (see `uncalibrated`).
HALF = 0.25
# Another curve decides anew on every document: it is not made after each decision, but when there are so much more.
_MORE = 1.25


@dataclass(frozen=True, slots=True)
class Decided:
    """What a person said of a suggestion, with the margin that it had."""

    margin: float
    is_accepted: bool


@dataclass(frozen=True, slots=True)
class Curve:
    """A share for each margin.

    Attributes:
        margins: where steps begin, ascending; below the first one nobody has decided.
        shares: the share of accepted suggestions on each, ascending.
    """

    margins: tuple[float, ...]
    shares: tuple[float, ...]

    def of(self, margin: float) -> float:
        """The probability that a suggestion with this margin is right; 0 below what people have decided on."""
        step = bisect_right(self.margins, margin)
        return self.shares[step - 1] if step else 0.0


def uncalibrated(margin: float) -> float:
    """A number from 0 to 1 that grows with the margin and is no probability: a half at `HALF`, 0 without a margin."""
    return max(0.0, margin) / (max(0.0, margin) + HALF)


def fit(decided: Sequence[Decided]) -> Curve | None:
    """The curve of some decisions; None where there are too few.

    Each step counts one decision more for either side, so that a few accepted ones are no certainty.
    """
    if len(decided) < LEAST_DECISIONS:
        return None
    ordered = sorted(decided, key=lambda each: each.margin)
    steps: list[_Step] = []
    for start in range(0, len(ordered), LEAST_OF_A_STEP):
        held = ordered[start : start + LEAST_OF_A_STEP]
        step = _Step(held[0].margin, sum(each.is_accepted for each in held), len(held))
        if len(held) < LEAST_OF_A_STEP or (steps and steps[-1].begins == step.begins):
            step = steps.pop().with_next(step)  # the last ones, or a margin on both sides
        while steps and steps[-1].share >= step.share:
            step = steps.pop().with_next(step)
        steps.append(step)
    return Curve(tuple(step.begins for step in steps), tuple(step.share for step in steps))


def curve_of(connection: Connection, workspace_id: UUID, model: str) -> tuple[Curve | None, int]:
    """The curve of a workspace's decisions on what a model suggested, and how many of them it is made of.

    Not the latest ones: it changes when there are a quarter more.
    """
    parameters = {"workspace_id": workspace_id, "model": model}
    decided = rows(connection, Decided, load_sql("decided"), parameters)
    wanted = counted(len(decided))
    return fit(decided[:wanted]), wanted


def counted(decisions: int) -> int:
    """How many of so many decisions, the first ones, make the curve; 0 where they are too few."""
    if decisions < LEAST_DECISIONS:
        return 0
    wanted = LEAST_DECISIONS
    while (more := int(wanted * _MORE)) <= decisions:
        wanted = more
    return wanted


@dataclass(frozen=True, slots=True)
class _Step:
    begins: float
    accepted: int
    decisions: int

    @property
    def share(self) -> float:
        return (self.accepted + 1) / (self.decisions + 2)

    def with_next(self, step: _Step) -> _Step:
        return _Step(self.begins, self.accepted + step.accepted, self.decisions + step.decisions)
