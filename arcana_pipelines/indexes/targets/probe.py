"""Does the store of a target answer? Asked without making anything, of all targets at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from functools import partial

from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.indexes.targets.registry import open_store
from arcana_pipelines.indexes.targets.targets import Target, is_gone, lost
from arcana_pipelines.net.asked import asked
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
    answers = [asked(partial(_probed, settings, target)) for target in targets]
    in_time, _ = wait(answers, seconds)
    late = f"did not answer within {seconds:.0f} seconds."
    return [
        answer.result() if answer in in_time else Probed(target, "", f"{target.location} {late}")
        for target, answer in zip(targets, answers, strict=True)
    ]


def _probed(settings: Settings, target: Target) -> Probed:
    if target.is_paused:
        return Probed(target, "paused, and not asked")
    if (problem := lost(target)) is not None:
        return Probed(target, "", problem)
    if is_gone(target.location):
        return Probed(target, f"{target.location} is not made yet")
    try:
        with open_store(settings, target.kind, target.location) as store:
            return Probed(target, store.version())
    except ArcanaError as error:
        return Probed(target, "", str(error))
    except Exception as error:  # the edge of a thread: whatever a library raises is told
        return Probed(target, "", f"{type(error).__name__}: {error}")
