"""Parts that other distributions bring, through the entry-point group `arcana_pipelines.plugins`.

An entry point loads one part or a tuple of parts. A part says of which `kind` it is and has a name, which is unique
in its kind: `sources.registry.Platform`, `embedding.registry.EmbeddingProvider`, `embedding.catalogue.Model`,
`retrieval.reranking.registry.RerankerKind`. Ours are such parts, too; each registry names them itself and asks here
for others, so that an installation without plug-ins never looks for any.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, TypeVar

from arcana_pipelines.errors import WrongUse

log = logging.getLogger(__name__)

GROUP = "arcana_pipelines.plugins"


class Part(Protocol):
    """What a registry can hold."""

    kind: ClassVar[str]

    @property
    def name(self) -> str:
        """How settings, rows and commands call it."""
        ...


AnyPart = TypeVar("AnyPart", bound=Part)


def part_named(kind: type[AnyPart], name: str, ours: Iterable[AnyPart]) -> AnyPart | None:
    """The part of a kind with this name. Ours come first and cannot be replaced.

    Raises:
        WrongUse: a plug-in cannot be loaded, or two bring the same.
    """
    own = next((part for part in ours if part.name == name), None)
    return own if own is not None else installed(kind.kind).get(name)


def installed(kind: str) -> Mapping[str, Any]:
    """Name and part of everything of a kind that plug-ins bring.

    Raises:
        WrongUse: a plug-in cannot be loaded, or two bring the same.
    """
    return MappingProxyType({name: part for (of_kind, name), part in _all_installed().items() if of_kind == kind})


@contextmanager
def optional(what: str, extra: str) -> Iterator[None]:
    """Say what to install where a part's library is missing; `extra` is the extra of ours that brings it.

    Raises:
        WrongUse: a module is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise WrongUse(f"{what} needs the module '{error.name}': pip install 'arcana-pipelines[{extra}]'.") from error


@cache
def _all_installed() -> Mapping[tuple[str, str], Any]:
    parts: dict[tuple[str, str], Any] = {}
    brought_by: dict[tuple[str, str], str] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        for part in _parts_of(point):
            key = (part.kind, part.name)
            if key in parts:
                raise WrongUse(
                    f"The {part.kind} '{part.name}' is brought by two plug-ins: {brought_by[key]} and {_said(point)}. "
                    "Uninstall one of them."
                )
            parts[key], brought_by[key] = part, _said(point)
            log.info("the %s '%s' comes from %s", part.kind, part.name, _said(point))
    return parts


def _parts_of(point: EntryPoint) -> tuple[Any, ...]:
    try:
        loaded = point.load()
    except Exception as error:
        raise WrongUse(
            f"The plug-in {_said(point)} cannot be loaded: {type(error).__name__}: {error}. Repair or uninstall it."
        ) from error
    parts = tuple(loaded) if isinstance(loaded, list | tuple) else (loaded,)
    for part in parts:
        if not all(isinstance(getattr(part, known, None), str) for known in ("kind", "name")):
            raise WrongUse(
                f"The plug-in {_said(point)} brings a {type(part).__name__}, which is not a part that Arcana knows "
                "(docs/extending.md names them)."
            )
    return parts


def _said(point: EntryPoint) -> str:
    distribution = f" of {point.dist.name} {point.dist.version}" if point.dist is not None else ""
    return f"'{point.name}' ({point.value}){distribution}"
