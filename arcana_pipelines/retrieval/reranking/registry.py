"""Which reranker the settings name, if they do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from arcana_pipelines import plugins
from arcana_pipelines.errors import InvalidSetting, WrongUse
from arcana_pipelines.retrieval.reranking.protocol import Reranker
from arcana_pipelines.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankerKind:
    """One way to have hits ordered.

    Attributes:
        name: the value of RERANKER.
        open: makes the reranker of the settings, or answers None where they ask for none; imports what is heavy inside.
        extra: the extra of this distribution that brings its libraries, if one does.
    """

    kind: ClassVar[str] = "reranker"

    name: str
    open: Callable[[Settings], Reranker | None]
    extra: str = ""


def open_reranker(settings: Settings) -> Reranker | None:
    """The reranker that the settings name, if they do.

    Raises:
        InvalidSetting: its key cannot be one, or it has no folder.
        WrongUse: it is not installed, or a library that it needs is missing.
    """
    kind = plugins.part_named(RerankerKind, settings.reranker, _OURS)
    if kind is None:
        raise WrongUse(f"No reranker '{settings.reranker}' is installed.")
    if not kind.extra:
        return kind.open(settings)
    with plugins.optional(f"The reranker '{kind.name}'", kind.extra):
        return kind.open(settings)


def _open_endpoint(settings: Settings) -> Reranker | None:
    if settings.reranker_url is None:
        return None
    from arcana_pipelines.retrieval.reranking.endpoint import EndpointReranker

    return EndpointReranker(settings)


def _open_onnx(settings: Settings) -> Reranker:
    if settings.reranker_model_path is None:
        raise InvalidSetting("RERANKER_MODEL_PATH is not set: it names the folder of a cross-encoder with model.onnx.")
    from arcana_pipelines.retrieval.reranking.onnx import OnnxReranker

    return OnnxReranker(settings.reranker_model_path)


_OURS = (
    RerankerKind(name="endpoint", open=_open_endpoint),
    RerankerKind(name="onnx", open=_open_onnx, extra="onnx"),
)
