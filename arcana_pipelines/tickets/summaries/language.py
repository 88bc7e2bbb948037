"""Whether a text is Korean: the one language that is told apart here, and that an answer is held to."""

from __future__ import annotations

import re

_HANGUL = re.compile(r"[가-힣ㄱ-ㅎㅏ-ㅣ]")
_LETTER = re.compile(r"[^\W\d_]")
# Korean tickets quote logs, names of products and code, all of it in Latin letters.
_SHARE_OF_KOREAN = 0.25


def hangul_share(text: str) -> float:
    """How much of the text's letters is Hangul, from 0 to 1."""
    letters = len(_LETTER.findall(text))
    return len(_HANGUL.findall(text)) / letters if letters else 0.0


def is_korean(text: str) -> bool:
    """Whether somebody writes Korean there, whatever is quoted between."""
    return hangul_share(text) >= _SHARE_OF_KOREAN
