"""Texts into the model's tokens: characters made plain, words apart, each word cut into its likeliest pieces.

Kudo: Subword Regularization: Improving Neural Network Translation Models with Multiple Subword Candidates. ACL 2018,
https://arxiv.org/abs/1804.10959. The library `tokenizers` gives the same, and needs 240 MB more for this vocabulary.
"""

from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Iterator
from functools import lru_cache

from arcana_pipelines.multilingual_e5.weights import Pieces

_BEFORE_A_WORD = "▁"
# What a character costs that is in no piece, below the worst piece.
_PENALTY = 10.0
# Words recur; of longer ones hardly any does, and what is kept has to be bounded.
_KEPT_WORDS, _KEPT_LENGTH = 20_000, 32
# So many characters are composed at once: of accents in a row it takes the square of their number.
_COMPOSED = 1000


class Tokenizer:
    """Cuts texts. Its time grows with their length and no faster. Safe to share between threads."""

    def __init__(self, pieces: Pieces) -> None:
        self._replaced = pieces.replaced
        self._numbers = {text: number for number, text in enumerate(pieces.texts)}
        for control in pieces.controls:  # a text that spells one out is text
            del self._numbers[pieces.texts[control]]
        self._scores = array("f", pieces.scores.tobytes())  # a list of 250,000 floats would take 8 MB
        self._longest = max(map(len, self._numbers))
        self._unknown = pieces.unknown
        self._unknown_score = min(self._scores) - _PENALTY
        self._kept = lru_cache(_KEPT_WORDS)(self._cut)

    def tokens(self, text: str, most: int | None = None) -> list[int]:
        """The numbers of a text's pieces, without marks around them; of the first words alone beyond `most`."""
        found: list[int] = []
        for word in self._words(text):
            found += self._kept(word) if len(word) <= _KEPT_LENGTH else self._cut(word)
            if most is not None and len(found) >= most:
                return found[:most]
        return found

    def length(self, text: str) -> int:
        """How many tokens a text is worth when it is cut into chunks.

        Runs of spaces, invisible characters and letters of unknown scripts are no or one token, however long. So that
        no chunk grows without bound, a text has at least one token for as many characters as a piece can have.
        """
        return max(len(self.tokens(text)), len(text) // self._longest)

    def _words(self, text: str) -> Iterator[str]:
        for word in _composed(text).translate(self._replaced).split(" "):
            if word:
                yield _BEFORE_A_WORD + word

    def _cut(self, word: str) -> tuple[int, ...]:
        """The likeliest pieces of a word (Viterbi); unknown characters in a row are one."""
        numbers, scores, longest, unknown = self._numbers, self._scores, self._longest, self._unknown
        size = len(word)
        nowhere = float("-inf")
        best = [nowhere] * (size + 1)  # the score of the likeliest pieces up to each place
        best[0] = 0.0
        came: list[tuple[int, int]] = [(0, 0)] * (size + 1)  # where the last of them begins, and its number
        for start in range(size):
            so_far = best[start]
            for end in range(start + 1, min(size, start + longest) + 1):
                number = numbers.get(word[start:end])
                if number is not None and so_far + scores[number] > best[end]:
                    best[end] = so_far + scores[number]
                    came[end] = (start, number)
            if word[start] not in numbers and so_far + self._unknown_score > best[start + 1]:
                best[start + 1] = so_far + self._unknown_score
                came[start + 1] = (start, unknown)
        found: list[int] = []
        place = size
        while place:
            place, number = came[place]
            if number != unknown or not found or found[-1] != unknown:
                found.append(number)
        return tuple(reversed(found))


def _composed(text: str) -> str:
    """Letters with their accents, and Hangul syllables, as one character each (NFC); the table knows no others."""
    if text.isascii():
        return text
    return " ".join(
        "".join(
            unicodedata.normalize("NFC", word[start : start + _COMPOSED]) for start in range(0, len(word), _COMPOSED)
        )
        for word in text.split(" ")
    )
