"""What the model was taught beside what it came with: which passage of a company's pages answers which question.

Of each matrix a small change, a product of two narrow matrices, made by `benchmarks/tuning/train.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FILE = Path(__file__).with_name("learned.npz")
# The matrices of a layer that are changed: queries, keys, values, what is attended, the inner layer and out of it.
MATRICES = ("q", "k", "v", "ao", "fi", "fo")


class Learned:
    """The changes, read when they are asked for."""

    def __init__(self) -> None:
        with np.load(FILE) as arrays:
            self._parts = {name: arrays[name] for name in arrays.files}

    def change(self, layer: int, name: str) -> NDArray[np.float32]:
        """What is added to one of the `MATRICES` of a layer, of its shape."""
        one, other = (self._parts[f"{layer}.{name}.{side}"].astype(np.float32) for side in "ab")
        return np.asarray(one @ other)
