"""What is known of a model is asked of one catalogue; of one that nobody knows the safe thing is assumed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from arcana_pipelines import plugins
from arcana_pipelines.chunking.tokens import vocabulary
from arcana_pipelines.embedding import registry
from arcana_pipelines.embedding.catalogue import (
    E5_MODEL,
    MODELS,
    MULTILINGUAL_MODEL,
    SMALL_MODEL,
    Model,
    dimensions_of,
    model_named,
)
from arcana_pipelines.embedding.packing import measured, sendable
from arcana_pipelines.embedding.prices import PricingPolicy
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.indexes.lifecycle import SettingsChange
from arcana_pipelines.settings import Settings
from arcana_pipelines_tests.multilingual_e5 import needs_weights

UNKNOWN = "a-model-nobody-knows"
SAID_PREFIX = "passage: "
_WITH_WEIGHTS = (E5_MODEL, MULTILINGUAL_MODEL)
_OTHERS = [name for name in MODELS if name not in _WITH_WEIGHTS]


@pytest.fixture
def prefixed(monkeypatch: pytest.MonkeyPatch) -> Model:
    """A model of a plug-in that wants to be told what is a passage."""
    model = Model(name="e5", provider="elsewhere", passage_prefix=SAID_PREFIX, runs_here=True)
    monkeypatch.setattr(plugins, "_all_installed", lambda: {("model", "e5"): model})
    return model


def test_of_an_unknown_model_nothing_is_assumed_that_could_be_wrong() -> None:
    assert model_named(UNKNOWN) == Model(name=UNKNOWN)
    with pytest.raises(WrongUse, match="--dimensions"):
        dimensions_of(UNKNOWN)
    assert PricingPolicy().price(UNKNOWN) is None
    (text,) = measured([(b"", "휴가")], UNKNOWN)
    assert text.most_tokens >= len("휴가".encode())


@pytest.mark.parametrize("name", [*(pytest.param(name, marks=needs_weights) for name in _WITH_WEIGHTS), *_OTHERS])
def test_every_listed_model_can_be_counted_priced_and_opened(name: str) -> None:
    model = model_named(name)
    assert vocabulary(model.vocabulary).name == model.vocabulary
    assert model.price is not None and model.dimensions
    assert model.runs_here == (model.price == 0)
    settings = Settings(openai_api_key="sk-none")
    assert registry.open_embedder(settings, name, model.dimensions).dimensions == model.dimensions


@pytest.mark.parametrize(("name", "size"), [(SMALL_MODEL, "256"), (MULTILINGUAL_MODEL, "384")])
def test_a_model_that_runs_here_has_one_size(name: str, size: str) -> None:
    with pytest.raises(WrongUse, match=size):
        registry.open_embedder(Settings(), name, 128)


def test_a_chunk_is_no_longer_than_its_model_reads() -> None:
    multilingual = IndexSettings.of_model(MULTILINGUAL_MODEL, 384)
    small = IndexSettings.of_model(SMALL_MODEL, 256)
    assert (small.chunker.max_tokens, multilingual.chunker.max_tokens) == (512, 384)
    assert SettingsChange(model=MULTILINGUAL_MODEL).of(small).chunker == multilingual.chunker
    assert SettingsChange(ann="none").of(small).chunker == small.chunker
    assert SettingsChange(chunk_tokens=100).of(multilingual).chunker.max_tokens == 200
    with pytest.raises(WrongUse, match="192"):
        SettingsChange(chunk_tokens=256).of(multilingual)


def test_a_price_of_the_settings_is_not_put_on_a_model_that_costs_nothing() -> None:
    policy = PricingPolicy(price_per_million=Decimal(3))
    assert policy.price(SMALL_MODEL) == 0 and policy.price("text-embedding-3-small") == 3


def test_a_prefix_is_sent_and_belongs_to_no_hash(prefixed: Model) -> None:
    for made in (measured, sendable):
        (text,) = made([(b"hash", "Cows")], prefixed.name)
        assert (text.text_hash, text.text) == (b"hash", "passage: Cows")


def test_a_provider_that_is_not_installed_is_named(prefixed: Model) -> None:
    with pytest.raises(WrongUse, match="'elsewhere'"):
        registry.open_embedder(Settings(), prefixed.name, 3)


def test_a_missing_library_says_what_to_install() -> None:
    with pytest.raises(WrongUse, match=r"pip install 'arcana-pipelines\[qdrant\]'"), plugins.optional("It", "qdrant"):
        import a_library_that_nobody_has  # type: ignore[import-not-found]  # noqa: F401
