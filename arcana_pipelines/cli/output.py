"""How commands speak: tables and sentences for people, exactly one JSON object for programs."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

json_option = click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON object.")


@cache
def console() -> Console:
    """Standard output for people."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


@cache
def error_console() -> Console:
    """Standard error for people: progress and warnings."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON object on one line."""
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


def fail(message: str, as_json: bool) -> None:
    """Say what went wrong: on standard error, and as the one JSON object when that was asked for."""
    if as_json:
        print_json({"error": message})
    click.echo(f"Error: {message}", err=True)
