"""What every contestant's process has in common: its arguments, the embedder, the clock, its one line of output."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOKEN = "ntn_stand_in_token"
AT_ONCE = 32  # requests in flight, where a contestant lets one choose
CHUNK_CHARACTERS = 1000  # where a contestant lets one choose; no overlap
DIMENSIONS = 256


@dataclass(frozen=True)
class Task:
    """One sync. The phase `cold` comes first and finds an empty state and an empty database."""

    phase: str
    state: Path
    database: str
    server: str


def task() -> Task:
    """The task that this process was started with."""
    phase, state, database, server = sys.argv[1:]
    return Task(phase, Path(state), database, server)


class Embedder:
    """WordLlama with 256 dimensions; counts the texts.

    Texts go in one by one, without the padding of `WordLlama.embed`: the same vectors in half its time.
    """

    def __init__(self) -> None:
        import numpy
        import wordllama

        self.texts = 0
        self._numpy = numpy
        # The weights are in the package; without `cache_dir` it looks for them in the home directory.
        self._model = wordllama.WordLlama.load(
            cache_dir=Path(wordllama.__file__).parent, disable_download=True, dim=DIMENSIONS
        )
        self._model.tokenizer.no_padding()
        self._model.tokenizer.model._resize_cache(0)
        self.embed(["Start up."])
        self.texts = 0

    def embed(self, texts: Sequence[str]) -> Any:
        """An array (texts, 256) of float32 with rows of unit length; a text without a known token is all zeros."""
        self.texts += len(texts)
        rows = [self._mean(encoding.ids) for encoding in self._model.tokenize(list(texts))]
        return self._numpy.stack(rows)

    def _mean(self, tokens: Sequence[int]) -> Any:
        if not tokens:
            return self._numpy.zeros(DIMENSIONS, dtype=self._numpy.float32)
        table = self._model.embedding
        mean = table[self._numpy.minimum(tokens, len(table) - 1)].mean(axis=0, dtype=self._numpy.float32)
        return mean / (self._numpy.linalg.norm(mean) or 1.0)


def report(seconds: float, texts: int) -> None:
    """Print what was measured: the seconds inside the sync, the texts embedded, and the process's peak memory."""
    print(json.dumps({"seconds": seconds, "texts_embedded": texts, "peak_mb": _peak_megabytes()}))


def _peak_megabytes() -> float:
    """The most memory this process ever had resident (VmHWM: unlike ru_maxrss it knows no parent)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024
