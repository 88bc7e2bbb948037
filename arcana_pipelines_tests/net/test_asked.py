"""Whoever does not answer is not waited for, and keeps no process from ending."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from arcana_pipelines.net.asked import asked


def test_what_was_answered_or_raised_comes_back() -> None:
    assert asked(lambda: 7).result(10) == 7
    with pytest.raises(ZeroDivisionError):
        asked(lambda: 1 // 0).result(10)


def test_an_answer_that_is_late_may_still_be_had() -> None:
    released = threading.Event()
    answer = asked(lambda: released.wait(10))
    with pytest.raises(TimeoutError):
        answer.result(0)
    released.set()
    assert answer.result(10)


def test_a_process_ends_although_somebody_never_answers() -> None:
    code = "import threading; from arcana_pipelines.net.asked import asked; asked(threading.Event().wait)"
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)
