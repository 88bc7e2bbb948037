"""The folder of an installation, and how one that was made here is told from one that came with other people's files.

What stands in it is trusted: `.env`, `dagster.yaml` and PostgreSQL's configuration can name programs. By default it is
`.arcana` in the current directory, and people unpack exports and go into their folders. So that folder is used when
ARCANA_HOME names it, or when it bears our mark: its own inode in an extended attribute, which no archive can foretell,
or, where a file system has none, a line in the user's own state.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from arcana_pipelines.errors import InvalidSetting

DEFAULT = Path(".arcana")
_MARK = "user.arcana.home"
# In a home that is being restored, until all of it is there.
_UNFINISHED = "restore-unfinished"
# Those that this process restores.
_being_restored: set[Path] = set()


def make_home(home: Path) -> None:
    """Make the folder, closed to others, and mark it as made here. One that is there is closed while it is empty.

    Raises:
        OSError: it cannot be made, or not be marked.
    """
    if home.exists():
        _close_while_empty(home)
        return
    try:
        home.mkdir(mode=0o700, parents=True)
    except FileExistsError:  # another process makes it at this moment
        return
    try:
        os.setxattr(home, _MARK, _inode(home))  # type: ignore[attr-defined, unused-ignore]
    except (OSError, AttributeError):  # AttributeError: macOS
        _write_down(home)


def is_empty(home: Path) -> bool:
    """Whether nothing is in the folder yet."""
    with os.scandir(home) as entries:
        return next(entries, None) is None


def _close_while_empty(home: Path) -> None:
    """Close one that somebody made with `mkdir`: what comes into it is nobody else's. A full one is left as it is."""
    # A file system without modes, or a folder that cannot be listed: `arcana doctor` tells that.
    with suppress(OSError):
        status = home.stat()
        if status.st_uid == os.geteuid() and status.st_mode & 0o077 and is_empty(home):
            home.chmod(0o700)


def room_in(home: Path) -> Path:
    """Where files are made that have no folder of their own: the home, or its `storage` where the home is closed.

    It is in a container whose root is read-only, with volumes below.
    """
    storage = home / "storage"
    return storage if storage.is_dir() and not os.access(home, os.W_OK | os.X_OK) else home


def require_known(home: Path) -> None:
    """Refuse a default folder that bears no mark.

    Raises:
        InvalidSetting: it may have been unpacked; the message says how to use it all the same.
    """
    if home.exists() and not is_known(home):
        raise InvalidSetting(
            f"{home} was not made here by arcana (an unpacked archive may have brought it, or it was copied), and what "
            f"stands in it can run programs. If it is yours, name it: export ARCANA_HOME={home}"
        )


def is_known(home: Path) -> bool:
    """Was this folder made by `make_home`, where it is, by this user, and can no one else write into it?

    Another user who makes a folder knows its inode, and may mark it so.
    """
    try:
        status = home.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            return False
        return os.getxattr(home, _MARK) == _inode(home)  # type: ignore[attr-defined, unused-ignore, no-any-return]
    except AttributeError:
        pass
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            return False
    try:
        return str(home.resolve()) in _written_down().read_text(encoding="utf-8").splitlines()
    except OSError:
        return False


def is_unfinished(home: Path) -> bool:
    """Was a restore into this folder begun, and not finished?"""
    return (home / _UNFINISHED).exists()


def refuse_unfinished(home: Path) -> None:
    """Refuse to work with half of what was backed up, unless this process is the one that restores it.

    Raises:
        InvalidSetting: a restore is under way there, or was killed.
    """
    if home not in _being_restored and is_unfinished(home):
        raise InvalidSetting(
            f"A restore into {home} is under way or was interrupted, so it is not used. Run `arcana restore` into it "
            "again, or remove the folder."
        )


@contextmanager
def being_restored(home: Path) -> Iterator[None]:
    """Mark a home as unfinished; the mark goes when the block ends without an error."""
    make_home(home)
    path = home / _UNFINISHED
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "rb") as mark:
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidSetting(f"Another process restores into {home}: wait for its end.") from None
        _being_restored.add(home)
        try:
            yield
        finally:
            _being_restored.discard(home)
        path.unlink()


def _inode(home: Path) -> bytes:
    return str(home.stat().st_ino).encode()


def _written_down() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "arcana" / "homes"


def _write_down(home: Path) -> None:
    file = _written_down()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as homes:
        homes.write(f"{home.resolve()}\n")
