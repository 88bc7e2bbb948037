"""Files that say what Arcana does, or hold its secrets: read when nobody else can have written them.

What is judged is the file that was opened, not what bears its name a moment later.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shlex
import stat
import tempfile
from pathlib import Path
from typing import IO

from arcana_pipelines.errors import FileRefused

_LONGEST = 1 << 20  # bytes


def read_ours(path: Path) -> tuple[str, os.stat_result]:
    """The text of a file, or of what a link leads to, and its status.

    Raises:
        FileRefused: others may have written it or a folder it lies in, or it is no text.
        OSError: it cannot be read.
    """
    with _open(path) as file:
        status = os.fstat(file.fileno())
        _refuse_others(path, status)
        return _text(file), status


def read_secret(path: Path) -> str:
    """A secret that is the whole of a file, without spaces and line breaks around it.

    Raises:
        FileRefused: others may have written it or can read it, or it is empty or no text.
        OSError: it cannot be read.
    """
    with _open(path) as file:
        # Docker and Kubernetes mount secrets so, with any owner and often for all users of the container: nobody in it
        # can write there, and there is nobody else in it.
        if not os.fstatvfs(file.fileno()).f_flag & os.ST_RDONLY:
            status = os.fstat(file.fileno())
            _refuse_others(path, status)
            if status.st_mode & stat.S_IROTH and status.st_uid == os.geteuid():
                raise FileRefused(f"others can read it: chmod 600 {shlex.quote(str(path))}")
        secret = _text(file).strip()
    if not secret:
        raise FileRefused("it is empty")
    return secret


def write_private(path: Path, text: str) -> None:
    """Put a file in place whole, readable by its owner alone: half a key would be another key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def require_own_folder(folder: Path) -> None:
    """Refuse a folder that others can put files into.

    Raises:
        FileRefused: they can.
    """
    if reason := _not_ours(folder, folder.stat()):
        raise FileRefused(reason)


def _open(path: Path) -> IO[bytes]:
    # Without O_NONBLOCK a pipe would wait for who writes into it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileRefused("it is not a plain file")
    return os.fdopen(descriptor, "rb")


def _text(file: IO[bytes]) -> str:
    content = file.read(_LONGEST + 1)
    if len(content) > _LONGEST:
        raise FileRefused("it is larger than 1 MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileRefused("it cannot be read: it is not UTF-8") from None


def _refuse_others(path: Path, status: os.stat_result) -> None:
    folders = {path.parent, path.resolve().parent}
    for each, its_status in ((path, status), *((folder, folder.stat()) for folder in sorted(folders))):
        if reason := _not_ours(each, its_status):
            raise FileRefused(reason)


def _not_ours(path: Path, status: os.stat_result) -> str | None:
    if status.st_uid not in (os.geteuid(), 0):
        return f"{path} belongs to another user"
    if status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and not _is_private_group(status)):
        return f"others can write {path}: chmod go-w {shlex.quote(str(path))}"
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
