"""The line of a run that fills new builds: its step, how far that is, and how long all of it takes yet.

What is to be done is known from the start, and what a step costs a chunk, against the others, is much the same wherever
it runs: from how fast the first documents are cut follows when the last vector will be verified. Where texts have to be
embedded, that is most of the time, and nobody knows how much before some of them were.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from arcana_pipelines.cli.course import duration, rate
from arcana_pipelines.operations.filling import Filling, Step

# Seconds a thousand chunks, as benchmarks/time_left.py measured them: no machine is as fast, but the ratios stay.
ALONE, SHARED, OF_A_PASSAGE = 0.10, 0.30, 0.11  # of cutting: in one process whatever their number, and in all of them
LOOKED_UP, TAKEN_OVER = 0.025, 0.025  # of a chunk's vector; of the vector of a passage
PUBLISHED, COUNTED, VERIFIED, FINISHED = 0.10, 0.05, 0.07, 0.06
OF_A_DIMENSION = 0.17 / 384  # of making the index of the vectors
# The first batches are cut while other processes start and vocabularies are loaded.
WARM_UP_SECONDS = 2.5
# A rate is told once it was measured for so long.
LEAST_SECONDS = 2.0
# So few texts that are to be embedded change nothing.
FEW = 100


@dataclass(slots=True)
class FillCourse:
    """What was seen of a filling so far.

    Attributes:
        processes: that cut at once.
        left: seconds until it is over, as the last line said; None where that is not known.
        step: what it was at then.
    """

    processes: int
    left: float | None = None
    step: Step = Step.CUTTING
    _passages: float = 0.0
    _embedded: deque[tuple[float, int]] = field(default_factory=deque)
    _most_new: int = 0
    _first_change: float | None = None
    _last: tuple[float, float] | None = None
    _was_embedding: bool = False
    _work: float = 0.0
    _seconds: float = 0.0

    def line(self, now: Sequence[Filling], at: float) -> str:
        """One line about what was seen at `at` (monotonic seconds)."""
        self.step = step = next((each for each in Step if any(build.step is each for build in now)), Step.FINISHING)
        staged = sum(build.chunks for build in now)
        if staged:
            self._passages = max(self._passages, sum(build.passages for build in now) / staged)
        done, to_do = self._done(now), self._all(now)
        # A chunk is as long as its passages together.
        new = round(sum(build.unembedded * max(1.0, self._passages) + build.new_passages for build in now))
        is_embedding = step is Step.EMBEDDING and new > 0
        self._measure(done, at, is_embedding)
        self._most_new = max(self._most_new, new)
        embedding = rate(self._embedded, at, self._most_new - new) if is_embedding else 0.0
        self.left = self._left(to_do - done, at)
        if new > FEW:
            # A run that found all cut has measured nothing else: the rest is little beside embedding.
            rest = (to_do - done) / 1000 if self.left is None else self.left
            self.left = rest + new / embedding if embedding else None
        parts = [_told(step, now, new)]
        if self.left is not None:
            parts.append(f"{duration(self.left)} left")
        elif new > FEW and step is Step.CUTTING:
            parts.append("texts are to be embedded: the time left is known when that has begun")
        return ", ".join(parts)

    def _measure(self, done: float, at: float, is_embedding: bool) -> None:
        """Learn how long what was done took, from one change to the next; what is computed meanwhile is not counted."""
        if self._last is None:
            self._last = at, done
        since, before = self._last
        if is_embedding or self._was_embedding:
            self._last, self._was_embedding = (at, done), is_embedding
        elif done > before:
            if self._first_change is None:
                self._first_change = at
            elif at - self._first_change > WARM_UP_SECONDS:
                self._work += done - before
                self._seconds += at - since
            self._last = at, done

    def _left(self, work: float, at: float) -> float | None:
        if self._seconds < LEAST_SECONDS or self._last is None:
            return None
        since_a_change = at - self._last[0]
        return max(0.0, work * self._seconds / self._work - since_a_change)

    def _all(self, now: Sequence[Filling]) -> float:
        """What all builds cost from beginning to end."""
        usual = _chunks_of_a_document(now)
        return sum(
            (build.chunks + build.served + build.uncut * (_chunks_of_a_document([build]) or usual))
            * sum(self.costs(build.dimensions, self._passages).values())
            for build in now
        )

    def _done(self, now: Sequence[Filling]) -> float:
        """What of that is behind them."""
        done = 0.0
        for build in now:
            costs, there = self.costs(build.dimensions, self._passages), build.chunks + build.served
            done += there * costs[Step.CUTTING] + build.served * costs[Step.PUBLISHING]
            done += there * sum(costs[step] for step, is_behind in _behind(build).items() if is_behind)
        return done

    def costs(self, dimensions: int, passages: float) -> dict[Step, float]:
        """What each step costs a thousand chunks with so large a vector and so many passages each."""
        return {
            Step.CUTTING: ALONE + SHARED / self.processes + passages * OF_A_PASSAGE,
            Step.EMBEDDING: LOOKED_UP + passages * TAKEN_OVER,
            Step.PUBLISHING: PUBLISHED,
            Step.WORDS: COUNTED,
            Step.VECTORS: OF_A_DIMENSION * dimensions,
            Step.VERIFYING: VERIFIED,
            Step.FINISHING: FINISHED,
        }


def _chunks_of_a_document(builds: Sequence[Filling]) -> float:
    """As it was so far; 0 before anything was cut."""
    documents = sum(build.cut + build.documents for build in builds)
    return sum(build.chunks + build.served for build in builds) / documents if documents else 0.0


def _behind(build: Filling) -> dict[Step, bool]:
    """Which of the steps that all chunks take at once are behind a build."""
    return {
        # Looking up leaves no trace until the first documents are published.
        Step.EMBEDDING: build.step not in (Step.CUTTING, Step.EMBEDDING) and (build.served > 0 or not build.cut),
        Step.WORDS: build.has_words,
        Step.VECTORS: build.state != "building",
        Step.VERIFYING: build.state == "active" or (build.state == "verifying" and build.is_verified),
        Step.FINISHING: build.state == "active",
    }


def _told(step: Step, now: Sequence[Filling], new: int) -> str:
    """A step, and how far it is."""
    if step is Step.CUTTING:
        uncut, cut = sum(build.uncut for build in now), sum(build.cut for build in now)
        return f"{step}: {cut} of {cut + uncut} documents"
    if step is Step.EMBEDDING:
        return f"{step}: {new} texts to embed" if new else "taking over what was embedded before"
    if step is Step.PUBLISHING:
        staged = sum(build.chunks for build in now)
        return f"{step}: {staged} chunks to publish"
    return str(step)
