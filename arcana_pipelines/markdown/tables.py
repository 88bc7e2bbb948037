"""Tables: from pipe rows or `<table>` to pipe rows with a header line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from arcana_pipelines.markdown.inline import Mentions, read_inline
from arcana_pipelines.markdown.tags import tag_pattern

_DELIMITER = re.compile(r"\|?+[ \t]*+:?+-++:?+[ \t]*+(?:\|[ \t]*+:?+-++:?+[ \t]*+)*+\|?+$")
_BAR = re.compile(r"(?<!\\)\|")
_CELL_TAG = tag_pattern("tr|td|th")
_CELL_TOKEN = re.compile(rf"\\[!-/:-@\[-`{{-~]|`[^`\n]*`|{_CELL_TAG.pattern}")


def is_delimiter(line: str) -> bool:
    """Whether a line is the `| --- | --- |` below a header."""
    return "-" in line and "|" in line and _DELIMITER.match(line.strip()) is not None


def pipe_cells(line: str) -> list[str]:
    """The raw cells of a pipe row. Bars are escaped even inside code (GFM, section 4.10)."""
    line = line.strip()
    if line.startswith("|"):
        line = line[1:]
    cells = _BAR.split(line)
    if len(cells) > 1 and not cells[-1].strip():
        cells.pop()
    return [cell.replace("\\|", "|") for cell in cells]


def html_cells(source: str) -> list[list[str]]:
    """The raw cells of what stands between `<table>` and `</table>`, row by row."""
    rows: list[list[str]] = []
    cell_start: int | None = None

    def close(end: int) -> None:
        nonlocal cell_start
        if cell_start is not None:
            if not rows:
                rows.append([])
            rows[-1].append(source[cell_start:end])
            cell_start = None

    for match in _CELL_TOKEN.finditer(source):
        name = match.group("name")
        if name is None:
            continue
        close(match.start())
        if name == "tr":
            if not match.group("closing"):
                rows.append([])
        elif not match.group("closing"):
            cell_start = match.end()
            if match.group("self"):
                close(match.end())
    close(len(source))
    return rows


def write_table(rows: Iterable[Sequence[str]]) -> str:
    """Cells in the normal form as a pipe table; empty when no cell has text."""
    lines = [list(row) for row in rows if any(row)]
    if not lines:
        return ""
    width = max(len(row) for row in lines)
    # One wide row among many short ones would make a text of their product.
    is_even = width * len(lines) <= 10_000 + 10 * sum(map(len, lines))
    written = [_row(row + [""] * (width - len(row)) if is_even else row) for row in lines]
    written.insert(1, _row(["---"] * (width if is_even else 1)))
    return "\n".join(written)


def read_cell(source: str, mentions: Mentions | None = None) -> str:
    """One cell's text in the normal form, on one line."""
    text = read_inline(source, mentions)
    return read_inline(text.replace("\n", " ")) if "\n" in text else text


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
