"""The question before something is deleted for good."""

from __future__ import annotations

import sys

import click

from arcana_pipelines.errors import WrongUse


def confirm(question: str, is_agreed: bool, as_json: bool) -> None:
    """Ask on the terminal, unless `is_agreed` (--yes). Every answer but yes ends the command with exit code 1.

    Raises:
        WrongUse: no one can be asked: the output is for a program, or standard input is not a terminal or ends.
    """
    if is_agreed:
        return
    refusal = WrongUse(f"{question} This cannot be undone, and no one can be asked here: give --yes if you mean it.")
    if as_json or not sys.stdin.isatty():
        raise refusal
    while True:
        click.echo(f"{question} [y/N]: ", nl=False, err=True)
        answer = sys.stdin.readline()
        if not answer:
            click.echo(err=True)
            raise refusal
        if answer.strip().lower() in ("y", "yes"):
            return
        if answer.strip().lower() in ("", "n", "no"):
            click.echo("Nothing was removed.", err=True)
            click.get_current_context().exit(1)
