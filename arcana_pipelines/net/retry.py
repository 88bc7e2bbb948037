"""One request, tried until it is answered: what is tried again is said by `TryAgain`, for how long by the caller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from arcana_pipelines.net import workers

T = TypeVar("T")


class TryAgain(Exception):
    """One attempt failed in a way that another may not. `pause` is set when the server named it, in seconds."""

    def __init__(self, reason: str, pause: float | None = None) -> None:
        super().__init__(reason)
        self.pause = pause


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a request so far.

    Attributes:
        attempts: how often it was sent.
        waited: seconds that were waited between attempts.
        pause: seconds that the server asks to wait now, if it says so.
        backoff: seconds to wait else, longer after each attempt.
    """

    attempts: int
    waited: float
    pause: float | None
    backoff: float


def until_answered(
    attempt: Callable[[], T],
    *,
    backoff: Callable[[RetryCallState], float],
    gives_up: Callable[[Tried], bool],
    wait: Callable[[Tried], float],
) -> T:
    """Call `attempt` until it returns, or raises anything but `TryAgain`, or `gives_up`.

    `backoff` is one of tenacity's waits. An interrupt of the run ends the waiting (see `net.workers`).

    Raises:
        TryAgain: of the last attempt.
    """

    try:
        return attempt()  # as a rule it is answered, and tenacity takes a fifth of what a small request takes
    except TryAgain as error:
        failed = [error]

    def attempt_again() -> T:
        if failed:
            raise failed.pop()
        return attempt()

    def tried(state: RetryCallState) -> Tried:
        error = state.outcome.exception() if state.outcome else None
        pause = error.pause if isinstance(error, TryAgain) else None
        return Tried(state.attempt_number, state.idle_for, pause, backoff(state))

    retrying = Retrying(
        retry=retry_if_exception_type(TryAgain),
        stop=lambda state: gives_up(tried(state)),
        wait=lambda state: wait(tried(state)),
        sleep=workers.pause,
        reraise=True,
    )
    return retrying(attempt_again)
