"""The characters a stored text may hold: none that a person cannot see or that turn text around; Unicode NFC."""

from __future__ import annotations

import re
import unicodedata

# PostgreSQL refuses NUL, UTF-8 refuses lone surrogates; non-characters and the byte-order mark are no text, controls
# command terminals, and what sets the direction of a text shows another one than is stored (Trojan Source).
# Soft hyphens and what joins or parts words without being seen make two words of one.
# U+FDD0..U+FDEF must go in any case: the inline reader uses them to shield escaped punctuation.
_NON_CHARACTERS = "".join(chr(plane << 16 | end) for plane in range(17) for end in (0xFFFE, 0xFFFF))
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u200b\u202a-\u202e\u2060-\u206f\ud800-\udfff\ufdd0-\ufdef\ufeff"
    f"\ufff9-\ufffb{_NON_CHARACTERS}]+"
)
# Tag characters are invisible letters. They have one use: the flags of England, Scotland and such (UTS #51, ED-14a).
_REGION = "[\U000e0061-\U000e007a]{2}[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,3}"
_TAGS = re.compile(f"(\U0001f3f4{_REGION}\U000e007f)|[\U000e0000-\U000e007f]+")
# Joiners belong to emoji and to scripts such as Persian and Hindi, not between letters of these.
_UNJOINED = "A-Za-z0-9\xc0-\u024f\u0370-\u052f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3"
_JOINERS = re.compile(f"(?<=[{_UNJOINED}])[\u200c\u200d]+(?=[{_UNJOINED}])")
_LINE_ENDS = re.compile("\r\n?")
_OTHER_BREAKS = re.compile("[\x0b\x0c\x85\u2028\u2029]")
# Canonical ordering is quadratic in a run of combining marks, so absurd runs are left in their order.
_MARKS = re.compile(r"([^\w\s\x00-\x7f]{64,})")


def clean(text: str) -> str:
    """`text` without forbidden characters, with `\\n` line ends, in NFC."""
    if "\r" in text:
        text = _LINE_ENDS.sub("\n", text)
    if not text.replace("\n", "").replace("\t", "").isprintable():
        text = _OTHER_BREAKS.sub(" ", _FORBIDDEN.sub("", text))
        text = _JOINERS.sub("", _TAGS.sub(r"\1", text))
    return nfc(text)


def nfc(text: str) -> str:
    """`text` composed, in linear time for any input."""
    if text.isascii() or unicodedata.is_normalized("NFC", text):
        return text
    if _MARKS.search(text):
        parts = _MARKS.split(text)
        return "".join(p if i % 2 else unicodedata.normalize("NFC", p) for i, p in enumerate(parts))
    return unicodedata.normalize("NFC", text)
