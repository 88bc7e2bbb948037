"""Whether a text is Korean: the one language that is told apart here, and that an answer is held to."""

from __future__ import annotations

import re

_HANGUL = re.compile(r"[가-힣ㄱ-ㅎㅏ-ㅣ]")
_LETTER = re.compile(r"[^\W\d_]")
# Korean tickets quote logs, names of products and code, all of it in Latin letters.
_SHARE_OF_KOREAN = 0.25
_A_WORD = 2  # a name may stand in a text of any language


def hangul_share(text: str) -> float:
    """How much of the text's letters is Hangul, from 0 to 1."""
    letters = len(_LETTER.findall(text))
    return len(_HANGUL.findall(text)) / letters if letters else 0.0


def is_korean(text: str) -> bool:
    """Whether most of it is surely Korean, whatever is quoted between."""
    return hangul_share(text) >= _SHARE_OF_KOREAN


def may_be_korean(text: str) -> bool:
    """Whether somebody may write Korean there: a sentence of it before pages of a log, say."""
    return len(_HANGUL.findall(text)) > _A_WORD
