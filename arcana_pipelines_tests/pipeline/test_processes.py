"""Batches are made in several processes at once, and each of them once, whatever ends a process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from arcana_pipelines.pipeline import processes
from arcana_pipelines.pipeline.processes import IN_HAND, made_in_processes


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other processes are started with the second batch."""
    monkeypatch.setattr(processes, "ALONE_SECONDS", -1.0)


def doubled_by(number: int) -> tuple[int, int]:
    """The double, and the process that made it."""
    time.sleep(0.02)
    return 2 * number, os.getpid()


def ends_its_process(given: tuple[int, int]) -> int:
    """The number; in any process but the one that is named it is never made."""
    number, here = given
    if os.getpid() != here:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def refuses_seven(number: int) -> int:
    """The number, but for one."""
    if number == 7:
        raise ValueError("seven")
    return number


def is_running(process: int) -> bool:
    """False for one that has ended, and has been waited for."""
    return Path(f"/proc/{process}").exists()


def test_few_batches_are_made_by_this_process_alone() -> None:
    assert list(made_in_processes(doubled_by, range(3), 8)) == [(2 * number, os.getpid()) for number in range(3)]


def test_with_one_process_no_other_is_started(at_once: None) -> None:
    assert {process for _, process in made_in_processes(doubled_by, range(30), 1)} == {os.getpid()}


def test_many_batches_are_made_by_several_processes_each_once(at_once: None) -> None:
    made = list(made_in_processes(doubled_by, range(200), 3))

    assert sorted(number for number, _ in made) == [2 * number for number in range(200)]
    others = {process for _, process in made} - {os.getpid()}
    assert len(others) == 2
    assert not any(map(is_running, others))


def test_no_more_batches_are_taken_than_are_in_hand(at_once: None) -> None:
    taken = given_back = most = 0

    def counted() -> Iterator[int]:
        nonlocal taken, most
        for number in range(60):
            taken += 1
            most = max(most, taken - given_back)
            yield number

    for _ in made_in_processes(doubled_by, counted(), 2):
        given_back += 1

    assert taken == given_back == 60
    assert most <= IN_HAND + 1


def test_a_process_that_is_killed_costs_no_batch(at_once: None, caplog: pytest.LogCaptureFixture) -> None:
    batches = [(number, os.getpid()) for number in range(40)]

    assert sorted(made_in_processes(ends_its_process, batches, 3)) == list(range(40))
    assert "going on alone" in caplog.text


def test_what_goes_wrong_in_another_process_goes_wrong_here(at_once: None) -> None:
    with pytest.raises(ValueError, match="seven"):
        list(made_in_processes(refuses_seven, range(40), 2))


def test_who_stops_asking_leaves_no_process_behind(at_once: None) -> None:
    made = made_in_processes(doubled_by, range(1000), 2)
    other = next(process for _, process in made if process != os.getpid())

    made.close()  # type: ignore[attr-defined]

    assert not is_running(other)


def test_a_file_of_the_current_directory_is_not_taken_for_a_module(
    at_once: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json", "pickle", "multiprocessing"):
        (tmp_path / f"{name}.py").write_text("open('was_run', 'w')\nraise SystemExit(1)\n")
    monkeypatch.chdir(tmp_path)

    made = list(made_in_processes(doubled_by, range(50), 2))

    assert len({process for _, process in made}) == 2
    assert not (tmp_path / "was_run").exists()
