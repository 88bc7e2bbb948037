"""A cross-encoder of one's own, in the folder RERANKER_MODEL_PATH."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

from arcana_pipelines.errors import RerankingFailed, WrongUse
from arcana_pipelines.net.workers import on_each_core
from arcana_pipelines.onnx_models.folder import read_folder
from arcana_pipelines.onnx_models.running import ModelFailed, RunningModel

DEADLINE_SECONDS = 5.0  # for all texts; a reader waits for it


class OnnxReranker:
    """A model with one number a pair, or two of which the second says yes. One pair a call, a pair a core at once."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            WrongUse: the model cannot be loaded.
        """
        self._path = path
        self._running = RunningModel(read_folder(path))

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """Ask the model (see `Reranker.scores`); what is not done within 5 seconds is given up."""
        deadline = time.monotonic() + DEADLINE_SECONDS

        def score(text: str) -> float:
            if time.monotonic() > deadline:
                raise RerankingFailed(f"The reranker took more than {DEADLINE_SECONDS:.0f} s for {len(texts)} texts.")
            return self._score(query, text)

        return on_each_core(score, texts, "rerank")

    def _score(self, query: str, text: str) -> float:
        try:
            outputs, _ = self._running.run(query, text)
        except ModelFailed as error:
            raise RerankingFailed(f"The reranker failed: {error}") from error
        first = next(iter(outputs.values()), None)
        if first is None or first.size not in (1, 2):
            size = 0 if first is None else first.size
            raise WrongUse(f"The model in {self._path} answers with {size} numbers a pair: it is no reranker.")
        numbers = first.reshape(-1)
        score = float(numbers[-1] - (numbers[0] if len(numbers) == 2 else 0))
        if not math.isfinite(score):
            raise RerankingFailed("The reranker answered with a score that is no number.")
        return score
