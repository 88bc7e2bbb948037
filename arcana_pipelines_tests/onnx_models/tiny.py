"""Tiny models in ONNX's format, written field by field (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

_FLOAT, _INT64, _STRING = 1, 7, 8
WORDS = ["[UNK]", "[PAD]", "cows", "say", "moo", "animal", "invoice", "due", "may", "query", "passage", "휴가"]


def write_embedder(folder: Path, dimensions: int = 8, seed: int = 1, inputs: tuple[str, ...] = ("input_ids",)) -> Path:
    """A model that looks up a vector a word; their mean is left to who runs it."""
    table = np.random.default_rng(seed).normal(size=(len(WORDS), dimensions)).astype(np.float32)
    nodes = [_node("Gather", ["table", "input_ids"], "last_hidden_state")]
    _write(folder, nodes, table, inputs, "last_hidden_state", ["batch", "tokens", dimensions])
    (folder / "config.json").write_text(json.dumps({"hidden_size": dimensions}))
    return folder


def write_answering(folder: Path, output: str, shape: tuple[str | int, ...], kind: str = "number") -> Path:
    """A model that looks up a vector a word, and makes of all that something that no embedder answers.

    Args:
        folder: where it is written.
        output: the name of what it answers.
        shape: of that: `()`, `(8,)`, `("batch", "tokens", 0)`, or any other, where `kind` is not `number`.
        kind: `number`, `text` or `list`.
    """
    table = np.ones((len(WORDS), 0 if 0 in shape else 8), np.float32)
    nodes = [_node("Gather", ["table", "input_ids"], "found")]
    if kind == "list":
        nodes.append(_node("SequenceConstruct", ["found"], output))
    elif kind == "text":
        to = _bytes(1, b"to") + _number(3, _STRING) + _number(20, 2)
        nodes.append(_node("Cast", ["found"], output) + _bytes(5, to))
    elif len(shape) < 2:
        nodes.append(_node("ReduceMean", ["found"], output, axes=[0, 1, 2][: 3 - len(shape)], keepdims=0))
    else:
        nodes.append(_node("Identity", ["found"], output))
    _write(folder, nodes, table, ("input_ids",), output, list(shape), kind)
    return folder


def write_reranker(folder: Path, numbers: int = 1) -> Path:
    """A model that likes texts with much about cows."""
    weights = np.zeros((len(WORDS), numbers), np.float32)
    weights[[WORDS.index(word) for word in ("cows", "say", "moo", "animal")], -1] = 1
    mean = _node("ReduceMean", ["found"], "logits", axes=[1], keepdims=0)
    nodes = [_node("Gather", ["table", "input_ids"], "found"), mean]
    _write(folder, nodes, weights, ("input_ids", "token_type_ids"), "logits", ["batch", numbers])
    return folder


def _write(
    folder: Path,
    nodes: list[bytes],
    table: np.ndarray,
    inputs: tuple[str, ...],
    output: str,
    shape: list[str | int],
    kind: str = "number",
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tensor = b"".join(_number(1, size) for size in table.shape)
    tensor += _number(2, _FLOAT) + _bytes(8, b"table") + _bytes(9, table.tobytes())
    graph = b"".join(_bytes(1, node) for node in nodes) + _bytes(2, b"tiny") + _bytes(5, tensor)
    graph += b"".join(_bytes(11, _value(name, _INT64, ["batch", "tokens"])) for name in inputs)
    graph += _bytes(12, _value(output, _STRING if kind == "text" else _FLOAT, shape, is_list=kind == "list"))
    model = _number(1, 8) + _bytes(7, graph) + _bytes(8, _bytes(1, b"") + _number(2, 13))
    (folder / "model.onnx").write_bytes(model)
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))


def _node(operator: str, inputs: list[str], output: str, axes: list[int] | None = None, keepdims: int = 1) -> bytes:
    node = b"".join(_bytes(1, name.encode()) for name in inputs) + _bytes(2, output.encode())
    node += _bytes(4, operator.encode())
    if axes is not None:
        listed = _bytes(1, b"axes") + b"".join(_number(8, axis) for axis in axes) + _number(20, 7)
        kept = _bytes(1, b"keepdims") + _number(3, keepdims) + _number(20, 2)
        node += _bytes(5, listed) + _bytes(5, kept)
    return node


def _value(name: str, kind: int, shape: list[str | int], is_list: bool = False) -> bytes:
    sizes = [_number(1, size) if isinstance(size, int) else _bytes(2, size.encode()) for size in shape]
    tensor = _number(1, kind) + _bytes(2, b"".join(_bytes(1, size) for size in sizes))
    of_tensor = _bytes(1, tensor)
    return _bytes(1, name.encode()) + _bytes(2, _bytes(4, _bytes(1, of_tensor)) if is_list else of_tensor)


def _varint(number: int) -> bytes:
    digits = []
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def _number(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content
