"""How commands speak: tables and sentences for people, exactly one JSON object for programs.

All text from outside (titles, cells, names, reasons, errors of servers) leaves through `say` or `print_json`: it is
never taken for markup, and what could command a terminal or hide text from a reader is made visible.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

json_option = click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON object.")

# Controls but tab and line feed, line and paragraph separators, bidirectional controls, tag characters, and halves of
# surrogate pairs, which no terminal can be sent.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)

# A command of ours in a text of ours.
_COMMAND = re.compile(
    r"\barcana (?=(?:audit|backup|config|db|doctor|document|eval|export|file|index|key|mcp|metrics|report|restore|"
    r"retry|search|serve|status|sync|target|taxonomy|ticket|up|usage|webhooks|workspace)\b|-v )"
)

_NO_LIMIT = 10_000  # columns

_PLACE = re.compile("\ue000(\\d+)\ue001")


@cache
def console() -> Console:
    """Standard output for people."""
    from rich.console import Console

    # A file or a pipe is as wide as what is written: 80 columns would cut the numbers of a table.
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _NO_LIMIT)


@cache
def error_console() -> Console:
    """Standard error for people: progress and warnings."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def so_many(number: int, thing: str) -> str:
    """`1 page`, `2,000 pages`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def is_quiet() -> bool:
    """Whether `arcana -q` was called."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.find_root().params.get("quiet"))


def say(markup: str, /, *texts: object, **named: object) -> None:
    """Print a line: `markup` is ours, with `{}` or `{name}` where texts go, which are shown as they are.

    Commands in `markup` (`arcana sync …`) are printed so that they can be run here.
    """
    from rich.text import Span, Text

    shown: list[str] = []

    def place(text: object) -> str:
        shown.append(printable(str(text)))
        return f"\ue000{len(shown) - 1}\ue001"

    markup = _COMMAND.sub("{called} ", markup)
    named = {name: place(text) for name, text in {**named, "called": called()}.items()}
    styled = Text.from_markup(markup.format(*map(place, texts), **named), emoji=False)
    # Rich cannot escape every text in markup, so texts are put in when the markup has been read.
    places = list(_PLACE.finditer(styled.plain))

    def moved(position: int) -> int:
        before = (place for place in places if place.end() <= position)
        return position + sum(len(shown[int(place[1])]) - len(place[0]) for place in before)

    spans = [Span(moved(span.start), moved(span.end), span.style) for span in styled.spans]
    console().print(Text(_PLACE.sub(lambda place: shown[int(place[1])], styled.plain), spans=spans))


def called() -> str:
    """How `arcana` is called here: by its name where that is on PATH, or as this process was called."""
    if shutil.which("arcana") is None:
        program = Path(sys.argv[0])
        if program.name == "arcana":
            return shlex.quote(sys.argv[0])
        if program.name == "__main__.py" and program.parent == Path(__file__).parent:
            return f"{shlex.quote(sys.executable)} -m arcana_pipelines.cli"
    return "arcana"


def runnable(text: str) -> str:
    """A text of ours with its commands as they can be run here."""
    return _COMMAND.sub(lambda _: f"{called()} ", text)


def printable(text: str) -> str:
    """The text with each character that a terminal would obey, or hide, replaced by U+FFFD."""
    return _UNPRINTABLE.sub("\ufffd", text)


def print_json(value: Any) -> None:
    """One JSON object on one line. What is not printable, or is no character of the output's, stands in it escaped."""
    is_unicode = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")
    click.echo(_UNPRINTABLE.sub(_escaped, json.dumps(value, ensure_ascii=not is_unicode, default=_told)))


def _told(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _escaped(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]


def local_time(moment: datetime) -> str:
    """An aware time as this machine's clock shows it, with the offset from UTC."""
    shown = moment.astimezone()
    zone = "UTC" if shown.utcoffset() == UTC.utcoffset(None) else shown.strftime("%z")
    return f"{shown:%Y-%m-%d %H:%M:%S} {zone}"


def fail(message: str, as_json: bool) -> None:
    """Say what went wrong: on standard error, and as the one JSON object when that was asked for."""
    if as_json:
        print_json({"error": message})
    click.echo(f"Error: {printable(runnable(message))}", err=True)
