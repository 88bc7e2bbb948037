"""How long a text is, in tokens of the vocabulary of the model that will read it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

LOCAL_MODEL = "wordllama-l2-supercat"

# A run of Latin letters, one CJK character or Hangul syllable, a run of digits, or one other sign.
_PIECE = re.compile(r"[A-Za-zÀ-ɏ]+|[぀-ヿ㐀-鿿가-힣]|\d+|[^\sA-Za-z\d]")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A byte-pair vocabulary. `encode` gives a text's tokens, without the marks around it."""

    name: str
    encode: Callable[[str], Sequence[int]]

    def count(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text, as the model reads it alone.

        One call a text: the tokeniser remembers words in a memory of fixed size, and its own batches start
        threads, which costs more than they save on texts of this length.
        """
        encode = self.encode
        return [len(encode(text)) for text in texts]


def vocabulary(model: str) -> Vocabulary:
    """The vocabulary of an embedding model; that of OpenAI's models (`cl100k_base`) for one that is not known."""
    return _wordllama() if model == LOCAL_MODEL else _cl100k()


@cache
def _cl100k() -> Vocabulary:
    import splintr

    # Ordinary: a text that spells out a control token, such as <|endoftext|>, is text.
    return Vocabulary("cl100k_base", splintr.Tokenizer.from_pretrained("cl100k_base").encode_ordinary)


@cache
def _wordllama() -> Vocabulary:
    import splintr

    package = find_spec("wordllama")
    assert package is not None and package.submodule_search_locations
    folder = Path(package.submodule_search_locations[0])
    tokenizer = splintr.from_json(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    return Vocabulary("l2_supercat", tokenizer.encode_raw)


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
