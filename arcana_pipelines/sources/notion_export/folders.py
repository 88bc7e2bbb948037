"""The folders of an export as numbers, so that no folder's path is kept for each of its parts."""

from __future__ import annotations

from collections.abc import Iterator

from arcana_pipelines.sources.notion_export.names import ImpossiblePath

TOP = 0
MAX_FOLDERS = 200_000


class Folders:
    """A tree of names: each folder is a pair of the folder that holds it and its own name."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, str], int] = {}
        self._parents = [TOP]
        self._names = [""]
        self._last = ("", TOP)

    def add(self, path: str) -> int:
        """The number of a folder; the same for the same path. Empty is the top.

        Raises:
            ImpossiblePath: there are more folders than any export has.
        """
        if path == self._last[0]:
            return self._last[1]
        number = TOP
        for name in path.split("/") if path else ():
            key = (number, name)
            known = self._numbers.get(key)
            if known is None:
                if len(self._names) > MAX_FOLDERS:
                    raise ImpossiblePath(f"it holds more than {MAX_FOLDERS:,} folders")
                known = self._numbers[key] = len(self._names)
                self._parents.append(number)
                self._names.append(name)
            number = known
        self._last = (path, number)
        return number

    def find(self, path: str) -> int | None:
        """The number of a folder that was added, or None."""
        number: int | None = TOP
        for name in path.split("/") if path else ():
            number = self._numbers.get((number or TOP, name))
            if number is None:
                return None
        return number

    def parent(self, number: int) -> int:
        """The folder that holds this one; the top holds itself."""
        return self._parents[number]

    def name(self, number: int) -> str:
        """The last part of the folder's path."""
        return self._names[number]

    def all(self) -> Iterator[int]:
        """Every folder but the top, those above before those below."""
        return iter(range(1, len(self._names)))
