"""The catalogue of embedding models: every fact about a model that anything else needs to know stands here.

A plug-in adds its own models (`arcana_pipelines.plugins`). An unknown model, behind an endpoint that speaks
OpenAI's API, gets what is safe to assume of any.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import ClassVar, Literal

from arcana_pipelines import plugins
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.onnx_models.folder import ModelFolder, read_folder

SMALL_MODEL = "wordllama-l2-supercat"
# What new indexes get, and the model that it was taught from, which older ones keep (decision 072).
MULTILINGUAL_MODEL = "arcana-e5-small"
E5_MODEL = "multilingual-e5-small-q4"

# What embeds models of one's own, and how their names begin; behind it are the folder's name and a fingerprint.
ONNX = "onnx"
IN_A_FOLDER = "onnx/"

log = logging.getLogger(__name__)

Strength = Literal["weak", "strong"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is known of one model. The defaults are those of a model of which nothing is known.

    Attributes:
        name: as its provider, the settings and the rows of indexes spell it.
        provider: the `EmbeddingProvider` that embeds with it.
        dimensions: numbers in a vector when no other size is asked for; None when that is not known.
        dimensions_adjustable: the provider can be asked for another size.
        vocabulary: what its tokens are counted with (a name of `chunking.tokens.vocabulary`); None: not known, so that
            chunks are cut by OpenAI's and requests are filled by an estimate.
        price: US dollars a million tokens as listed by the provider; None when not known.
        runs_here: embeds in this process: no requests, no limits, no price.
        languages: in which it is good, as ISO 639-1 codes; empty when not known.
        question_prefix: what the model wants before a question.
        passage_prefix: what the model wants before a text that is to be found. It is sent, and not stored.
        longest: tokens of a text that it reads, prefix and marks included, where a chunk may have more; what is behind
            them is not embedded.
        tokens_per_second: embedded on one core, where it runs here; for estimates before there is a measurement.
        compares_passages: what is embedded of a chunk are its passages, and it is as near as the nearest of them, above
            all.
        strength: "weak" when its nearest texts are often not about the question, so that search leans on words.
    """

    kind: ClassVar[str] = "model"

    name: str
    provider: str = "openai"
    dimensions: int | None = None
    dimensions_adjustable: bool = True
    vocabulary: str | None = None
    price: Decimal | None = None
    runs_here: bool = False
    languages: tuple[str, ...] = ()
    question_prefix: str = ""
    passage_prefix: str = ""
    longest: int | None = None
    tokens_per_second: float | None = None
    compares_passages: bool = False
    strength: Strength = "strong"

    @property
    def is_weak(self) -> bool:
        """Do words have to make up for it?"""
        return self.strength == "weak"


# https://huggingface.co/intfloat/multilingual-e5-small
_LANGUAGES_OF_E5 = tuple(
    "af am ar as az be bg bn br bs ca cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu ha he hi hr hu hy id is it "
    "ja jv ka kk km kn ko ku ky la lo lt lv mg mk ml mn mr ms my ne nl no om or pa pl ps pt ro ru sa sd si sk sl so sq "
    "sr su sv sw ta te th tl tr ug uk ur uz vi xh yi zh".split()
)

_E5 = Model(
    name=E5_MODEL,
    provider="local",
    dimensions=384,
    dimensions_adjustable=False,
    vocabulary="xlm-roberta",
    price=Decimal(0),
    runs_here=True,
    languages=_LANGUAGES_OF_E5,
    question_prefix="query: ",
    passage_prefix="passage: ",
    longest=512,
    tokens_per_second=1_700,
    compares_passages=True,
)

# Sizes: https://platform.openai.com/docs/guides/embeddings; models before the third generation refuse the parameter
# `dimensions`. Vocabulary: https://github.com/openai/tiktoken. Prices: https://platform.openai.com/docs/pricing, as
# published in May 2026.
_OURS = (
    _E5,
    replace(_E5, name=MULTILINGUAL_MODEL),
    Model(
        name=SMALL_MODEL,
        provider="local-small",
        dimensions=256,
        dimensions_adjustable=False,
        vocabulary=SMALL_MODEL,
        price=Decimal(0),
        runs_here=True,
        languages=("en",),
        tokens_per_second=200_000,
        strength="weak",
    ),
    Model(
        name="text-embedding-3-small",
        dimensions=1536,
        vocabulary="cl100k_base",
        price=Decimal("0.02"),
    ),
    Model(
        name="text-embedding-3-large",
        dimensions=3072,
        vocabulary="cl100k_base",
        price=Decimal("0.13"),
    ),
    Model(
        name="text-embedding-ada-002",
        dimensions=1536,
        dimensions_adjustable=False,
        vocabulary="cl100k_base",
        price=Decimal("0.10"),
    ),
)
MODELS: Mapping[str, Model] = {model.name: model for model in _OURS}


def is_known(name: str) -> bool:
    """Whether we or an installed plug-in know the model."""
    return plugins.part_named(Model, name, _OURS) is not None


def model_named(name: str) -> Model:
    """What is known of a model; of an unknown one what is safe to assume."""
    return plugins.part_named(Model, name, _OURS) or _of_a_folder(name) or Model(name=name)


def model_in(folder: ModelFolder, name: str | None = None) -> Model:
    """What is known of the model in a folder; `name` is how an index calls it, when the folder was moved since."""
    return Model(
        name=name or f"{IN_A_FOLDER}{folder.name}",
        provider=ONNX,
        dimensions=folder.dimensions,
        dimensions_adjustable=False,
        price=Decimal(0),
        runs_here=True,
        question_prefix=folder.question_prefix,
        passage_prefix=folder.passage_prefix,
        longest=folder.longest,
    )


def is_of(folder: ModelFolder, name: str) -> bool:
    """Whether an index with this model was made with what is in the folder."""
    return name.startswith(IN_A_FOLDER) and name.endswith(f"-{folder.fingerprint}")


def _of_a_folder(name: str) -> Model | None:
    """A model of EMBEDDING_MODEL_PATH; of one that is there no more what can be said without it."""
    if not name.startswith(IN_A_FOLDER):
        return None
    if path := os.environ.get("EMBEDDING_MODEL_PATH", "").strip():
        try:
            folder = read_folder(Path(path))
        except WrongUse as error:
            log.debug("the model of an index is not known: %s", error)  # who uses it is told by `unusable`
        else:
            if is_of(folder, name):
                return model_in(folder, name)
    return Model(name=name, provider=ONNX, price=Decimal(0), runs_here=True)


def dimensions_of(name: str) -> int:
    """The size of a model's vectors when no other is asked for.

    Raises:
        WrongUse: it is not known.
    """
    dimensions = model_named(name).dimensions
    if dimensions is None:
        raise WrongUse(f"The size of the vectors of '{name}' is not known: say it with --dimensions.")
    return dimensions
