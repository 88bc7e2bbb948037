"""A value of a figure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """A value of a figure of the catalogue, with its labels in the catalogue's order."""

    name: str
    labels: tuple[str, ...]
    value: float
