"""The installation's own file `.env`, and how its secrets are written: whole, one process at a time, for us alone."""

from __future__ import annotations

import fcntl
import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from arcana_pipelines.errors import FileRefused, WrongUse
from arcana_pipelines.home import DEFAULT, make_home, require_known
from arcana_pipelines.trusted_files import read_ours, require_own_folder, write_private

_COMMENT = "# Made by `arcana config`."


def own_file() -> Path:
    """`.env` in ARCANA_HOME, which is made where there is none, or ARCANA_ENV_FILE.

    Raises:
        InvalidSetting: the folder was not made here.
    """
    if only := os.environ.get("ARCANA_ENV_FILE"):
        return Path(only).expanduser().absolute()
    named = os.environ.get("ARCANA_HOME")
    home = Path(named or DEFAULT).expanduser().absolute()
    if not named:
        require_known(home)
    make_home(home)
    return home / ".env"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes from writing the file within the block.

    Raises:
        WrongUse: others can put files beside it, or there is no folder.
    """
    folder = path.parent
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


def values_of(path: Path) -> dict[str, str | None]:
    """What the file sets; nothing where there is none.

    Raises:
        WrongUse: it is not ours, or a link.
    """
    return _values(_text(path))


def set_values(path: Path, values: Mapping[str, str]) -> None:
    """Put variables at the end of the file, and take older lines of theirs away; what else stands there stays.

    Raises:
        WrongUse: it is not ours, or a link, or cannot be added to. Nothing was changed.
    """
    write_private(path, _with(_text(path), values, path))


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


def _with(text: str, made: Mapping[str, str], path: Path) -> str:
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
