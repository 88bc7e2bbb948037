"""Where no terminal is, a run says what it does in plain lines, now and then."""

from __future__ import annotations

import errno
import itertools
import os
import threading

import click
import pytest
from pydantic import SecretStr

from arcana_pipelines.cli import progress as progress_module
from arcana_pipelines.cli.course import Course
from arcana_pipelines.cli.log_lines import EVERY_SECONDS, LogLines
from arcana_pipelines.cli.progress import Watch, counted, doing, progress
from arcana_pipelines.db.engine import Database
from arcana_pipelines.operations.reports import Progress
from arcana_pipelines.settings import Settings
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness


class Clock:
    """Stands still until a test moves it."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def told(*looks: tuple[float, str, str]) -> list[str]:
    """What a log gets of looks: when, a line, its stage."""
    out: list[str] = []
    lines = LogLines(out.append)
    for at, line, stage in looks:
        lines.tell(line, stage, at)
    return out


def test_a_line_comes_at_the_beginning_and_then_every_half_minute() -> None:
    looks = [(float(at), f"{at} of 100", "reading") for at in range(100)]
    assert told(*looks) == ["0 of 100\n", "30 of 100\n", "60 of 100\n", "90 of 100\n"]
    assert EVERY_SECONDS == 30.0


def test_a_stage_is_told_when_it_begins_and_one_that_comes_again_is_no_news() -> None:
    looks = [(float(at), f"{at}", "reading" if at % 2 else "embedding") for at in range(20)]
    assert told(*looks, (20.0, "publishing", "publishing")) == ["0\n", "1\n", "publishing\n"]


def test_a_line_is_one_line_and_commands_nothing() -> None:
    assert told((0.0, "a\x1b[2K\rb\nc\u202e", "")) == ["a\ufffd[2K b c\ufffd\n"]


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC])
def test_a_log_that_takes_nothing_any_more_ends_no_run(number: int) -> None:
    def write(text: str) -> None:
        raise OSError(number, os.strerror(number))

    LogLines(write).tell("listing …", "", 0.0)


@pytest.mark.parametrize(
    ("now", "stage"),
    [
        (Progress(9, 0, 0, 0, served=0, is_indexing=False), "listing"),
        (Progress(9, 5, 3, 1, served=0, is_indexing=False), "reading"),
        (Progress(9, 0, 3, 1, served=0, is_indexing=False), "embedding"),
        (Progress(9, 0, 3, 3, served=0, is_indexing=False), "publishing"),
        (Progress(9, 0, 0, 0, served=9, is_indexing=True), "making the index of the vectors"),
    ],
)
def test_a_sync_is_at_the_first_stage_that_has_something_to_do(now: Progress, stage: str) -> None:
    course = Course()
    course.line(now, at=0)
    assert course.stage == stage


def test_what_is_counted_says_how_many_are_done_and_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with counted("acme: writing documents", True, clock) as tell:
        for done in range(0, 61, 10):
            tell(done, 100)
            clock.now += 10.0
    assert capsys.readouterr().err.splitlines() == [
        "acme: writing documents …",
        "acme: writing documents: 30 of 100, 1:10 left",
        "acme: writing documents: 60 of 100, 0:40 left",
    ]


def test_what_is_done_next_is_told_when_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with doing("acme: verifying …", True) as tell:
        tell("acme: asking both builds 3 golden questions …")
    assert capsys.readouterr().err == "acme: verifying …\nacme: asking both builds 3 golden questions …\n"


def test_a_run_says_at_once_that_it_began_and_where_it_is_while_dagster_has_standard_error(
    acme: Harness, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    looked: list[float] = []
    lines, was_told = itertools.count(1), threading.Event()

    def line(at: float) -> tuple[str, str]:
        if next(lines) == 3:
            was_told.set()
        return "cutting: 5 of 9 documents", "cutting"

    monkeypatch.setattr(progress_module, "REFRESH_SECONDS", 0.0)
    monkeypatch.setattr(progress_module, "LOG_REFRESH_SECONDS", 0.0)
    monkeypatch.setattr(progress_module, "fill_watch", lambda *_: Watch(lambda connection, at: looked.append(at), line))
    with acme.database.connection() as connection:
        workspace = workspaces.find(connection, "acme")
    with progress(acme.database, workspace, True, "starting", fills=True):
        taken, before = os.open(os.devnull, os.O_WRONLY), os.dup(2)
        os.dup2(taken, 2)
        try:
            assert was_told.wait(30)
        finally:
            os.dup2(before, 2)
            os.close(taken)
            os.close(before)
    assert looked
    assert capfd.readouterr().err == "acme: starting …\nacme: cutting: 5 of 9 documents\n"


def test_a_database_that_cannot_be_asked_how_far_a_run_is_is_told_by_the_run_alone(
    acme: Harness, capfd: pytest.CaptureFixture[str]
) -> None:
    nowhere = Settings(database_url=SecretStr("postgresql://nobody@127.0.0.1:1/nothing"))
    with acme.database.connection() as connection:
        workspace = workspaces.find(connection, "acme")
    with progress(Database(nowhere), workspace, True):
        wait_for_watchers()
    assert capfd.readouterr().err == "acme: listing …\n"


def test_a_look_that_is_late_is_told_to_nobody_who_has_gone(
    acme: Harness, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    is_looking, is_over = threading.Event(), threading.Event()

    def look(connection: object, at: float) -> None:
        is_looking.set()
        assert is_over.wait(30)

    for seconds in ("REFRESH_SECONDS", "LOG_REFRESH_SECONDS", "PATIENCE_SECONDS"):
        monkeypatch.setattr(progress_module, seconds, 0.0)
    monkeypatch.setattr(progress_module, "fill_watch", lambda *_: Watch(look, lambda at: ("cutting", "cutting")))
    with acme.database.connection() as connection:
        workspace = workspaces.find(connection, "acme")
    with progress(acme.database, workspace, True, fills=True):
        assert is_looking.wait(30)
    is_over.set()
    wait_for_watchers()
    assert capfd.readouterr().err == "acme: listing …\n"


def wait_for_watchers() -> None:
    for thread in threading.enumerate():
        if thread.name == "progress":
            thread.join(30)


@click.group()
@click.option("-q", "--quiet", is_flag=True)
def a_command(quiet: bool) -> None:
    """As `arcana`, whose other options do not matter here."""


@a_command.command()
@click.option("--json", "as_json", is_flag=True)
def export(as_json: bool) -> None:
    with counted("writing", not as_json), doing("verifying …", not as_json):
        pass


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["export"], "writing …\nverifying …\n"), (["-q", "export"], ""), (["export", "--json"], "")],
)
def test_nothing_is_said_with_json_and_where_quiet_was_asked_for(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    a_command.main(arguments, standalone_mode=False)
    assert capsys.readouterr().err == said


def test_nothing_is_said_to_a_standard_error_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    with counted("writing", True) as tell, doing("verifying", True) as say:
        tell(1, 2)
        say("next")
