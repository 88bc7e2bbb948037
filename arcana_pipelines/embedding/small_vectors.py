"""The vectors of tokens that the small model has: a file in the package wordllama, of which a question needs some rows.

Neither that package nor numpy is imported: a search that starts takes a fraction of what either takes.
"""

from __future__ import annotations

import json
import math
import operator
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from arcana_pipelines.chunking.tokens import damaged, package_folder
from arcana_pipelines.embedding.catalogue import SMALL_MODEL, dimensions_of
from arcana_pipelines.errors import ModelMissing

DIMENSIONS = dimensions_of(SMALL_MODEL)

# The header of the file has fewer bytes; one that is damaged may say any number.
_LONGEST_HEADER = 2**16
_ROW = struct.Struct(f"<{DIMENSIONS}e")


@dataclass(frozen=True, slots=True)
class StoredVectors:
    """Where in a file the vectors are: one row a token, each of `DIMENSIONS` float16, little-endian.

    Attributes:
        path: the file.
        begin: of the first row, in bytes.
        rows: how many there are.
    """

    path: Path
    begin: int
    rows: int

    def direction(self, tokens: Iterable[int]) -> list[float]:
        """The tokens' mean at unit length; a token that the model does not know has the last row.

        Without one known token there is no direction: the first axis stands for it.

        Raises:
            ModelMissing: the file cannot be read any more.
        """
        sums = [0.0] * DIMENSIONS
        try:
            with self.path.open("rb") as file:
                for token in tokens:
                    file.seek(self.begin + min(token, self.rows - 1) * _ROW.size)
                    sums = list(map(operator.add, sums, _ROW.unpack(file.read(_ROW.size))))
        except (OSError, struct.error) as error:
            raise damaged(self.path, error) from error
        length = math.hypot(*sums)
        return [each / length for each in sums] if length > 0 else [1.0] + [0.0] * (DIMENSIONS - 1)


@cache
def stored_vectors() -> StoredVectors:
    """The vectors as the package's file has them: a header in JSON behind its length, then the numbers.

    The file is read without the library, whose import takes longer than a search: https://github.com/huggingface/safetensors

    Raises:
        ModelMissing: it is not installed, or cannot be read.
    """
    path = _weights()
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            stored = json.loads(file.read(min(length, _LONGEST_HEADER)))["embedding.weight"]
            rows, width = stored["shape"]
            if stored["dtype"] != "F16" or stored["data_offsets"][0] != 0 or width != DIMENSIONS or rows < 1:
                raise ValueError("it holds other numbers than this release reads")
            if file.seek(0, 2) < 8 + length + rows * _ROW.size:
                raise ValueError("it is cut short")
        return StoredVectors(path, 8 + length, rows)
    except (OSError, ValueError, LookupError, TypeError, struct.error) as error:
        raise damaged(path, error) from error


def missing() -> ModelMissing | None:
    """What to say where the package or its file is not there, which is seen without reading it; else None."""
    try:
        path = _weights()
        try:
            path.stat()
        except OSError as error:
            raise damaged(path, error) from error
    except ModelMissing as error:
        return error
    return None


def _weights() -> Path:
    return package_folder() / "weights" / f"l2_supercat_{DIMENSIONS}.safetensors"
