"""The file `.env`: read from a folder of ours, and never a way to send a secret elsewhere.

People unpack exports and go into their folders, so the current directory cannot be trusted. A variable of the
environment always wins over one of a file.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from arcana_pipelines.home import DEFAULT, is_known
from arcana_pipelines.settings import Settings, note_from_file

# Ours, and tokens that workspaces name; nothing that steers the interpreter, the loader or other programs.
_OURS = frozenset(name.upper() for name in Settings.model_fields)
_OURS_BY_NAME = re.compile(r"ARCANA_[A-Z0-9_]+|POSTGRES_PASSWORD|[A-Z0-9_]*TOKEN[A-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class EnvFile:
    """A file `.env` that was there.

    Attributes:
        refused: why it was not read, in words; None: it was.
        left_out: names of variables in it that are not ours, sorted.
        is_readable_by_others: its group or everyone may read it, and it may hold tokens; False of a refused one.
    """

    path: Path
    refused: str | None = None
    left_out: tuple[str, ...] = ()
    is_readable_by_others: bool = False


def read_env_files() -> list[EnvFile]:
    """Take what `.env` in ARCANA_HOME and in the project's own folder set and the environment does not.

    Returns the files that there are. The one in ARCANA_HOME wins over the other, which may say where ARCANA_HOME is.
    """
    files: list[EnvFile] = []
    values: dict[str, str] = {}
    for path in _files(values):
        if path.is_file() and path not in [file.path for file in files]:
            files.append(_read(path, values))
    taken = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(taken)
    note_from_file(taken)
    return files


def _files(values: dict[str, str]) -> Iterator[Path]:
    """Where `.env` may be: the project's own folder, if this is a checkout, then ARCANA_HOME, which it may name."""
    if only := os.environ.get("ARCANA_ENV_FILE"):
        yield Path(only).expanduser().absolute()
        return
    project = Path(__file__).resolve().parents[1]
    if (project / ".env.example").exists() and (project / "pyproject.toml").exists():
        yield project / ".env"
    named = os.environ.get("ARCANA_HOME") or values.get("ARCANA_HOME")
    home = Path(named or DEFAULT).expanduser().absolute()
    # One that was not named and that was not made here is refused when the settings are read.
    if named or is_known(home):
        yield home / ".env"


def _read(path: Path, values: dict[str, str]) -> EnvFile:
    from dotenv import dotenv_values

    try:
        refused = _not_ours(path) or _not_ours(path.parent)
        variables = {} if refused else dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        return EnvFile(path, f"it cannot be read ({error})")
    if refused:
        return EnvFile(path, refused)
    ours = {
        name: value for name, value in variables.items() if value and (name in _OURS or _OURS_BY_NAME.fullmatch(name))
    }
    values.update(ours)
    left_out = tuple(sorted(name for name, value in variables.items() if value and name not in ours))
    return EnvFile(path, None, left_out, bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH)))


def _not_ours(path: Path) -> str | None:
    """Why others may have written a file or folder, or None."""
    status = path.stat()
    if status.st_uid not in (os.geteuid(), 0):
        return f"{path} belongs to another user"
    if status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and not _is_private_group(status)):
        return f"others can write {path}: chmod go-w {path}"
    return None


def _is_private_group(status: os.stat_result) -> bool:
    """True for a group that is its user's alone, as many systems make one and let it write by default."""
    if status.st_gid == 0:
        return True
    try:
        group, user = grp.getgrgid(status.st_gid), pwd.getpwuid(status.st_uid)
    except KeyError:
        return False
    return group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
