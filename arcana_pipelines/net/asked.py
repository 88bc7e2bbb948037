"""Asking somebody who may never answer: a name that nobody resolves, a folder of a machine that is gone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Answered = TypeVar("Answered")


def asked(ask: Callable[[], Answered]) -> Future[Answered]:
    """What a call will have returned or raised. `result(seconds)` and `concurrent.futures.wait` wait so long for it.

    It is made in a thread that does not keep the process from ending.
    """
    answer: Future[Answered] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:  # it is raised to whoever waits for the answer
            answer.set_exception(error)

    threading.Thread(target=run, name="asked", daemon=True).start()
    return answer
