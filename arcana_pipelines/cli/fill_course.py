"""The line of a run that fills new builds: its step, how far that is, and how long all of it takes yet.

What is to be done is known from the start: so many chunks, which take all steps one after the other. What a step takes
is known of the last run (`step_rates`), and corrected by what this run measures: that of a step by how long it took so
far, that of those to come by how much faster or slower than expected all went lately.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from arcana_pipelines.cli.course import duration, rate
from arcana_pipelines.cli.step_rates import StepRates, assumed, key_of
from arcana_pipelines.operations.filling import Filling, Step

# What was measured, and what was known before, counts half when so much was measured since: machines get more to do.
HALF_LIFE_SECONDS = 15.0
# What is known from before counts as if it had been measured for so long: of this machine, or of any.
MEASURED_WEIGHT, ASSUMED_WEIGHT = 6.0, 1.0
# The same of a step, whose own pace is looked for, against the pace of all.
OF_A_STEP_WEIGHT = 2.0
# A start that takes more times as long as expected waited for something, and says nothing of the machine.
WAITED = 4.0
# A step that takes longer than expected takes at least so much of it yet.
LEAST_SHARE = 0.1
# Steps that all chunks take at once: nothing shows how far one is.
AT_ONCE = (Step.EMBEDDING, Step.WORDS, Step.VECTORS, Step.VERIFYING)
# So few texts that are to be embedded change nothing.
FEW = 100
# A run over fewer chunks says little of what steps take.
LEAST_CHUNKS = 5000
# What is said follows what is estimated with a delay of a twentieth of it, within these seconds. It grows only where it
# has become wrong by this factor, and these seconds.
LEAST_DELAY, MOST_DELAY = 1.0, 3.0
GROWS_FROM, GROWS_BY = 1.1, 2.0


@dataclass(slots=True)
class _Pace:
    """How long something took, against what was expected."""

    seconds: float = 0.0
    expected: float = 0.0
    chunks: int = 0
    _lately: float = 0.0
    _lately_expected: float = 0.0

    def add(self, seconds: float, expected: float, chunks: int = 0) -> None:
        self.seconds += seconds
        self.expected += expected
        self.chunks += chunks
        fades = _faded(seconds)
        self._lately, self._lately_expected = self._lately * fades + seconds, self._lately_expected * fades + expected

    def factor(self, weight: float, before: float, overdue: float = 0.0) -> float:
        """How many times as long as expected it takes.

        `before`: as was known before, which counts `weight` seconds; `overdue`: seconds that what is not over yet takes
        longer than expected.
        """
        weight *= _faded(self.seconds)
        return (weight * before + self._lately + overdue) / (weight + self._lately_expected)


def _faded(seconds: float) -> float:
    return math.exp2(-seconds / HALF_LIFE_SECONDS)


@dataclass(slots=True)
class FillCourse:
    """What was seen of a filling so far.

    Attributes:
        processes: that cut at once.
        began: when the run began (monotonic seconds, as all times here).
        known: what steps took before, by `step_rates.key_of`.
        left: seconds until it is over, as the last line said; None where that is not known.
        step: what it was at when it was looked at last.
    """

    processes: int
    began: float
    known: Callable[[str], StepRates | None]
    left: float | None = None
    step: Step = Step.CUTTING
    _now: Sequence[Filling] = ()
    _rates: StepRates | None = None
    _key: str | None = None
    _passages: float = 0.0
    _done: Mapping[Step, int] = field(default_factory=dict)
    _mark: float = 0.0
    _first_cut: float | None = None
    _last_cut: tuple[float, int] = (0.0, 0)
    _paces: Mapping[Step, _Pace] = field(default_factory=lambda: {step: _Pace() for step in Step})
    _pace: _Pace = field(default_factory=_Pace)
    _new: float = 0.0
    _most_new: float = 0.0
    _embedded: deque[tuple[float, float]] = field(default_factory=deque)
    _embedding: float = 0.0
    _embedding_took: tuple[float, float] = (0.0, 0.0)
    _is_embedding: bool = False
    _indexed_at: deque[tuple[float, float]] = field(default_factory=deque)
    _indexed: float = 0.0
    _indexing: float = 0.0
    _said_at: float = 0.0
    _grows: bool = False

    def look(self, now: Sequence[Filling], at: float, is_counted: bool = True) -> None:
        """Take in how far the builds were at a moment; not `is_counted`: what is to be embedded is as it was before."""
        self._now = now
        self.step = next((each for each in Step if any(build.step is each for build in now)), Step.FINISHING)
        rates = self._rates_of(now)
        done = _done(now)
        if not self._done:
            self._done, self._mark = done, self.began + rates.start
        if indexed := max((build.indexed for build in now), default=0.0):
            self._indexed, self._indexing = indexed, rate(self._indexed_at, at, indexed)
        was_embedding, self._is_embedding = self._is_embedding, self._embeds(now, at, is_counted)
        grown = {step: done[step] - self._done[step] for step in Step if done[step] > self._done[step]}
        if was_embedding or self._is_embedding:  # that takes its own time
            self._done, self._mark = done, at
        elif grown:
            self._measure(grown, at, rates)
            self._done, self._mark = done, at

    def line(self, at: float) -> str:
        """One line about what was seen at the last look, with the time left from `at` on."""
        estimate = self._estimate(at)
        self.left = None if estimate is None else self._damped(estimate, at)
        self._said_at = at
        parts = [_told(self.step, self._now, round(self._new))]
        if self.left is not None:
            parts.append(f"{duration(self.left)} left")
        elif self._new > FEW and self.step is Step.CUTTING:
            parts.append("texts are to be embedded: the time left is known when that has begun")
        return ", ".join(parts)

    def learned(self, at: float) -> tuple[str, StepRates] | None:
        """What a run that ended at a moment knows of the next, and its key; None where that is nothing.

        What was known before counts as much as what was measured: one run may have had the machine for itself.
        """
        rates, chunks = self._rates, self._paces[Step.PUBLISHING].chunks
        if rates is None or self._key is None or chunks < LEAST_CHUNKS:
            return None
        self._paces[Step.FINISHING].add(at - self._mark, rates.seconds(Step.FINISHING, chunks), chunks)
        usual = 1.0 if rates.are_measured else self._pace.seconds / self._pace.expected
        factors = {
            step: pace.seconds / pace.expected if pace.chunks >= LEAST_CHUNKS else usual
            for step, pace in self._paces.items()
        }
        start = self._lost(rates.thousand[Step.CUTTING] * factors[Step.CUTTING]) / rates.start
        weight = 0.5 if rates.are_measured else 1.0
        seconds, texts = self._embedding_took
        return self._key, StepRates(
            rates.start * start**weight,
            {step: rates.thousand[step] * factor**weight for step, factor in factors.items()},
            texts / seconds if texts > FEW else rates.texts,
            are_measured=True,
        )

    def _lost(self, thousand: float) -> float:
        """Seconds before the first documents were begun; where that was not seen, as before."""
        assert self._rates is not None
        (last, cut), known = self._last_cut, self._rates.start
        if self._first_cut is None or self._paces[Step.CUTTING].chunks < LEAST_CHUNKS:
            return known
        if self._first_cut - self.began > WAITED * known:
            return known
        lost = last - self.began - thousand * cut / 1000
        return min(max(lost, known / WAITED), self._first_cut - self.began)

    def _rates_of(self, now: Sequence[Filling]) -> StepRates:
        """Those of the build that is filled, as known before, or assumed by how many passages its chunks have."""
        staged = sum(build.chunks for build in now)
        passages = max(self._passages, sum(build.passages for build in now) / staged if staged else 0.0)
        filled = [build for build in now if build.state == "building"] or list(now)
        if self._rates is None and filled:
            keys = {key_of(build, self.processes) for build in filled}
            self._key = keys.pop() if len(keys) == 1 else None
            self._rates = self.known(self._key) if self._key else None
        if self._rates is None or (not self._rates.are_measured and passages > self._passages):
            largest = max(filled, key=lambda build: build.dimensions, default=None)
            vectors = (largest.dimensions, passages, largest.ann) if largest else (384, passages)
            self._rates = assumed(self.processes, *vectors)
        self._passages = passages
        return self._rates

    def _embeds(self, now: Sequence[Filling], at: float, is_counted: bool) -> bool:
        """See how many texts are to be embedded, and how fast. Of a chunk with passages it is these."""
        before = self._new
        self._new = sum(max(build.unembedded * max(1.0, self._passages), build.new_passages) for build in now)
        if before <= FEW < self._new:
            self.left = None  # another time altogether, and told at once
        self._most_new = max(self._most_new, self._new)
        if self.step is not Step.EMBEDDING or not self._new:
            return False
        if not is_counted:
            return True
        embedded = self._most_new - self._new
        self._embedding = rate(self._embedded, at, round(embedded))
        self._embedding_took = at - self._embedded[0][0], embedded - self._embedded[0][1]
        return True

    def _measure(self, grown: Mapping[Step, int], at: float, rates: StepRates) -> None:
        """Learn from what was done since the mark how long that takes."""
        expected = {step: rates.seconds(step, chunks) for step, chunks in grown.items()}
        took, usual = at - self._mark, sum(expected.values())
        if Step.CUTTING in grown:
            self._last_cut = at, self._last_cut[1] + grown[Step.CUTTING]
            if self._first_cut is None:
                self._first_cut = at
                took, usual = at - self.began, usual + rates.start
                if took < WAITED * usual:
                    self._pace.add(took, usual)
                return
        if took <= 0:  # before what was taken for its beginning
            return
        self._pace.add(took, usual)
        for step, chunks in grown.items():
            self._paces[step].add(took * expected[step] / usual, expected[step], chunks)

    def _estimate(self, at: float) -> float | None:
        """Seconds from a moment on; None where it is not known how fast texts are embedded."""
        rates = self._rates
        if rates is None:
            return None
        usual = _chunks_of_a_document(self._now)
        to_do = {step: sum(rates.seconds(step, _left(build, step, usual)) for build in self._now) for step in Step}
        weight = MEASURED_WEIGHT if rates.are_measured else ASSUMED_WEIGHT
        pace, since = self._pace.factor(weight, 1.0), max(0.0, at - self._mark)
        if self.step in AT_ONCE and not self._indexing:
            pace = self._pace.factor(weight, 1.0, max(0.0, since - pace * to_do[self.step]))
        to_do = {step: seconds * self._paces[step].factor(OF_A_STEP_WEIGHT, pace) for step, seconds in to_do.items()}
        if self.step is Step.VECTORS and self._indexing:
            to_do[self.step] = since + (1.0 - self._indexed) / self._indexing
        to_do[self.step] = max(to_do[self.step] - since, LEAST_SHARE * to_do[self.step])
        left = sum(to_do.values()) + max(0.0, self.began + rates.start - at)
        if self._new <= FEW:
            return left
        if not (fast := self._embedding or rates.texts):
            return None
        uncounted = at - self._embedded[-1][0] if self._is_embedding and self._embedded else 0.0
        return left + max(0.0, self._new * self._all_of_cut(usual) / fast - uncounted)

    def _all_of_cut(self, usual: float) -> float:
        """How many times as many chunks there will be as are staged now."""
        staged = sum(build.chunks for build in self._now)
        return 1 + sum(build.uncut for build in self._now) * usual / staged if staged else 1.0

    def _damped(self, estimate: float, at: float) -> float:
        if self.left is None:
            return estimate
        since = at - self._said_at
        expected = max(0.0, self.left - since)
        delay = min(max(expected / 20, LEAST_DELAY), MOST_DELAY)
        followed = expected + (estimate - expected) * (1 - math.exp(-since / delay))
        self._grows = estimate > (self.left if self._grows else self.left * GROWS_FROM + GROWS_BY)
        return followed if self._grows else min(followed, self.left)


def _there(build: Filling) -> int:
    return build.chunks + build.served


def _done(now: Sequence[Filling]) -> dict[Step, int]:
    """How many chunks have each step behind them."""
    done = dict.fromkeys(Step, 0)
    for build in now:
        done[Step.CUTTING] += _there(build)
        done[Step.PUBLISHING] += build.served
        for step in AT_ONCE:
            done[step] += _there(build) if _behind(build)[step] else 0
    return done


def _left(build: Filling, step: Step, usual: float) -> float:
    """How many chunks of a build have a step before them."""
    whole = _there(build) + build.uncut * (_chunks_of_a_document([build]) or usual)
    if step is Step.CUTTING:
        return whole - _there(build)
    if step is Step.PUBLISHING:
        return whole - build.served
    return whole - (_there(build) if _behind(build)[step] else 0)


def _chunks_of_a_document(builds: Sequence[Filling]) -> float:
    """As it was so far; 0 before anything was cut."""
    documents = sum(build.cut + build.documents for build in builds)
    return sum(map(_there, builds)) / documents if documents else 0.0


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
