"""The installation's own secrets, made where they are missing and written into its file `.env`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from arcana_pipelines.configuration.env_file import locked, own_file, set_values, values_of
from arcana_pipelines.configuration.variables import source_of
from arcana_pipelines.environment import EnvFile
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.installation_secrets import PURPOSES, make
from arcana_pipelines.settings import giver, problems_of_environment


@dataclass(frozen=True, slots=True)
class Made:
    """What was made.

    Attributes:
        path: the file that it stands in.
        made: the names of what is new in it.
        kept: the names of what was set already.
    """

    path: Path
    made: tuple[str, ...]
    kept: tuple[str, ...]


def make_missing(files: Iterable[EnvFile], replace_unusable: bool = False) -> Made:
    """Make the secrets that nothing sets, and write them into ARCANA_HOME's `.env` (or ARCANA_ENV_FILE), mode 0600.

    What is set is never replaced, but for what cannot be used and stands in that file, with `replace_unusable`. Several
    processes may do this at once: the first makes them, the others keep those.

    Args:
        files: those that this process has read.

    Raises:
        WrongUse: one cannot be used, or the file cannot be written safely. Nothing was changed.
    """
    path = own_file()
    to_replace = _unusable(list(files), path, replace_unusable)
    missing = [name for name in PURPOSES if giver(name) is None]
    for name in missing:
        if name in os.environ:
            raise WrongUse(f"{name} is set to nothing in the environment, which wins over every file: unset it there.")
    wanted = [name for name in PURPOSES if name in (*missing, *to_replace)]
    made: dict[str, str] = {}
    if wanted:
        with locked(path):
            there = values_of(path)
            made = {name: make() for name in wanted if name in to_replace or not there.get(name)}
            if made:
                set_values(path, made)
    return Made(path, tuple(made), tuple(name for name in PURPOSES if name not in made))


def _unusable(files: list[EnvFile], path: Path, may_replace: bool) -> list[str]:
    """The secrets in the file that cannot be used."""
    found = {name: problem for name, problem in problems_of_environment().items() if name in PURPOSES}
    for name, problem in found.items():
        _, where = source_of(name, files)
        if where != path:
            place = "in the environment" if where is None else f"by {where}"
            raise WrongUse(f"{name} is set {place} and cannot be used: it {problem}. Correct it there, or remove it.")
        if not may_replace:
            raise WrongUse(f"{name} in {path} cannot be used: it {problem}. `arcana config init --force` replaces it.")
    return list(found)
