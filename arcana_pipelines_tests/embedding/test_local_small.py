"""The embedder in the process: WordLlama's vectors, without its padding and with another tokeniser."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcana_pipelines.chunking import tokens
from arcana_pipelines.embedding import local_small, small_batches, small_vectors
from arcana_pipelines.embedding.catalogue import SMALL_MODEL
from arcana_pipelines.embedding.local_small import DIMENSIONS, SmallEmbedder
from arcana_pipelines.embedding.registry import unusable
from arcana_pipelines.errors import ModelMissing
from arcana_pipelines.settings import Settings
from arcana_pipelines_tests.blas_kernels import vectors_under

TEXTS = [
    "Remote work policy",
    "  Two   spaces,\ta tab\n\nand lines.  ",
    "연차 휴가는 입사일을 기준으로 계산합니다.",
    "Deploy 절차 v1.2: HR-200 — `kubectl apply -f app.yaml` 🚀",
    "# Heading\n\n| a | b |\n| --- | --- |\n| 1 | 2 |",
    "naïve café ﬁne Ⅳ ㈜ 한글",
    "word " * 400,
]

LONG_TEXTS = [" ".join(f"word {number * 7919 % 100_000}" for number in range(length)) for length in range(1, 200)]


def print_vectors() -> None:
    print(json.dumps(SmallEmbedder().embed(LONG_TEXTS).vectors.tolist()))


@pytest.fixture(scope="module")
def library() -> Any:
    """The library's own embedder: slower, for the same vectors."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    import wordllama

    root.handlers[:], root.level = handlers, level  # it sets up the root logger when it is imported
    # The loader looks for its weights in the home directory; they are in the package.
    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True, dim=DIMENSIONS)


class TestSmallEmbedder:
    def test_vectors_are_those_of_the_library(self, library: Any) -> None:
        ours = SmallEmbedder().embed(TEXTS).vectors
        for text, vector in zip(TEXTS, ours, strict=True):
            assert vector == pytest.approx(library.embed([text], norm=True)[0], abs=1e-5), text

    @given(text=st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=200))
    def test_those_of_any_text_are(self, library: Any, text: str) -> None:
        (theirs,) = library.embed([text], norm=True)
        (ours,) = SmallEmbedder().embed([text]).vectors
        if np.isfinite(theirs).all() and theirs.any():
            assert ours == pytest.approx(theirs, abs=1e-5)

    def test_each_is_alone_in_its_batch(self) -> None:
        together = SmallEmbedder().embed(TEXTS)
        for at, text in enumerate(TEXTS):
            alone = SmallEmbedder().embed([text])
            assert (together.vectors[at] == alone.vectors[0]).all() and alone.counts == [together.counts[at]]

    def test_a_text_alone_has_the_vector_that_it_has_among_many_to_the_last_bit(self) -> None:
        alone = np.stack([SmallEmbedder().embed([text]).vectors[0] for text in LONG_TEXTS])
        assert (SmallEmbedder().embed(LONG_TEXTS).vectors == alone).all()

    def test_a_question_has_the_vector_of_a_text_but_for_what_is_rounded(self) -> None:
        embedder = SmallEmbedder()
        for text in [*TEXTS, *LONG_TEXTS[::40], ""]:
            embedded, alone = embedder.embed([text]), embedder.embed_question(text)
            assert alone.vector == pytest.approx(embedded.vectors[0], abs=1e-6) and alone.tokens == embedded.tokens

    @pytest.mark.slow
    @pytest.mark.parametrize("kernel", ["Prescott", "Haswell"])  # of OpenBLAS; elsewhere the name is not known
    def test_vectors_are_the_same_on_every_processor(self, kernel: str) -> None:
        assert vectors_under(kernel, __name__) == SmallEmbedder().embed(LONG_TEXTS).vectors.tolist()

    def test_a_text_of_which_nothing_is_known_has_a_direction(self) -> None:
        (vector,) = SmallEmbedder().embed([""]).vectors
        assert np.linalg.norm(vector) == pytest.approx(1)


class TestFilesOnDisk:
    """Of a package that was installed by halves, or that something wrote over."""

    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A copy of the package's files, which the next embedder reads."""
        for part in ("weights", "tokenizers"):
            shutil.copytree(tokens.package_folder() / part, tmp_path / part)
        monkeypatch.setattr(small_vectors, "package_folder", lambda: tmp_path)
        monkeypatch.setattr(tokens, "package_folder", lambda: tmp_path)
        stored_vectors = cache(small_vectors.stored_vectors.__wrapped__)
        for module in (local_small, small_batches):
            monkeypatch.setattr(module, "stored_vectors", stored_vectors)
        monkeypatch.setattr(small_batches, "_made", cache(small_batches._Table))
        monkeypatch.setattr(tokens, "_local_tokenizer", cache(tokens._local_tokenizer.__wrapped__))
        return tmp_path

    def test_whole_ones_are_read(self, folder: Path) -> None:
        assert SmallEmbedder().embed(TEXTS).vectors.shape == (len(TEXTS), DIMENSIONS)

    @pytest.mark.parametrize(
        "damage",
        [
            lambda whole: None, lambda whole: b"", lambda whole: whole[:5], lambda whole: whole[:60],
            lambda whole: whole[:1_000_000], lambda whole: b"\xff" * 1000, lambda whole: b"\0" * len(whole),
            lambda whole: whole.replace(b"F16", b"F32", 1), lambda whole: whole.replace(b"000,256]", b"000,128]", 1),
            lambda whole: whole.replace(b'"shape"', b'"Shape"', 1),
        ],
    )  # fmt: skip
    def test_damaged_weights_are_told_in_a_sentence(
        self, folder: Path, damage: Callable[[bytes], bytes | None]
    ) -> None:
        (file,) = (folder / "weights").iterdir()
        left = damage(file.read_bytes())
        file.unlink()
        if left is not None:
            file.write_bytes(left)
        cure = f"pip install --force-reinstall --no-deps wordllama=={version('wordllama')}"
        with pytest.raises(ModelMissing, match=rf"safetensors cannot be read .*{re.escape(cure)}"):
            SmallEmbedder()

    def test_missing_weights_are_seen_without_a_text_to_embed(self, folder: Path) -> None:
        assert unusable(Settings(), SMALL_MODEL) is None
        (file,) = (folder / "weights").iterdir()
        file.unlink()
        assert "(FileNotFoundError: No such file or directory). `pip install" in str(unusable(Settings(), SMALL_MODEL))

    @pytest.mark.parametrize("left", [None, b"", b"{", b"{}", b"\xff\0"])
    def test_so_is_a_damaged_vocabulary(self, folder: Path, left: bytes | None) -> None:
        file = folder / "tokenizers" / "l2_supercat_tokenizer_config.json"
        file.unlink()
        if left is not None:
            file.write_bytes(left)
        with pytest.raises(ModelMissing, match=r"json cannot be read .*pip install --force-reinstall"):
            SmallEmbedder().embed(["hello"])
