"""The file of the model's weights, read (`weights_file` finds it).

The matrices are stored in 4 bits: blocks of 32 numbers, a float16 scale and two numbers a byte.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLOCK = 32
_BYTES_OF_A_BLOCK = 2 + _BLOCK // 2


@dataclass(frozen=True, slots=True)
class Pieces:
    """The vocabulary.

    Attributes:
        texts: the pieces, by number.
        scores: the logarithm of each piece's probability.
        replaced: code points that are written differently before a text is cut (`str.translate`).
        controls: numbers of pieces that stand for no text.
        first: the number of the mark before a text.
        last: of the mark after it.
        unknown: of what is in no piece.
    """

    texts: list[str]
    scores: NDArray[np.float32]
    replaced: dict[int, str]
    controls: tuple[int, ...]
    first: int
    last: int
    unknown: int


class Weights:
    """The open file. The table of words stays in it, mapped; only what is asked for is read."""

    def __init__(self, path: Path) -> None:
        """
        Args:
            path: a file that `weights_file.checked_weights` accepted: nothing in it is doubted.
        """
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._bytes = np.frombuffer(self._map, np.uint8)
        self._at = len(b"E5S1")
        self._take("I")  # the version of the format
        self.width, self.layers, self.heads, self.inner, self.words, self.longest, _ = self._take("7i")
        self._take("fi")  # the epsilon of the norms, and the size of a block
        count, self._first, self._last, pad, self._unknown = self._take("5i")
        self._controls = (self._first, pad, self._last, self._unknown, count - 1)
        (length,) = self._take("Q")
        self._starts = self._array(np.uint32, count + 1)
        self._scores = self._array(np.float32, count)
        self._text = self._array(np.uint8, length)
        self._replacements, size = self._take("iI")
        self._table_at = self._at
        self._at += size
        self._tensors: dict[str, tuple[int, int, int]] = {}
        for _ in range(self._take("i")[0]):
            name = bytes(self._array(np.uint8, self._take("H")[0])).decode()
            _, numbers, offset, size = self._take("BIQQ")
            self._tensors[name] = (numbers, offset, size)

    @cached_property
    def pieces(self) -> Pieces:
        """The vocabulary, read when it is asked for."""
        # One string cut by characters is several times as fast as 250,000 decoded slices.
        joined = self._text.tobytes().decode()
        is_start = (self._text & 0xC0) != 0x80
        places = np.concatenate([[0], np.cumsum(is_start)])[self._starts].tolist()
        texts = [joined[start:end] for start, end in pairwise(places)]
        self._at = self._table_at
        replaced: dict[int, str] = {}
        for _ in range(self._replacements):
            point, length = self._take("IB")
            replaced[point] = "".join(map(chr, self._take(f"{length}I")))
        return Pieces(texts, self._scores, replaced, self._controls, self._first, self._last, self._unknown)

    def release(self) -> None:
        """Let go of what was read so far: it stays in the file, and is read again when it is asked for again."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)

    def floats(self, name: str) -> NDArray[np.float32]:
        """A tensor of float32, as it lies in the file."""
        numbers, offset, _ = self._tensors[name]
        return np.frombuffer(self._bytes, np.float32, numbers, offset)

    def blocks(self, name: str, columns: int) -> NDArray[np.uint8]:
        """A matrix of 4-bit numbers with so many columns, as it lies in the file: (rows, blocks, bytes)."""
        _, offset, size = self._tensors[name]
        return np.frombuffer(self._bytes, np.uint8, size, offset).reshape(-1, columns // _BLOCK, _BYTES_OF_A_BLOCK)

    def _take(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + form, self._bytes.data, self._at)
        self._at += struct.calcsize("<" + form)
        return values

    def _array(self, kind: Any, count: int) -> NDArray[Any]:
        found = np.frombuffer(self._bytes, kind, count, self._at)
        self._at += found.nbytes
        return found


def unpacked(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Blocks of 4-bit numbers as float32: (rows, columns)."""
    scales = np.ascontiguousarray(blocks[..., :2]).view(np.float16).astype(np.float32)
    packed = blocks[..., 2:]
    numbers = np.empty((*packed.shape[:-1], _BLOCK), np.float32)
    numbers[..., : _BLOCK // 2] = packed & 15
    numbers[..., _BLOCK // 2 :] = packed >> 4
    numbers -= np.float32(8)
    numbers *= scales
    return numbers.reshape(blocks.shape[0], -1)
