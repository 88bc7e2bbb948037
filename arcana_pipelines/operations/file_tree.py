"""Files of this machine that somebody names, alone or with the folder that they lie in."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from arcana_pipelines.errors import WrongUse


@dataclass(frozen=True, slots=True)
class Found:
    """A file that was found.

    Attributes:
        parts: what it is called: of one that was named its name; of one in a folder the folder's name and those below.
    """

    path: Path
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What was found and is not taken, and why.

    Attributes:
        is_meant: it is left out by rule, and nothing is missing.
    """

    path: Path
    reason: str
    is_meant: bool = False


def found_in(paths: Sequence[Path], name: str | None = None) -> Iterator[Found | LeftOut]:
    """The files at these paths, and all in the folders among them, in the order of their names.

    What is named is taken, whatever it is called; in folders hidden files and links are left out, and what is no file.

    Args:
        name: what the one path is called, in the place of its own name.

    Raises:
        WrongUse: several paths are to have one name.
    """
    if name is not None and len(paths) != 1:
        raise WrongUse("--name is what one path is called: give one.")
    for path in paths:
        real = path.resolve()
        called = name or real.name
        if real.is_dir():
            yield from _below(real, (called,))
        elif real.is_file():
            yield Found(real, (called,))
        else:
            yield LeftOut(path, "is no file")


def _below(folder: Path, parts: tuple[str, ...]) -> Iterator[Found | LeftOut]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield LeftOut(folder, error.strerror or "cannot be read")
        return
    for entry in entries:
        path, inside = Path(entry.path), (*parts, entry.name)
        if entry.name.startswith("."):
            yield LeftOut(path, "is hidden", is_meant=True)
        elif entry.is_symlink():
            yield LeftOut(path, "is a link", is_meant=True)
        elif entry.is_dir(follow_symlinks=False):
            yield from _below(path, inside)
        elif stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
            yield Found(path, inside)
        else:
            yield LeftOut(path, "is no file", is_meant=True)
