"""How long a text is, in tokens of the vocabulary of the model that will read it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from arcana_pipelines.errors import ModelMissing, WrongUse

# A run of Latin letters, one CJK character or Hangul syllable, a run of digits, or one other sign.
_PIECE = re.compile(r"[A-Za-zÀ-ɏ]+|[぀-ヿ㐀-鿿가-힣]|\d+|[^\sA-Za-z\d]")


_MANY = 1000  # of so many texts most are short and come again


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A vocabulary. `length` gives a text's number of tokens, without the marks around it."""

    name: str
    length: Callable[[str], int]

    def count(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text, as the model reads it alone."""
        if len(texts) < _MANY:
            return list(map(self.length, texts))
        known = {text: self.length(text) for text in set(texts)}
        return [known[text] for text in texts]


def vocabulary(name: str | None) -> Vocabulary:
    """The vocabulary of this name (`Model.vocabulary`); that of OpenAI's models (`cl100k_base`) where none is known.

    Raises:
        ModelMissing: it is in a file that is not installed.
        WrongUse: this release has no such vocabulary.
    """
    made = _VOCABULARIES.get(name or "cl100k_base")
    if made is None:
        raise WrongUse(f"There is no vocabulary '{name}'; a model of another one leaves it unknown (None).")
    return made()


# splintr's flat results are bytes, four a token: without a Python object for each, they take a third of the time. One
# call a text: its own batches run in threads that a forked process would never stop waiting for.


def local_tokens(text: str) -> bytes:
    """The tokens of a text in the vocabulary of the small model, without the mark before it.

    Each is a number of four bytes, little-endian.

    Raises:
        ModelMissing: the vocabulary is not installed, or cannot be read.
    """
    return bytes(_local_tokenizer().encode_flat(text)[4:])


def question_tokens(text: str) -> bytes:
    """The same of one text, sooner where it is the only one: by splintr's own copy of the vocabulary.

    That is loaded in a sixth of the time, and takes ten times as long for a text. Which tokens it makes of marks that
    are spelled out, as `<s>` is, is for the file to say.

    Raises:
        ModelMissing: see `local_tokens`.
    """
    return local_tokens(text) if "<" in text else bytes(_llama2().encode_flat(text))


@cache
def _l2_supercat() -> Vocabulary:
    encode = _local_tokenizer().encode_flat
    return Vocabulary("wordllama-l2-supercat", lambda text: len(encode(text)) // 4 - 1)


def package_folder() -> Path:
    """Where the files of the small model are: in the package wordllama, which is not imported.

    Raises:
        ModelMissing: it is not installed.
    """
    package = find_spec("wordllama")
    if package is None or not package.submodule_search_locations:
        raise ModelMissing("The small model is not installed: `pip install wordllama`.")
    return Path(package.submodule_search_locations[0])


def damaged(path: Path, reason: Exception) -> ModelMissing:
    """What to say of a file of the small model that is missing, cut short, or not what it was."""
    said = reason.strerror if isinstance(reason, OSError) else reason
    try:
        package = f"wordllama=={version('wordllama')}"
    except PackageNotFoundError:
        package = "wordllama"
    return ModelMissing(
        f"The small model's file {path} cannot be read ({type(reason).__name__}: {said}). "
        f"`pip install --force-reinstall --no-deps {package}` installs it again."
    )


@cache
def _local_tokenizer() -> Any:
    import splintr

    path = package_folder() / "tokenizers" / "l2_supercat_tokenizer_config.json"
    try:
        return splintr.from_json(str(path))
    except ValueError as error:  # also where there is no such file
        raise damaged(path, error) from error


@cache
def _llama2() -> Any:
    import splintr

    return splintr.Tokenizer.from_pretrained("llama2")


@cache
def _xlm_roberta() -> Vocabulary:
    from arcana_pipelines.multilingual_e5.loaded import tokenizer

    return Vocabulary("xlm-roberta", tokenizer().length)


@cache
def _cl100k() -> Vocabulary:
    import splintr

    tokenizer = splintr.Tokenizer.from_pretrained("cl100k_base")

    def length(text: str) -> int:
        # A text that spells out a control token, such as <|endoftext|>, is text.
        return len(tokenizer.encode_ordinary(text)) if "<|" in text else len(tokenizer.encode_flat(text)) // 4

    return Vocabulary("cl100k_base", length)


_VOCABULARIES = {"wordllama-l2-supercat": _l2_supercat, "xlm-roberta": _xlm_roberta, "cl100k_base": _cl100k}


def estimate_tokens(text: str) -> int:
    """Tokens of a text, estimated without a vocabulary.

    A Latin word is one token for each begun five letters, a number one for each begun three digits, a Hangul
    syllable or CJK character and any other sign one. Against `cl100k_base` that is a third too many for English
    documentation and right for Korean; a vocabulary that knows less Korean may need almost twice as many for it.
    """
    total = 0
    for piece in _PIECE.findall(text):
        first = piece[0]
        if first.isdigit():
            total += (len(piece) + 2) // 3
        else:
            total += (len(piece) + 4) // 5
    return total
