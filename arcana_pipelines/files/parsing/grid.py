"""Tables whose cells cover several rows and columns, as rows of equal length."""

from __future__ import annotations

MOST_COLUMNS = 256
MOST_OF_REPEATED = 80  # characters of a cell: a longer one is no label of what it covers, and stands once
_MOST_REPEATED = 200_000  # cells and characters of them, in one table, that stand there once more


class Grid:
    """Rows of a table as they are read, from the top; a cell that covers others is repeated in them.

    What a file claims is believed so far only as it stays small: a cell covers rows that come, columns up to
    `MOST_COLUMNS`, and what is repeated altogether has a limit, beyond which cells stand once.
    """

    def __init__(self) -> None:
        self.rows: list[list[str]] = []
        self._below: dict[int, tuple[int, str]] = {}
        self._left = _MOST_REPEATED

    def row(self) -> None:
        """Begin the next row."""
        self._fill()
        self.rows.append([])

    def cell(self, text: str, columns: int = 1, rows: int = 1) -> None:
        """Add a cell to the row, at its first free place."""
        row = self.rows[-1]
        self._cover(row)
        for n in range(max(1, min(columns, MOST_COLUMNS - len(row)))):
            if n and not self._may_repeat(text) and self._left < 0:
                break
            repeated = text if len(text) <= MOST_OF_REPEATED else ""
            if rows > 1:
                self._below[len(row)] = (rows - 1, repeated)
            row.append(repeated if n else text)

    def again(self, columns: int = 1) -> None:
        """Add a cell that the one above it covers, as formats say it that have an element for each."""
        row = self.rows[-1]
        self._cover(row)
        for _ in range(max(1, min(columns, MOST_COLUMNS - len(row)))):
            above = self.rows[-2] if len(self.rows) > 1 else []
            text = above[len(row)] if len(row) < len(above) else ""
            row.append(text if len(text) <= MOST_OF_REPEATED and self._may_repeat(text) else "")

    def repeat(self, text: str) -> None:
        """Add a cell that the one to its left covers."""
        self.cell(text if len(text) <= MOST_OF_REPEATED and self._may_repeat(text) else "")

    def table(self) -> list[list[str]]:
        """The rows, without those and without columns that hold nothing; all equally long."""
        self._fill()
        rows = [row for row in self.rows if any(row)]
        columns = [n for n in range(max(map(len, rows), default=0)) if any(n < len(row) and row[n] for row in rows)]
        return [[row[n] if n < len(row) else "" for n in columns] for row in rows]

    def _cover(self, row: list[str]) -> None:
        while (covered := self._below.get(len(row))) is not None:
            left, text = covered
            if left <= 1:
                del self._below[len(row)]
            else:
                self._below[len(row)] = (left - 1, text)
            row.append(text if self._may_repeat(text) else "")

    def _fill(self) -> None:
        """Finish the last row: cells from above stand behind its own as well."""
        if self.rows and self._below:
            row = self.rows[-1]
            for column in sorted(self._below):
                if column >= len(row):
                    row.extend([""] * (column - len(row)))
                    self._cover(row)

    def _may_repeat(self, text: str) -> bool:
        self._left -= 1 + len(text)
        if self._left < 0:
            self._below.clear()
        return self._left >= 0
