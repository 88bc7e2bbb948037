"""A secret that a person or a script hands over: not by argument, where `ps` and the shell's history would have it."""

from __future__ import annotations

import sys

import click
from pydantic import SecretStr

from arcana_pipelines.errors import MissingToken
from arcana_pipelines.settings import require_token

_LONGEST = 8192  # characters


def read_token(platform: str) -> SecretStr:
    """A token of standard input; on a terminal it is asked for, and not shown.

    Raises:
        MissingToken: there is none, or it is none.
    """
    if sys.stdin.isatty():
        text = click.prompt(f"Token of {platform}", hide_input=True, err=True)
    else:
        text = sys.stdin.read(_LONGEST + 1)
    if not (text := text.strip()):
        raise MissingToken("There is no token on standard input: arcana workspace … --token-stdin < FILE")
    if len(text) > _LONGEST:
        raise MissingToken(f"What standard input holds is longer than a token: {_LONGEST} characters are read.")
    return require_token(text, "The token on standard input", platform)
