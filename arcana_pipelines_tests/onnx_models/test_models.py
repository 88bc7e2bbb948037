"""A model of one's own is read from its folder, embeds and re-orders; what is wrong with it is a sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from arcana_pipelines.embedding import registry
from arcana_pipelines.embedding.catalogue import model_named
from arcana_pipelines.embedding.packing import sendable
from arcana_pipelines.embedding.protocol import Embedder
from arcana_pipelines.errors import InvalidSetting, WrongUse
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.onnx_models.folder import read_folder
from arcana_pipelines.retrieval.reranking.protocol import Reranker
from arcana_pipelines.retrieval.reranking.registry import open_reranker
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.conformance.embedders import EmbedderConformance
from arcana_pipelines.testing.conformance.rerankers import RerankerConformance
from arcana_pipelines_tests.onnx_models.tiny import write_answering, write_embedder, write_reranker

pytest.importorskip("onnxruntime")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the environment names."""
    path = write_embedder(tmp_path / "Cow Model")
    monkeypatch.setenv("EMBEDDING_PROVIDER", "onnx")
    monkeypatch.setenv("EMBEDDING_MODEL_PATH", str(path))
    return path


def _opened() -> Embedder:
    return registry.open_embedder(Settings(), *registry.model_of(Settings()))


class TestEmbedder(EmbedderConformance):
    @pytest.fixture
    def embedder(self, folder: Path) -> Embedder:
        return _opened()


class TestReranker(RerankerConformance):
    @pytest.fixture(params=[1, 2])
    def reranker(self, tmp_path: Path, request: pytest.FixtureRequest) -> Reranker:
        path = write_reranker(tmp_path / "reranker", request.param)
        found = open_reranker(Settings(reranker="onnx", reranker_model_path=path))
        assert found is not None
        return found


