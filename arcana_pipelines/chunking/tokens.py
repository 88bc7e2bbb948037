"""How long a text is, in tokens, near enough to cut by."""

from __future__ import annotations

import re

# A run of Latin letters, one CJK character or Hangul syllable, a run of digits, or one other sign.
_PIECE = re.compile(r"[A-Za-zÀ-ɏ]+|[぀-ヿ㐀-鿿가-힣]|\d+|[^\sA-Za-z\d]")


def estimate_tokens(text: str) -> int:
    """Tokens of a text in a current byte-pair vocabulary, estimated.

    A Latin word is one token for each begun five letters, a number one for each begun three digits, a Hangul
    syllable or CJK character and any other sign one. The estimate does not depend on a model, so a changed
    model alone moves no chunk boundary.
    """
    total = 0
    for piece in _PIECE.findall(text):
        first = piece[0]
        if first.isdigit():
            total += (len(piece) + 2) // 3
        else:
            total += (len(piece) + 4) // 5
    return total
