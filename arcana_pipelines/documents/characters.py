"""The characters a stored text may hold: no controls, no halves of surrogate pairs, Unicode NFC."""

from __future__ import annotations

import re
import unicodedata

# PostgreSQL refuses NUL, UTF-8 refuses lone surrogates; non-characters and the byte-order mark are no text.
# U+FDD0..U+FDEF must go in any case: the inline reader uses them to shield escaped punctuation.
_FORBIDDEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]+")
_LINE_ENDS = re.compile("\r\n?")
_OTHER_BREAKS = re.compile("[\x0b\x0c\x85\u2028\u2029]")
# Canonical ordering is quadratic in a run of combining marks, so absurd runs are left in their order.
_MARKS = re.compile("([\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u1dc0-\u1dff]{64,})")


def clean(text: str) -> str:
    """`text` without forbidden characters, with `\\n` line ends, in NFC."""
    if "\r" in text:
        text = _LINE_ENDS.sub("\n", text)
    if not text.replace("\n", "").replace("\t", "").isprintable():
        text = _OTHER_BREAKS.sub(" ", _FORBIDDEN.sub("", text))
    return nfc(text)


def nfc(text: str) -> str:
    """`text` composed, in linear time for any input."""
    if text.isascii() or unicodedata.is_normalized("NFC", text):
        return text
    if _MARKS.search(text):
        parts = _MARKS.split(text)
        return "".join(p if i % 2 else unicodedata.normalize("NFC", p) for i, p in enumerate(parts))
    return unicodedata.normalize("NFC", text)