class TestFolder:
    def test_what_its_files_say_is_known_of_the_model(self, folder: Path) -> None:
        (folder / "1_Pooling").mkdir()
        _say(folder / "1_Pooling" / "config.json", pooling_mode_cls_token=True, pooling_mode_mean_tokens=False)
        _say(folder / "config_sentence_transformers.json", prompts={"query": "query: ", "passage": "passage: "})
        _say(folder / "sentence_bert_config.json", max_seq_length=256)
        name, dimensions = registry.model_of(Settings())
        model = model_named(name)
        assert dimensions == 8 and name.startswith("onnx/cow-model-")
        assert (model.question_prefix, model.passage_prefix, model.longest) == ("query: ", "passage: ", 256)
        assert model.runs_here and model.price == 0
        assert IndexSettings.of_model(name, dimensions).chunker.max_tokens == 192
        (text,) = sendable([(b"", "Cows")], name)
        assert text.text == "passage: Cows"
        assert read_folder(folder).pooling == "cls"
        _say(folder / "arcana.json", pooling="mean", passage_prefix="", longest=64)
        assert (read_folder(folder).pooling, read_folder(folder).passage_prefix) == ("mean", "")

    @pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
    def test_the_tokens_vectors_become_one_as_it_says(self, folder: Path, pooling: str) -> None:
        alone = {word: _opened().embed([word]).vectors[0] for word in ("cows", "moo")}
        _say(folder / "arcana.json", pooling=pooling)
        (vector,) = _opened().embed(["cows moo"]).vectors
        if pooling == "mean":
            assert not np.allclose(vector, alone["cows"], atol=0.01) and np.linalg.norm(vector) == pytest.approx(1)
        else:
            np.testing.assert_allclose(vector, alone["cows" if pooling == "cls" else "moo"], atol=1e-6)

    def test_a_text_of_any_length_is_cut(self, folder: Path) -> None:
        _say(folder / "arcana.json", longest=16)
        assert _opened().embed(["cows " * 10_000, "\ud800 moo"]).counts == [16, 2]

    def test_an_index_is_served_by_the_model_it_was_made_with_alone(self, folder: Path, tmp_path: Path) -> None:
        model, dimensions = registry.model_of(Settings())
        moved = folder.rename(tmp_path / "moved")
        os.environ["EMBEDDING_MODEL_PATH"] = str(moved)
        assert registry.unusable(Settings(), model) is None
        assert registry.open_embedder(Settings(), model, dimensions).model == model
        write_embedder(moved, seed=2)
        with pytest.raises(WrongUse, match="index rebuild"):
            registry.open_embedder(Settings(), model, dimensions)
        os.environ["EMBEDDING_MODEL_PATH"] = ""
        with pytest.raises(InvalidSetting, match="EMBEDDING_MODEL_PATH is not set"):
            registry.open_embedder(Settings(), model, dimensions)

    @pytest.mark.parametrize(
        ("spoil", "said"),
        [
            (lambda folder: (folder / "model.onnx").unlink(), "no file model.onnx"),
            (lambda folder: (folder / "tokenizer.json").unlink(), "no file tokenizer.json"),
            (lambda folder: (folder / "model.onnx").write_bytes(b"nothing of a model"), "cannot be loaded"),
            (lambda folder: (folder / "tokenizer.json").write_text("{"), "cannot be loaded"),
            (lambda folder: (folder / "arcana.json").write_text("{"), "is no JSON"),
            (lambda folder: (folder / "arcana.json").write_text("[" * 200_000), "is no JSON"),
            (lambda folder: (folder / "config.json").write_text('{"a":' * 200_000), "is no JSON"),
            (lambda folder: (folder / "config.json").write_text('{"hidden_size": -8}'), "arcana.json"),
            (lambda folder: (folder / "config.json").write_text('{"hidden_size": true}'), "arcana.json"),
            (lambda folder: (folder / "config.json").write_text('{"hidden_size": 100000}'), "arcana.json"),
            (lambda folder: (folder / "arcana.json").write_text('{"pooling": "max"}'), "pooling"),
            (lambda folder: (folder / "config.json").unlink(), "arcana.json"),
            (lambda folder: (folder / "config.json").write_text('{"hidden_size": 9}'), "8 dimensions"),
            (lambda folder: write_embedder(folder, inputs=("input_ids", "pixel_values")), "pixel_values"),
            (lambda folder: write_reranker(folder), "is it an embedder"),
            (lambda folder: _twice(folder), "several"),
        ],
    )
    def test_what_is_wrong_with_it_is_a_sentence(self, folder: Path, spoil, said: str) -> None:  # type: ignore[no-untyped-def]
        spoil(folder)
        with pytest.raises(WrongUse, match=said):
            _opened()

    @pytest.mark.parametrize("output", ["sentence_embedding", "last_hidden_state"])
    @pytest.mark.parametrize(
        ("shape", "kind"),
        [
            ((), "number"), ((8,), "number"), (("batch", "tokens", 0), "number"), (("batch", "tokens", 8), "text"),
            (("batch", "tokens", 8), "list"),
        ],
    )  # fmt: skip
    def test_a_model_that_answers_something_else_is_neither_embedder_nor_reranker(
        self, folder: Path, output: str, shape: tuple[str | int, ...], kind: str
    ) -> None:
        write_answering(folder, output, shape, kind)
        with pytest.raises(WrongUse, match="is it an embedder"):
            _opened()
        reranker = open_reranker(Settings(reranker="onnx", reranker_model_path=folder))
        assert reranker is not None
        if shape != ():
            with pytest.raises(WrongUse, match="it is no reranker"):
                reranker.scores("cows", ["moo"])

    def test_a_reranker_without_a_folder_says_which_variable_names_one(self) -> None:
        with pytest.raises(InvalidSetting, match="RERANKER_MODEL_PATH"):
            open_reranker(Settings(reranker="onnx"))


def _say(path: Path, **content: object) -> None:
    path.write_text(json.dumps(content))


def _twice(folder: Path) -> None:
    content = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").unlink()
    for name in ("a.onnx", "b.onnx"):
        (folder / name).write_bytes(content)
