"""What the steps of filling a build take: as the last run here measured them, or in ratios that hold on any machine.

Kept in a file of ARCANA_HOME: how fast one machine is says nothing of another that shares the database.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arcana_pipelines.errors import FileRefused
from arcana_pipelines.home import room_in
from arcana_pipelines.operations.filling import Filling, Step
from arcana_pipelines.trusted_files import read_ours, write_private

log = logging.getLogger(__name__)

FILE = "step_rates.json"


@dataclass(frozen=True, slots=True)
class StepRates:
    """What steps take.

    Attributes:
        start: seconds until the first documents are cut, and what is lost while other processes begin.
        thousand: seconds for a thousand chunks, of each step. From 10,000 to 100,000 chunks no step takes more of each
            of them by more than a third (benchmarks/README.md).
        texts: texts embedded in a second; None where that was never measured.
        are_measured: on this machine, not in ratios.
    """

    start: float
    thousand: Mapping[Step, float]
    texts: float | None = None
    are_measured: bool = False

    def seconds(self, step: Step, chunks: float) -> float:
        """What a step takes for so many chunks."""
        return self.thousand[step] * chunks / 1000


def assumed(processes: int, dimensions: int, passages: float, ann: str = "auto") -> StepRates:
    """Of a machine that nothing is known of, with vectors so large in such an index, and so many passages a chunk.

    benchmarks/time_left.py measured them: no machine is as fast, but the ratios stay.
    """
    return StepRates(
        2.0,
        {
            Step.CUTTING: 0.08 + 0.22 / processes + 0.08 * passages,
            Step.EMBEDDING: 0.015 + 0.017 * passages,
            Step.PUBLISHING: 0.065,
            Step.WORDS: 0.05,
            Step.VECTORS: (0.40 if ann == "hnsw" else 0.09) + 0.05 * dimensions / 384,
            Step.VERIFYING: 0.09,
            Step.FINISHING: 0.095,
        },
    )


def measured(home: Path, key: str) -> StepRates | None:
    """As the last run measured them that filled builds of this kind (see `key_of`); None where none did."""
    found = _read(_file(home)).get(key)
    if not isinstance(found, dict):
        return None
    try:
        texts = found["texts"]
        rates = StepRates(
            _number(found["start"]),
            {step: _number(found["thousand"][step]) for step in Step},
            None if texts is None else _number(texts),
            are_measured=True,
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return rates


def keep(home: Path, key: str, rates: StepRates) -> None:
    """Keep what a run has measured, for the next one."""
    file = _file(home)
    if not file.parent.is_dir():  # whoever makes a home marks it as made here
        return
    told = {"start": rates.start, "thousand": dict(rates.thousand), "texts": rates.texts}
    try:
        write_private(file, json.dumps({**_read(file), key: told}, indent=1))
    except OSError as error:
        log.info("what the steps took is not kept: %s", error)


def key_of(build: Filling, processes: int) -> str:
    """What makes a run like another: the model, its vectors and their index, and how many processes cut."""
    return f"{build.model} {build.dimensions} {build.ann} {processes}"


def _file(home: Path) -> Path:
    return room_in(home) / FILE


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_ours(file)[0])
    # None was kept yet, or it was damaged: the next run writes it anew.
    except (OSError, FileRefused, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _number(value: float) -> float:
    if not 0 < float(value) < 1e6:
        raise ValueError(value)
    return float(value)
