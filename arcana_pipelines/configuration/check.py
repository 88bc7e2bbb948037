"""What is wrong with the configuration, in sentences, and what is worth knowing."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from arcana_pipelines.environment import EnvFile
from arcana_pipelines.installation_secrets import PURPOSES
from arcana_pipelines.settings import giver, is_secret, problems_of_environment


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found.

    Attributes:
        problems: what has to be corrected; nothing runs before, or a value is not used.
        notes: what may be meant so.
    """

    problems: tuple[str, ...]
    notes: tuple[str, ...]


def check(files: Iterable[EnvFile]) -> Checked:
    """Look at the environment and at the files that this process has read. No server is asked."""
    files = list(files)
    of_values = (f"{name}: {problem}." if name else problem for name, problem in problems_of_environment().items())
    return Checked((*(each for file in files for each in problems_of(file)), *of_values), tuple(_notes(files)))


def problems_of(file: EnvFile) -> Iterator[str]:
    """What is wrong with a file `.env…`, in sentences."""
    if file.refused:
        yield f"{file.path} is not read: {file.refused}."
    if file.unread_lines:
        lines = ", ".join(map(str, file.unread_lines))
        yield f"{file.path} has lines that are no NAME=value and are left out: {lines}."
    if file.is_readable_by_others:
        yield f"Others can read the secrets in {file.path}: chmod 600 {shlex.quote(str(file.path))}"


def _notes(files: list[EnvFile]) -> Iterator[str]:
    for file in files:
        if file.left_out:
            yield f"{file.path} sets what is not taken from a file: {', '.join(file.left_out)}."
    for name in sorted(each.removesuffix("_FILE") for each in os.environ if each.endswith("_FILE")):
        if is_secret(name) and os.environ.get(name) and os.environ[f"{name}_FILE"]:
            yield f"{name} is set, so {name}_FILE is not looked at."
    stage = os.environ.get("ARCANA_ENV")
    if stage and not any(file.path.name == f".env.{stage}" for file in files):
        yield f"ARCANA_ENV is {stage}, and there is no file .env.{stage}."
    if missing := [name for name in PURPOSES if giver(name) is None]:
        yield f"Not set: {', '.join(missing)}. `arcana config init` makes them; what needs one says so."
