"""Which embedder a model needs, opened with what the settings say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from arcana_pipelines import plugins
from arcana_pipelines.embedding.catalogue import (
    E5_MODEL,
    MULTILINGUAL_MODEL,
    ONNX,
    SMALL_MODEL,
    Model,
    dimensions_of,
    is_known,
    is_of,
    model_in,
    model_named,
)
from arcana_pipelines.embedding.protocol import Embedder
from arcana_pipelines.errors import ArcanaError, InvalidSetting, WrongUse
from arcana_pipelines.multilingual_e5.weights_file import weights_problem
from arcana_pipelines.onnx_models.folder import ModelFolder, read_folder
from arcana_pipelines.settings import Settings

RUN_PATIENCE_SECONDS = 600.0
OPENAI = "openai"

_THEN = "then start `arcana up` or Dagster again"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingProvider:
    """One way to have texts embedded.

    Attributes:
        name: the value of EMBEDDING_PROVIDER and of `Model.provider`.
        open: makes the embedder of (settings, model, dimensions, patience); imports what is heavy inside. `patience`
            is how many seconds of pauses that a server asks for one call may sit out.
        default: the model and the dimensions of new indexes when the settings choose this provider.
        extra: the extra of this distribution that brings its libraries, if one does.
    """

    kind: ClassVar[str] = "embedding provider"

    name: str
    open: Callable[[Settings, Model, int, float], Embedder]
    default: Callable[[Settings], tuple[str, int]]
    extra: str = ""


def model_of(settings: Settings) -> tuple[str, int]:
    """(model, dimensions) that new indexes get."""
    return _provider(settings.embedding_provider).default(settings)


def open_embedder(settings: Settings, model: str, dimensions: int, patience: float = RUN_PATIENCE_SECONDS) -> Embedder:
    """The embedder for an index's model, wherever the settings say that new indexes go.

    `patience` is how many seconds of pauses that a server asks for one call may sit out.

    Raises:
        InvalidSetting: the model needs a key that is not set.
        ModelMissing: its weights are not installed, or are other ones.
        WrongUse: the model has vectors of another size, or its provider or a library that it needs is missing.
    """
    if problem := unusable(settings, model):
        raise problem
    known = model_named(model)
    provider = _provider(known.provider)
    if not provider.extra:
        return provider.open(settings, known, dimensions, patience)
    with plugins.optional(f"The model '{model}'", provider.extra):
        return provider.open(settings, known, dimensions, patience)


def unusable(settings: Settings, model: str) -> ArcanaError | None:
    """What a model lacks, as an error that says the next step; None where nothing does that is seen without asking."""
    known = model_named(model)
    if plugins.part_named(EmbeddingProvider, known.provider, _OURS) is None:
        return WrongUse(
            f"The model '{model}' is embedded by '{known.provider}', which is not installed. Install the plug-in that "
            f"brings that embedding provider, {_THEN}."
        )
    if known.name in (MULTILINGUAL_MODEL, E5_MODEL):
        return weights_problem()
    if known.name == SMALL_MODEL:
        from arcana_pipelines.embedding.small_vectors import missing

        return missing()
    if known.provider == ONNX:
        return _folder_problem(settings, model)
    if known.provider != OPENAI or settings.openai_api_key is not None:
        return None
    if is_known(model):
        return InvalidSetting(
            f"OPENAI_API_KEY is not set, and the model '{model}' is embedded through it "
            "(any OpenAI-compatible endpoint: OPENAI_BASE_URL)."
        )
    return InvalidSetting(
        f"No installed plug-in brings the model '{model}'. If one did, install it again, {_THEN}; if an "
        "OpenAI-compatible endpoint has the model, set OPENAI_API_KEY (and OPENAI_BASE_URL)."
    )


def probe(settings: Settings, model: str, dimensions: int) -> None:
    """Ask a model for one vector, so that a wrong name, key or size is found before anything is made of it.

    Raises:
        EmbeddingFailed, WrongUse: see `open_embedder` and `Embedder.embed`.
    """
    open_embedder(settings, model, dimensions).embed(["hello"])


def require_here(settings: Settings, model: str, dimensions: int) -> None:
    """Refuse a model that runs here and cannot: nothing is registered that no sync could fill. Others are not asked.

    Raises:
        ModelMissing: its weights are not installed, or are other ones.
    """
    if model_named(model).runs_here:
        open_embedder(settings, model, dimensions)


def _provider(name: str) -> EmbeddingProvider:
    provider = plugins.part_named(EmbeddingProvider, name, _OURS)
    if provider is None:
        raise WrongUse(f"No embedding provider '{name}' is installed.")
    return provider


def _open_small(settings: Settings, model: Model, dimensions: int, patience: float) -> Embedder:
    _require_size(model, dimensions)
    from arcana_pipelines.embedding.local_small import SmallEmbedder

    return SmallEmbedder()


def _open_multilingual(settings: Settings, model: Model, dimensions: int, patience: float) -> Embedder:
    _require_size(model, dimensions)
    from arcana_pipelines.embedding.multilingual import MultilingualEmbedder

    return MultilingualEmbedder(model.name)


def _open_onnx(settings: Settings, model: Model, dimensions: int, patience: float) -> Embedder:
    from arcana_pipelines.embedding.onnx import OnnxEmbedder

    return OnnxEmbedder(_folder(settings), model.name, dimensions)


def _model_of_folder(settings: Settings) -> tuple[str, int]:
    folder = _folder(settings)
    if folder.dimensions is None:
        raise WrongUse(
            f'No file in {folder.path} says the size of its vectors: put {{"dimensions": …}} in arcana.json.'
        )
    return model_in(folder).name, folder.dimensions


def _folder(settings: Settings) -> ModelFolder:
    if settings.embedding_model_path is None:
        raise InvalidSetting("EMBEDDING_MODEL_PATH is not set: it names the folder of a model with model.onnx.")
    return read_folder(settings.embedding_model_path)


def _folder_problem(settings: Settings, model: str) -> ArcanaError | None:
    try:
        folder = _folder(settings)
    except WrongUse as error:
        return type(error)(f"The index's model '{model}' is in no folder that is known. {error}")
    if is_of(folder, model):
        return None
    return WrongUse(
        f"{folder.path} (EMBEDDING_MODEL_PATH) holds '{model_in(folder).name}', and the index was made with '{model}'. "
        "Put that model back, or rebuild the index: `arcana index rebuild` with --model."
    )


def _require_size(model: Model, dimensions: int) -> None:
    if dimensions != model.dimensions:
        raise WrongUse(f"The vectors of '{model.name}' have {model.dimensions} dimensions, not {dimensions}.")


def _open_openai(settings: Settings, model: Model, dimensions: int, patience: float) -> Embedder:
    from arcana_pipelines.embedding.openai.embedder import OpenAIEmbedder

    return OpenAIEmbedder(settings, model.name, dimensions, patience)


_OURS = (
    EmbeddingProvider(
        name="local",
        open=_open_multilingual,
        default=lambda settings: (MULTILINGUAL_MODEL, dimensions_of(MULTILINGUAL_MODEL)),
    ),
    EmbeddingProvider(
        name="local-small", open=_open_small, default=lambda settings: (SMALL_MODEL, dimensions_of(SMALL_MODEL))
    ),
    EmbeddingProvider(name=ONNX, open=_open_onnx, default=_model_of_folder, extra="onnx"),
    EmbeddingProvider(
        name=OPENAI,
        open=_open_openai,
        default=lambda settings: (settings.openai_embedding_model, settings.openai_embedding_dimensions),
    ),
)
