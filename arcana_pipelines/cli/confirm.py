"""The question before something is deleted for good, or before what many rely on becomes another."""

from __future__ import annotations

import sys

import click

from arcana_pipelines.errors import WrongUse


def confirm(question: str, is_agreed: bool, as_json: bool, is_final: bool = True) -> None:
    """Ask on the terminal, unless `is_agreed` (--yes). Every answer but yes ends the command with exit code 1.

    `is_final`: what is asked about cannot be undone.

    Raises:
        WrongUse: no one can be asked: the output is for a program, or standard input is not a terminal or ends.
    """
    if is_agreed:
        return
    why = "This cannot be undone, and no one" if is_final else "No one"
    refusal = WrongUse(f"{question} {why} can be asked here: give --yes if you mean it.")
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
            click.echo("Nothing was removed." if is_final else "Nothing was changed.", err=True)
            click.get_current_context().exit(1)
