"""E-mail addresses, phone numbers and numbers of persons and cards, masked before a text leaves the machine.

Patterns, no proof: an address that somebody has spelled out in words stays. More is masked than has to be (a long
number that begins with 0, say), since a summary needs none of it. Every repetition is bounded: no text is slow.
"""

from __future__ import annotations

import re
import unicodedata

EMAIL, PHONE, NUMBER = "[e-mail]", "[phone]", "[number]"

# In ASCII first: what stands before and behind an address without a space, a Korean particle say, is no part of it.
# Markdown writes some signs with a backslash.
_EMAILS = (
    re.compile(
        r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~\\-]{1,80}(?:\s?[@＠]\s?|%40)(?:[A-Za-z0-9-]{1,63}\\?[.．]){1,8}[A-Za-z0-9-]{2,63}"
    ),
    re.compile(r"[\w.%+'-]{1,64}[@＠](?:[\w-]{1,63}[.．]){1,8}[\w-]{2,63}"),
)
# A resident registration number of Korea, and a card in groups of four.
_NUMBER = re.compile(r"(?<!\d)(?:\d{6}\s?-\s?[1-8]\d{6}|\d{4}(?:[ -]\d{4}){3})(?!\d)")
# A digit, with what may stand before it: a space or two, a hyphen, a bracket, marks of Markdown.
_DIGIT = r"(?:[ \t\u00a0.·‐‑–\-()*_\\]{0,4}\d)"
_PHONE = re.compile(
    r"(?<!\d[.])(?<![A-Za-z0-9])(?!\d{1,2}[.-]\d{1,2}[.-](?:19|20)\d\d(?!\d))(?:"  # a date is none
    rf"(?:[+＋]|\(?00){_DIGIT}{{7,14}}"  # with the number of a country
    rf"|\(?0(?!\.){_DIGIT}{{7,12}}"  # as it is dialled at home
    r"|1[568]\d\d-\d{4}"  # 1588-1234, of companies in Korea
    r"|\(?[2-9]\d{2}\)?[ .-]\d{3}[ .-]\d{4}"  # of North America
    r")(?![A-Za-z0-9])"
)


def masked(text: str) -> str:
    """The text with `[e-mail]`, `[phone]` and `[number]` in the place of each."""
    for pattern in _EMAILS:
        text = pattern.sub(EMAIL, text)
    return _PHONE.sub(PHONE, _NUMBER.sub(NUMBER, text))


def visible(text: str) -> str:
    """Without signs that nobody sees: orders hide in them, and JSON writes each as six."""
    return "".join(sign for sign in text if sign in "\n\t" or unicodedata.category(sign)[0] != "C")
