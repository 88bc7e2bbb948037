"""The installation's own secrets, made where they are missing and written into its file `.env`."""

from __future__ import annotations

import fcntl
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from arcana_pipelines.configuration.variables import source_of
from arcana_pipelines.environment import EnvFile
from arcana_pipelines.errors import FileRefused, WrongUse
from arcana_pipelines.home import DEFAULT, make_home, require_known
from arcana_pipelines.installation_secrets import PURPOSES, make
from arcana_pipelines.settings import giver, problems_of_environment
from arcana_pipelines.trusted_files import read_ours, require_own_folder, write_private

_COMMENT = "# Made by `arcana config init`."


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
    path = _file()
    to_replace = _unusable(list(files), path, replace_unusable)
    missing = [name for name in PURPOSES if giver(name) is None]
    for name in missing:
        if name in os.environ:
            raise WrongUse(f"{name} is set to nothing in the environment, which wins over every file: unset it there.")
    wanted = [name for name in PURPOSES if name in (*missing, *to_replace)]
    made: dict[str, str] = {}
    if wanted:
        with _locked(path.parent):
            text = _text(path)
            there = _values(text)
            made = {name: make() for name in wanted if name in to_replace or not there.get(name)}
            if made:
                write_private(path, _with(text, made, path))
    return Made(path, tuple(made), tuple(name for name in PURPOSES if name not in made))


def _file() -> Path:
    if only := os.environ.get("ARCANA_ENV_FILE"):
        return Path(only).expanduser().absolute()
    named = os.environ.get("ARCANA_HOME")
    home = Path(named or DEFAULT).expanduser().absolute()
    if not named:
        require_known(home)
    make_home(home)
    return home / ".env"


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


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        require_own_folder(folder)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (FileRefused, FileNotFoundError, NotADirectoryError) as error:
        reason = str(error) if isinstance(error, FileRefused) else f"there is no folder {folder}"
        raise WrongUse(f"Nothing is written into {folder}: {reason}.") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _text(path: Path) -> str:
    if path.is_symlink():
        raise WrongUse(f"{path} is a link. Name the file that it leads to by ARCANA_ENV_FILE.")
    try:
        return read_ours(path)[0]
    except FileNotFoundError:
        return ""
    except FileRefused as error:
        raise WrongUse(f"{path} is not changed: {error}.") from None


def _values(text: str) -> dict[str, str | None]:
    from dotenv.parser import parse_stream

    return {line.key: line.value for line in parse_stream(io.StringIO(text)) if line.key is not None}


def _with(text: str, made: dict[str, str], path: Path) -> str:
    """The text with new values at its end, and without older lines of theirs."""
    from dotenv.parser import parse_stream

    kept = "".join(line.original.string for line in parse_stream(io.StringIO(text)) if line.key not in made)
    end = "\r\n" if "\r\n" in kept else "\n"
    if kept and not kept.endswith("\n"):
        kept += end
    new = kept + "".join(f"{line}{end}" for line in (_COMMENT, *(f"{name}={value}" for name, value in made.items())))
    if _values(new) != {**_values(text), **made}:
        raise WrongUse(f"{path} is not changed: a quote in it has no end, so what is added would be read as its text.")
    return new
