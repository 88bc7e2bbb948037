"""Files that rows are exported into, a batch at a time: Parquet, CSV, JSON lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from arcana_pipelines import plugins
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.files.csv_cells import cell

Rows = Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file.

    Attributes:
        name: the header of a CSV, the key in JSON lines, the field of a Parquet file.
        kind: what its values are. `texts` and `vector` (float32) come as the text of a JSON list, `json` as
            that of an object.
    """

    name: str
    kind: Literal["text", "address", "integer", "time", "texts", "vector", "json"] = "text"


class RowWriter(Protocol):
    """An open file."""

    def write(self, rows: Rows) -> None:
        """Append rows, whose values stand in the order of the columns."""
        ...


OpenWriter = Callable[[Path, Sequence[Column]], AbstractContextManager[RowWriter]]


def writer_of(file: Path) -> OpenWriter:
    """What writes a file of this name, by its ending.

    Raises:
        WrongUse: it has another ending, or pyarrow is missing for .parquet.
    """
    if file.suffix == ".csv":
        return _open_csv
    if file.suffix == ".jsonl":
        return _open_jsonl
    if file.suffix == ".parquet":
        with plugins.optional(f"'{file.name}'", "export"):
            import pyarrow  # noqa: F401
        return _open_parquet
    raise WrongUse(f"'{file.name}' does not say what to write: end its name in .parquet, .csv or .jsonl.")


@dataclass(frozen=True, slots=True)
class _Csv:
    rows: Any

    def write(self, rows: Rows) -> None:
        self.rows.writerows(tuple(cell(_plain(value)) for value in row) for row in rows)


@contextmanager
def _open_csv(path: Path, columns: Sequence[Column]) -> Iterator[RowWriter]:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([column.name for column in columns])
        yield _Csv(rows)


@dataclass(frozen=True, slots=True)
class _JsonLines:
    file: Any
    columns: Sequence[Column]

    def write(self, rows: Rows) -> None:
        self.file.writelines(f"{{{', '.join(map(self._member, self.columns, row))}}}\n" for row in rows)

    def _member(self, column: Column, value: Any) -> str:
        is_json = column.kind in ("texts", "vector", "json") and value is not None
        shown = value if is_json else json.dumps(_plain(value), ensure_ascii=False)
        return f"{json.dumps(column.name)}: {shown}"


@contextmanager
def _open_jsonl(path: Path, columns: Sequence[Column]) -> Iterator[RowWriter]:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        yield _JsonLines(file, columns)


@dataclass(frozen=True, slots=True)
class _Parquet:
    file: Any
    columns: Sequence[Column]

    def write(self, rows: Rows) -> None:
        import pyarrow

        arrays = [
            pyarrow.array([_typed(column, row[number]) for row in rows], self.file.schema.field(number).type)
            for number, column in enumerate(self.columns)
        ]
        self.file.write_batch(pyarrow.RecordBatch.from_arrays(arrays, schema=self.file.schema))


@contextmanager
def _open_parquet(path: Path, columns: Sequence[Column]) -> Iterator[RowWriter]:
    import pyarrow
    import pyarrow.parquet

    types = {
        "text": pyarrow.string(),
        "address": pyarrow.string(),
        "integer": pyarrow.int64(),
        "time": pyarrow.timestamp("us", tz="UTC"),
        "texts": pyarrow.list_(pyarrow.string()),
        "vector": pyarrow.list_(pyarrow.float32()),
        "json": pyarrow.string(),
    }
    schema = pyarrow.schema([(column.name, types[column.kind]) for column in columns])
    with pyarrow.parquet.ParquetWriter(path, schema) as file:
        yield _Parquet(file, columns)


def _plain(value: Any) -> Any:
    """A value as CSV and JSON have it: times are ISO 8601."""
    return value.isoformat() if hasattr(value, "isoformat") else value


def _typed(column: Column, value: Any) -> Any:
    if value is None:
        return None
    if column.kind == "vector":
        import numpy as np

        return np.fromstring(value[1:-1], dtype=np.float32, sep=",")
    return json.loads(value) if column.kind == "texts" else value
