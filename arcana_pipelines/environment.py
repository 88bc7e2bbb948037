"""The files `.env`: read from a folder of ours, and never a way to send a secret elsewhere.

People unpack exports and go into their folders, so the current directory cannot be trusted. A variable of the
environment always wins over one of a file, and so does a secret's file that the environment names (`NAME_FILE`).
"""

from __future__ import annotations

import io
import os
import re
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from arcana_pipelines.errors import FileRefused, InvalidSetting
from arcana_pipelines.home import DEFAULT, is_known
from arcana_pipelines.settings import from_files, is_ours, is_secret, note_from_file, take_anew
from arcana_pipelines.trusted_files import read_ours

# Which files are read, and what came from them, is for the environment alone to say. So is where a secret's file is:
# else a file with an address would get what lies elsewhere.
_OF_THE_ENVIRONMENT = re.compile(r"ARCANA_ENV|ARCANA_FROM_ENV_FILE|OTEL_\w+|\w+_FILE")
# What a running process reads anew: what sources are opened with, and what summaries are made by.
_ANEW = re.compile(r"(?:NOTION|FRESHDESK|SUMMARY)_[A-Z0-9_]+|ENCRYPTION_KEY(?:_PREVIOUS)?|[A-Z0-9_]*TOKEN[A-Z0-9_]*")

# As in `.env.production`; what other files beside `.env` are called is not among them.
_STAGE = re.compile(r"(?!(?:local|example|sample|template)$)[a-z0-9][a-z0-9_-]{0,31}")


@dataclass(frozen=True, slots=True)
class EnvFile:
    """A file `.env…` that was there.

    Attributes:
        refused: why it was not read, in words; None: it was.
        left_out: names of variables in it that are not ours, sorted.
        is_readable_by_others: its group or everyone may read it, and it may hold tokens; False of a refused one.
        unread_lines: numbers of lines that are no `NAME=value`.
        taken: names of variables that it set, sorted: those that nothing before it sets.
    """

    path: Path
    refused: str | None = None
    left_out: tuple[str, ...] = ()
    is_readable_by_others: bool = False
    unread_lines: tuple[int, ...] = ()
    taken: tuple[str, ...] = ()


def read_env_files() -> list[EnvFile]:
    """Take what files `.env…` in ARCANA_HOME and in the project's own folder set and the environment does not.

    Returns the files that there are, in the order in which they win: in each folder `.env.{ARCANA_ENV}`, `.env.local`,
    `.env`; those in ARCANA_HOME before the project's, which may say where ARCANA_HOME is.

    Raises:
        InvalidSetting: ARCANA_ENV is not a name.
    """
    note_from_file(())
    if only := os.environ.get("ARCANA_ENV_FILE"):
        # What is started runs in other folders.
        os.environ["ARCANA_ENV_FILE"] = str(Path(only).expanduser().absolute())
    return [_take(file, values) for file, values in _found()]


def read_anew() -> None:
    """Take what the files say now of sources and summaries: what `arcana up` starts runs for weeks.

    All else stays as it was at the start: processes must agree on it. Where nobody has read the files at the start,
    they are not read now.
    """
    taken = from_files()
    if taken is None:
        take_anew({})
        return
    said: dict[str, str] = {}
    for _, values in reversed(_found()):
        said |= values
    names = (name for name in {*said, *taken} if _ANEW.fullmatch(name))
    ours = [name for name in names if (name in taken or name not in os.environ) and not _has_a_file(name)]
    take_anew({name: said.get(name, "") for name in ours})


def _found() -> list[tuple[EnvFile, dict[str, str]]]:
    """The files that there are, in the order in which they win, with what they set."""
    if only := os.environ.get("ARCANA_ENV_FILE"):
        return [_read(path) for path in [Path(only).expanduser().absolute()] if path.is_file()]
    of_project = [_read(path) for path in _files_in(_project())]
    home = _home([values for _, values in of_project])
    of_home = [_read(path) for path in _files_in(home) if path not in [file.path for file, _ in of_project]]
    return [*of_home, *of_project]


def _project() -> Path | None:
    """The project's own folder, if this is a checkout."""
    project = Path(__file__).resolve().parents[1]
    return project if (project / ".env.example").exists() and (project / "pyproject.toml").exists() else None


def _home(of_project: list[dict[str, str]]) -> Path | None:
    """ARCANA_HOME, which the project's files may name."""
    named = next(filter(None, (values.get("ARCANA_HOME") for values in (os.environ, *of_project))), None)
    home = Path(named or DEFAULT).expanduser().absolute()
    # One that was not named and that was not made here is refused when the settings are read.
    return home if named or is_known(home) else None


def _files_in(folder: Path | None) -> list[Path]:
    stage = os.environ.get("ARCANA_ENV")
    if stage and not _STAGE.fullmatch(stage):
        raise InvalidSetting(
            "ARCANA_ENV must be a name in lower-case letters, digits, - and _, such as production: it names the file "
            ".env.production. local, example, sample and template are names of other files."
        )
    names = [*([f".env.{stage}"] if stage else []), ".env.local", ".env"]
    return [] if folder is None else [folder / name for name in names if (folder / name).is_file()]


def _read(path: Path) -> tuple[EnvFile, dict[str, str]]:
    from dotenv.parser import parse_stream

    try:
        text, status = read_ours(path)
    except FileRefused as error:
        return EnvFile(path, str(error)), {}
    except OSError as error:
        return EnvFile(path, f"it cannot be read ({error.strerror})"), {}
    lines = list(parse_stream(io.StringIO(text)))
    variables = {line.key: line.value for line in lines if line.key is not None and line.value}
    ours = {
        name: value for name, value in variables.items() if is_ours(name) and not _OF_THE_ENVIRONMENT.fullmatch(name)
    }
    file = EnvFile(
        path,
        left_out=tuple(sorted(variables.keys() - ours.keys())),
        is_readable_by_others=bool(status.st_mode & (stat.S_IRGRP | stat.S_IROTH)),
        unread_lines=tuple(line.original.line for line in lines if line.error),
    )
    return file, ours


def _take(file: EnvFile, values: dict[str, str]) -> EnvFile:
    taken = {name: value for name, value in values.items() if name not in os.environ and not _has_a_file(name)}
    os.environ.update(taken)
    note_from_file(taken)
    return replace(file, taken=tuple(sorted(taken)))


def _has_a_file(name: str) -> bool:
    return is_secret(name) and bool(os.environ.get(f"{name}_FILE"))
