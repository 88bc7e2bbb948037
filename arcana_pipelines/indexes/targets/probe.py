"""Does the store of a target answer? Asked without making anything, of all targets at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.indexes.targets.registry import is_embedded, open_store
from arcana_pipelines.indexes.targets.targets import Target, lost
from arcana_pipelines.settings import Settings


@dataclass(frozen=True, slots=True)
class Probed:
    """What the store of a target said.

    Attributes:
        said: who answers, or why nobody was asked.
        problem: why it does not answer; None where it does.
    """

    target: Target
    said: str
    problem: str | None = None


def probe(settings: Settings, targets: Sequence[Target], seconds: float) -> list[Probed]:
    """Ask the stores of these targets who they are, and wait for them so long."""
    answers: dict[int, Probed] = {}

    def ask(number: int) -> None:
        answers[number] = _probed(settings, targets[number])

    # In threads that do not keep the process from ending: a store that hangs is not waited for.
    threads = [threading.Thread(target=ask, args=(number,), daemon=True) for number in range(len(targets))]
    until = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    late = f"{{}} did not answer within {seconds:.0f} seconds."
    return [
        answers.get(number, Probed(target, "", late.format(target.location))) for number, target in enumerate(targets)
    ]


def _probed(settings: Settings, target: Target) -> Probed:
    if target.is_paused:
        return Probed(target, "paused, and not asked")
    if (problem := lost(target)) is not None:
        return Probed(target, "", problem)
    if is_embedded(target.location) and not Path(target.location).exists():
        return Probed(target, f"{target.location} is not made yet")
    try:
        with open_store(settings, target.kind, target.location) as store:
            return Probed(target, store.version())
    except ArcanaError as error:
        return Probed(target, "", str(error))
    except Exception as error:  # the edge of a thread: whatever a library raises is told
        return Probed(target, "", f"{type(error).__name__}: {error}")
