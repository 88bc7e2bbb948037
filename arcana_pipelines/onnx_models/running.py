"""A model of a folder in memory: one text, or one pair of texts, a call.

A quantized model takes the scale of its numbers from all that is in a call, so that in a batch a text's answer depends
on its company; one text a call is as fast where several threads ask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcana_pipelines.errors import WrongUse
from arcana_pipelines.onnx_models.folder import ModelFolder


class RunningModel:
    """Safe to share between threads."""

    def __init__(self, folder: ModelFolder) -> None:
        """
        Raises:
            ModuleNotFoundError: its libraries are not installed (extra `onnx`).
            WrongUse: the model or its tokenizer cannot be loaded, or wants more than a text.
        """
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # texts are spread over threads, not products
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(folder.model), options, providers=["CPUExecutionProvider"])
            self._tokenizer = Tokenizer.from_file(str(folder.tokenizer))
            self._tokenizer.no_padding()
            self._tokenizer.enable_truncation(folder.longest)
        except Exception as error:  # the libraries' own, which have nothing in common
            raise WrongUse(f"The model in {folder.path} cannot be loaded: {_first_line(error)}") from error
        self._fed = {each.name for each in self._session.get_inputs()}
        self._outputs = [each.name for each in self._session.get_outputs()]
        if unknown := self._fed - set(_FEEDS):
            raise WrongUse(f"The model in {folder.path} wants {', '.join(sorted(unknown))}: it is no model of texts.")

    def run(self, text: str, second: str | None = None) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64]]:
        """The outputs for one text, or for a pair; and the mask of its tokens. What is too long is cut.

        Outputs by their name, in the model's order; those that are no numbers (texts, lists) are left out.

        Raises:
            ModelFailed: the model failed.
        """
        encoded = self._tokenizer.encode(_encodable(text), None if second is None else _encodable(second))
        feeds = {name: np.array([make(encoded)], np.int64) for name, make in _FEEDS.items() if name in self._fed}
        try:
            found = self._session.run(None, feeds)
        except Exception as error:  # the library's own, which have nothing in common
            raise ModelFailed(_first_line(error)) from error
        outputs = {name: output for name, output in zip(self._outputs, found, strict=True) if _are_numbers(output)}
        return outputs, np.array(encoded.attention_mask, np.int64)


class ModelFailed(Exception):
    """The model failed for a text. What that means is for the caller to say."""


_FEEDS: dict[str, Callable[[Any], list[int]]] = {
    "input_ids": lambda encoded: list(encoded.ids),
    "attention_mask": lambda encoded: list(encoded.attention_mask),
    "token_type_ids": lambda encoded: list(encoded.type_ids),
    "position_ids": lambda encoded: list(range(len(encoded.ids))),
}


def _are_numbers(output: object) -> bool:
    return isinstance(output, np.ndarray) and output.dtype.kind in "fiu"


def _encodable(text: str) -> str:
    """Without halves of surrogate pairs, which the tokenizer refuses."""
    return text.encode(errors="replace").decode()


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0][:300] if str(error) else ''}"
