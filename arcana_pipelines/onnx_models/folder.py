"""What stands in the folder of a model: its files, how its tokens become a vector, what it wants before a text.

https://sbert.net/docs/package_reference/sentence_transformer/models.html says which files an export has. A file
`arcana.json` of one's own says what they do not, and wins.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from arcana_pipelines.errors import WrongUse

Pooling = Literal["mean", "cls", "last"]

_LONGEST = 512
_MOST_DIMENSIONS = 16_000  # of a vector in PostgreSQL
# Of each file so many blocks of so many bytes are read, from its first byte to its last.
_BLOCKS, _BLOCK = 64, 2**16


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder that was read.

    Attributes:
        path: the folder.
        model: the ONNX file.
        tokenizer: the file `tokenizer.json`.
        pooling: how the vectors of a text's tokens become one.
        question_prefix: what stands before a question.
        passage_prefix: what stands before a text that is to be found.
        longest: how many tokens of a text are read.
        dimensions: numbers of a vector; None where no file says it.
        fingerprint: of what shapes its answers: differs when the folder holds another model.
    """

    path: Path
    model: Path
    tokenizer: Path
    pooling: Pooling
    question_prefix: str
    passage_prefix: str
    longest: int
    dimensions: int | None
    fingerprint: str

    @property
    def name(self) -> str:
        """How rows of indexes call it: by the folder's name, and by what is in it."""
        plain = re.sub(r"[^a-z0-9._-]+", "-", self.path.name.lower()).strip("-") or "model"
        return f"{plain[:60]}-{self.fingerprint}"


class _Own(BaseModel):
    """The file `arcana.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pooling: Pooling | None = None
    question_prefix: str | None = Field(None, max_length=200)
    passage_prefix: str | None = Field(None, max_length=200)
    longest: int | None = Field(None, ge=16, le=100_000)
    dimensions: int | None = Field(None, ge=1, le=_MOST_DIMENSIONS)


def read_folder(path: Path) -> ModelFolder:
    """Read what is known of a model. Its weights are looked at in samples, not loaded.

    Raises:
        WrongUse: it is no folder, or a file is missing or malformed.
    """
    path = path.expanduser().absolute()
    try:
        model, tokenizer = _model_file(path), path / "tokenizer.json"
        if not tokenizer.is_file():
            raise WrongUse(f"{path} has no file tokenizer.json, which the model's export brings.")
        files = [file for file in (*sorted(model.parent.glob(f"{model.name}*")), tokenizer) if file.is_file()]
        changed = tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
        own = _own(path / "arcana.json")
        prompts = _prompts(_json(path / "config_sentence_transformers.json"))
        of_pooling = _json(path / "1_Pooling" / "config.json")
        pooling = own.pooling or _pooling(of_pooling)
        size = of_pooling.get("word_embedding_dimension", _json(path / "config.json").get("hidden_size"))
        dimensions = own.dimensions or (size if type(size) is int and 1 <= size <= _MOST_DIMENSIONS else None)
        question = prompts.get("query", "") if own.question_prefix is None else own.question_prefix
        passage = prompts.get("passage", prompts.get("document", ""))
        passage = passage if own.passage_prefix is None else own.passage_prefix
        longest = own.longest or _longest(path)
        facts = json.dumps([pooling, passage, longest, [_sampled(*file) for file in changed]])
    except OSError as error:
        raise WrongUse(f"The model in {path} cannot be read: {error}.") from error
    fingerprint = hashlib.sha256(facts.encode()).hexdigest()[:10]
    return ModelFolder(path, model, tokenizer, pooling, question, passage, longest, dimensions, fingerprint)


def _model_file(path: Path) -> Path:
    if not path.is_dir():
        raise WrongUse(f"{path} is no folder: a model is a folder with model.onnx and tokenizer.json.")
    for folder in (path, path / "onnx"):
        if (usual := folder / "model.onnx").is_file():
            return usual
        if len(found := sorted(folder.glob("*.onnx"))) == 1:
            return found[0]
        if found:
            names = ", ".join(file.name for file in found[:5])
            raise WrongUse(f"{folder} has several models ({names}): call the one to use model.onnx.")
    raise WrongUse(f"{path} has no file model.onnx, and none in its folder onnx.")


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise WrongUse(f"{path} is no JSON: {error}.") from error
    return read if isinstance(read, dict) else {}


def _own(path: Path) -> _Own:
    try:
        return _Own.model_validate(_json(path))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors(include_url=False)
        )
        raise WrongUse(f"{path}: {problems}.") from error


def _prompts(config: dict[str, Any]) -> dict[str, str]:
    prompts = config.get("prompts")
    if not isinstance(prompts, dict):
        return {}
    return {name: text for name, text in prompts.items() if isinstance(text, str)}


def _pooling(config: dict[str, Any]) -> Pooling:
    if config.get("pooling_mode_cls_token"):
        return "cls"
    if config.get("pooling_mode_lasttoken"):
        return "last"
    said = [name for name, value in config.items() if name.startswith("pooling_mode_") and value is True]
    if said in ([], ["pooling_mode_mean_tokens"]):
        return "mean"
    raise WrongUse(f"The model's pooling ({', '.join(said)}) is none of mean, cls and last.")


def _longest(path: Path) -> int:
    for name, key in (("sentence_bert_config.json", "max_seq_length"), ("tokenizer_config.json", "model_max_length")):
        length = _json(path / name).get(key)
        if isinstance(length, int) and 16 <= length <= 100_000:
            return length
    return _LONGEST


@lru_cache(64)
def _sampled(path: str, size: int, changed: int) -> str:
    """A hash of blocks of a file, which may have gigabytes. `changed` is its time, so that a new file is read."""
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb") as file:
        for number in range(_BLOCKS):
            file.seek(max(0, size - _BLOCK) * number // (_BLOCKS - 1))
            digest.update(file.read(_BLOCK))
    return digest.hexdigest()
