"""What of the model a process has loaded: each part once, by one thread, when it is first needed."""

from __future__ import annotations

import os
import threading
from functools import cache
from pathlib import Path

from arcana_pipelines.multilingual_e5.learned import Learned
from arcana_pipelines.multilingual_e5.model import Model
from arcana_pipelines.multilingual_e5.tokenizer import Tokenizer
from arcana_pipelines.multilingual_e5.weights import Weights
from arcana_pipelines.multilingual_e5.weights_file import checked_weights

_loading = threading.RLock()


def tokenizer() -> Tokenizer:
    """Cuts texts as the model reads them; without the model, where texts are only counted.

    Raises:
        ModelMissing: see `checked_weights`.
    """
    with _loading:
        return _tokenizer()


def model(*, is_taught: bool) -> Model:
    """The model with what it was taught, or as it was.

    Raises:
        ModelMissing: see `checked_weights`.
    """
    with _loading:
        return _model(is_taught)


def require() -> None:
    """See that the right weights are there, without loading them.

    Raises:
        ModelMissing: see `checked_weights`.
    """
    with _loading:
        _file()


@cache
def _file() -> Path:
    return checked_weights()


@cache
def _weights() -> Weights:
    return Weights(_file())


@cache
def _tokenizer() -> Tokenizer:
    return Tokenizer(_weights().pieces)


@cache
def _model(is_taught: bool) -> Model:
    made = Model(_weights(), _tokenizer(), Learned() if is_taught else None)
    _weights().release()
    return made


def _in_a_forked_process() -> None:
    """The thread that was loading does not exist here."""
    global _loading
    _loading = threading.RLock()


os.register_at_fork(after_in_child=_in_a_forked_process)
