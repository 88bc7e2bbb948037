"""`arcana status --watch`: drawn anew when it has changed, until Ctrl-C."""

from __future__ import annotations

import io

import pytest
from click.testing import CliRunner
from rich.console import Console

from arcana_pipelines.cli import output, watching
from arcana_pipelines.cli.main import cli
from arcana_pipelines.cli.output import say
from arcana_pipelines.errors import DatabaseUnreachable, WrongUse


class Terminal:
    """What a terminal got. `pauses` times it is looked again, then somebody presses Ctrl-C."""

    def __init__(self, pauses: int) -> None:
        self.stream = io.StringIO()
        self.console = Console(file=self.stream, force_terminal=True, width=80, color_system=None)
        self._left = pauses

    def pause(self, seconds: float) -> None:
        assert seconds >= watching.LOOK_SECONDS
        if self._left == 0:
            raise KeyboardInterrupt
        self._left -= 1

    def drawn(self, text: str) -> int:
        return self.stream.getvalue().count(text)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    terminal = Terminal(pauses=5)
    for module in (output, watching):
        monkeypatch.setattr(module, "console", lambda: terminal.console)
    return terminal


def test_it_is_drawn_anew_only_when_it_has_changed(terminal: Terminal) -> None:
    looks = iter(["1 of 9 pages"] * 3 + ["휴가 9 of 9"] * 4)
    watching.watch(lambda: say("{}", next(looks)), terminal.pause)
    # What is there at the end is drawn once more, as it stays.
    assert (terminal.drawn("1 of 9 pages"), terminal.drawn("휴가 9 of 9")) == (1, 2)


def test_a_database_that_is_away_is_told_and_looked_for_again(terminal: Terminal) -> None:
    answers = iter([None, DatabaseUnreachable("The database went away."), None, None, None, None, None])

    def show() -> None:
        if (error := next(answers)) is not None:
            raise error
        say("handbook")

    watching.watch(show, terminal.pause)
    assert terminal.drawn("The database went away.") == 1 and terminal.drawn("handbook") >= 2


def test_what_is_no_terminal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "console", lambda: Console(file=io.StringIO()))
    with pytest.raises(WrongUse, match="this is none"):
        watching.watch(lambda: None)


@pytest.mark.parametrize("other", ["--json", "--check"])
def test_it_is_for_people(other: str) -> None:
    said = CliRunner().invoke(cli, ["status", "--watch", other])
    assert "--watch is for people at a terminal: leave out --json and --check." in str(said.exception)
