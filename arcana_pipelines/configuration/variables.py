"""Each variable with its value, but for what is secret in it, and with where it comes from."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from arcana_pipelines.environment import EnvFile
from arcana_pipelines.postgres_address import Address, InvalidAddress
from arcana_pipelines.settings import Settings, giver, is_secret, problems_of_environment

Source = Literal["environment", "secret_file", "env_file", "default", "unset"]

HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable.

    Attributes:
        value: what it is set to, or its default; of a secret `***`, of an address all but its secrets. None: it is
            not set and has no default, or it cannot be used.
        path: of the file that it comes from, for the sources `secret_file` and `env_file`.
        problem: why it cannot be used, in words.
    """

    name: str
    value: str | None
    source: Source
    path: Path | None = None
    problem: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "value": self.value,
            "source": self.source,
            "path": None if self.path is None else str(self.path),
            "problem": self.problem,
        }


def variables(files: Iterable[EnvFile]) -> list[Variable]:
    """All settings, and what else the files set, by name. `files` are those that this process has read."""
    files = list(files)
    problems = problems_of_environment()
    names = {name.upper() for name in Settings.model_fields} | {name for file in files for name in file.taken}
    return [_variable(name, files, problems.get(name) or problems.get(f"{name}_FILE")) for name in sorted(names)]


def source_of(name: str, files: Iterable[EnvFile]) -> tuple[Source, Path | None]:
    """Where a variable's value comes from."""
    set_by = giver(name) if is_secret(name) else name if os.environ.get(name) else None
    if set_by is None:
        return "default", None
    if set_by != name:
        return "secret_file", Path(os.environ[set_by])
    path = next((file.path for file in files if name in file.taken), None)
    return ("environment", None) if path is None else ("env_file", path)


def _variable(name: str, files: list[EnvFile], problem: str | None) -> Variable:
    source, path = source_of(name, files)
    if problem is not None:
        value = None
    elif source == "default":
        default = Settings.model_fields[name.lower()].default
        value, source = (None, "unset") if default in (None, "") else (str(default), source)
    else:
        value = _shown(name, os.environ.get(name, ""))
    return Variable(name, value, source, path, problem)


def _shown(name: str, value: str) -> str:
    if name in ("DATABASE_URL", "SERVE_DATABASE_URL", "SEARCH_DATABASE_URL") and value:
        try:
            return Address.parse(value).shown
        except InvalidAddress:
            return HIDDEN
    if name.lower() not in Settings.model_fields or is_secret(name):
        return HIDDEN
    return _without_secrets(value) if "://" in value else value


def _without_secrets(url: str) -> str:
    """An http address: a user with a password may stand in it, and keys in its query."""
    parts = urlsplit(url)
    _, at, host = parts.netloc.rpartition("@")
    return parts._replace(
        netloc=f"{HIDDEN}@{host}" if at else parts.netloc, query=HIDDEN if parts.query else "", fragment=""
    ).geturl()
