"""Rows as Dagster shows them: a table with named and typed columns, of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import dagster as dg

# An event is kept for weeks, and read whole by the page of the asset.
MOST_ROWS = 50
MOST_CHARACTERS = 160

Cell = str | int | float | bool | None
Kind = Literal["string", "int", "float", "bool"]


def table(columns: Mapping[str, Kind], rows: Iterable[Sequence[Cell]]) -> dg.TableMetadataValue:
    """The first `MOST_ROWS` rows. What is left out is counted in a last row, in the first column, which holds text.

    Args:
        columns: their names and what they hold, in order.
        rows: each with a cell a column. Long texts are cut.
    """
    every = list(rows)
    shown = [[_shown(cell) for cell in row] for row in every[:MOST_ROWS]]
    if (more := len(every) - len(shown)) > 0:
        shown.append([f"… and {more} more", *[None] * (len(columns) - 1)])
    return dg.MetadataValue.table(
        records=[dg.TableRecord(dict(zip(columns, row, strict=True))) for row in shown],
        schema=dg.TableSchema(columns=[dg.TableColumn(name, kind) for name, kind in columns.items()]),
    )


def _shown(cell: Cell) -> Cell:
    if not isinstance(cell, str):
        return cell
    line = " ".join(cell.split())
    return line if len(line) <= MOST_CHARACTERS else f"{line[: MOST_CHARACTERS - 1]}…"
