"""Folders that are closed to other users, and the way of one system user through closed folders to its own.

A folder in a place that others can write to is never taken as found: it is ours, no link and closed, or refused.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import stat
import struct
import tempfile
from collections.abc import Iterable
from pathlib import Path

from arcana_pipelines.errors import DatabaseUnreachable

log = logging.getLogger(__name__)

# A path in a sockaddr_un holds 107 bytes; PostgreSQL adds "/.s.PGSQL.5432.lock".
MAX_SOCKET_FOLDER_BYTES = 85

# The layout of access lists: linux/posix_acl_xattr.h. Written here because the program setfacl is mostly missing.
_ACL = "system.posix_acl_access"
_VERSION, _ENTRY = struct.Struct("<I"), struct.Struct("<HHI")
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NOBODY = 0xFFFFFFFF
_SEARCH = 1

# Files that hold secrets by their names.
_SECRETS = re.compile(
    r"\.env(?!.*(?:example|sample|template)).*|\.netrc|\.pgpass|\.pypirc|id_[a-z0-9]+|.*\.(?:pem|key)"
    r"|.*tokens?(?:\.[a-z]+)?|.*(?:secret|credential).*",
    re.IGNORECASE,
)


def require_own(folder: Path) -> None:
    """Refuse to work in a folder that another user owns.

    Raises:
        DatabaseUnreachable: it is.
    """
    status = folder.stat()
    if status.st_uid != os.geteuid():
        raise DatabaseUnreachable(
            f"{folder}, the folder of the embedded PostgreSQL, belongs to the user {status.st_uid}, and this is the "
            f"user {os.geteuid()}: run as that user, or set ARCANA_HOME to a folder of your own."
        )


def close_to_others(paths: Iterable[Path]) -> None:
    """Take the rights of group and others away from what is ours, but for passing through by an access list."""
    for path in paths:
        with contextlib.suppress(OSError):
            status = path.lstat()
            if status.st_uid != os.geteuid() or stat.S_ISLNK(status.st_mode):
                continue
            if open_bits := _open_bits(path, status):
                path.chmod(stat.S_IMODE(status.st_mode) & ~open_bits)


def closing_mode(folder: Path) -> str | None:
    """What `chmod` has to be told to close a folder of ours to others. None: it is closed, or not ours.

    A folder that the group can pass through and not list counts as closed: `let_pass` leaves it so.
    """
    status = folder.stat()
    open_bits = _open_bits(folder, status)
    if status.st_uid != os.geteuid() or open_bits in (0, stat.S_IXGRP):
        return None
    return "700" if open_bits == status.st_mode & 0o077 else "g-rw,o="


def _open_bits(path: Path, status: os.stat_result) -> int:
    """The rights of group and others. With an access list, those of the group are what its entries have at most."""
    try:
        has_list = _ACL in os.listxattr(path)
    except OSError:  # the file system has none
        has_list = False
    return status.st_mode & (0o067 if has_list else 0o077)


def require_private(folder: Path, owner: int) -> None:
    """Refuse a folder that is a link, not `owner`'s (a user id), or open to others.

    Raises:
        DatabaseUnreachable: it is.
        FileNotFoundError: there is none.
    """
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        wrong = "is not a folder"
    elif status.st_uid != owner:
        wrong = f"belongs to the user {status.st_uid}, not {owner}"
    elif status.st_mode & 0o077:
        wrong = f"is open to others (mode {stat.S_IMODE(status.st_mode):o})"
    else:
        return
    raise DatabaseUnreachable(
        f"{folder}, where the embedded PostgreSQL has its socket, {wrong}: it is not used, as its maker could "
        "read and change everything. Remove it and run the command again."
    )


def socket_folder(folder: Path) -> Path | None:
    """Where the server of this folder has its socket: `run` inside it, or the noted one where that is too long a path.

    None: it is too long, and none was made yet.
    """
    inside = folder / "run"
    if len(os.fsencode(inside)) <= MAX_SOCKET_FOLDER_BYTES:
        return inside
    note = folder / "socket_folder"
    return Path(os.fsdecode(note.read_bytes())) if note.exists() else None


def write_for_reader(path: Path, text: str, reader: int, group: int) -> None:
    """Write a file into a folder of ours, whole or not at all, that the user `reader` may read by this group of his."""
    mode = 0o600 if reader == os.geteuid() else 0o640
    if not path.is_symlink() and path.is_file():
        status = path.stat()
        is_for_reader = stat.S_IMODE(status.st_mode) == mode and (mode == 0o600 or status.st_gid == group)
        if status.st_uid == os.geteuid() and is_for_reader and path.read_text(encoding="utf-8") == text:
            return
    descriptor, new = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        if mode == 0o640:
            os.fchown(descriptor, -1, group)
        os.fchmod(descriptor, mode)
    os.replace(new, path)


def read_of_owner(folder: Path, name: str, owner: int, most_bytes: int) -> bytes | None:
    """The beginning of a file in a folder where `owner` may have put anything: None unless it is his own plain file."""
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Without O_NONBLOCK a pipe in its place would be waited for.
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    finally:
        os.close(directory)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != owner:
            return None
        return os.read(file, most_bytes)
    finally:
        os.close(file)


def make_socket_folder(folder: Path, owner: int, group: int) -> Path:
    """Make the socket's folder, for this user and group alone, where it is missing, and return it.

    In the temporary directory it has a new, random name, which is noted: no one can have made it before us.

    Raises:
        DatabaseUnreachable: something that cannot be trusted is in its place.
    """
    sockets = socket_folder(folder)
    if sockets is None or (sockets.parent != folder and not _is_private(sockets, owner)):
        sockets = Path(tempfile.mkdtemp(prefix="arcana-", dir=_short_temporary()))
        (folder / "socket_folder").write_bytes(os.fsencode(sockets))
        os.chown(sockets, owner, group)
    elif not sockets.is_symlink() and not sockets.exists():
        sockets.mkdir(mode=0o700)
        os.chown(sockets, owner, group)
    elif sockets.is_dir() and not sockets.is_symlink() and sockets.stat().st_uid == owner:
        sockets.chmod(0o700)  # inside our own folder: a copy of the installation may have lost the mode
    require_private(sockets, owner)
    return sockets


def _is_private(folder: Path, owner: int) -> bool:
    try:
        require_private(folder, owner)
    except (OSError, DatabaseUnreachable):
        return False
    return True


def _short_temporary() -> str:
    for candidate in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        if (
            len(os.fsencode(candidate)) <= MAX_SOCKET_FOLDER_BYTES - len("/arcana-12345678")
            and Path(candidate).is_dir()
        ):
            return candidate
    raise DatabaseUnreachable("No temporary directory has a path short enough for a socket: set TMPDIR to one.")


def let_pass(path: Path, user: int, group: int, ours: Path) -> None:
    """Let one user walk through the parents of `path` that are closed: him alone, and without reading.

    It is an entry of the folder's access list. Where the file system has none, folders from `ours` downwards are
    opened to that user's group instead.

    Raises:
        DatabaseUnreachable: another folder is closed, and its file system has no access lists.
    """
    for parent in sorted({*path.absolute().parents, *path.resolve().parents}, key=lambda folder: len(folder.parts)):
        if parent.stat().st_mode & stat.S_IXOTH:
            continue
        try:
            _allow_search(parent, user)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EPERM, errno.ENOSYS, errno.EINVAL):
                raise
            if not parent.is_relative_to(ours):
                raise DatabaseUnreachable(
                    f"PostgreSQL does not run as root, and {parent} is closed to the user it runs as. Its file system "
                    "has no access lists by which that user alone could pass. Run Arcana as an ordinary user, set "
                    "ARCANA_HOME to a folder outside, or set DATABASE_URL to a server of your own."
                ) from error
            os.chown(parent, -1, group)
            parent.chmod(stat.S_IMODE(parent.stat().st_mode) & ~0o077 | stat.S_IXGRP)


def secrets_on_the_way(path: Path) -> list[Path]:
    """Files with secrets, by their names, that a user who may pass through the closed parents of `path` can read.

    `let_pass` lets the server's user pass and not list; a file there that its mode leaves to everybody is his to read.
    """
    files = set()
    for parent in {*path.absolute().parents, *path.resolve().parents}:
        with contextlib.suppress(OSError):
            if parent.stat().st_mode & stat.S_IXOTH:
                continue
            for entry in os.scandir(parent):
                if _SECRETS.fullmatch(entry.name) and entry.is_file() and entry.stat().st_mode & stat.S_IROTH:
                    files.add(parent / entry.name)
    return sorted(files)


def _allow_search(folder: Path, user: int) -> None:
    entries = _access_list(folder)
    mask = next((rights for tag, rights, _ in entries if tag == _MASK), 7)
    mine = next((rights for tag, rights, who in entries if (tag, who) == (_USER, user)), 0)
    if mine & mask & _SEARCH:
        return
    log.info("letting the user %s, and no one else, pass through %s", user, folder)
    # What the old mask took away stays away when the new one is wider.
    others = [
        (tag, rights & mask if tag in (_USER, _GROUP_OBJ, _GROUP) else rights, who)
        for tag, rights, who in entries
        if tag != _MASK and (tag, who) != (_USER, user)
    ]
    entries = [*others, (_USER, mine & mask | _SEARCH, user)]
    mask = 0
    for tag, rights, _ in entries:
        if tag in (_USER, _GROUP_OBJ, _GROUP):
            mask |= rights
    entries.append((_MASK, mask, _NOBODY))
    packed = [_ENTRY.pack(*entry) for entry in sorted(entries, key=lambda entry: (entry[0], entry[2]))]
    os.setxattr(folder, _ACL, _VERSION.pack(2) + b"".join(packed))


def _access_list(folder: Path) -> list[tuple[int, int, int]]:
    try:
        packed = os.getxattr(folder, _ACL)
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
        mode = folder.stat().st_mode
        return [(_USER_OBJ, mode >> 6 & 7, _NOBODY), (_GROUP_OBJ, mode >> 3 & 7, _NOBODY), (_OTHER, mode & 7, _NOBODY)]
    return [(tag, rights, who) for tag, rights, who in _ENTRY.iter_unpack(packed[_VERSION.size :])]
