"""Addresses that browsers scroll to a place of the page: https://wicg.github.io/scroll-to-text-fragment/.

A browser looks for the words of an address from the top of the page, so those of a heading lead to an earlier place
that has them, too. Then the first words of what stands below the heading are looked for before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

# What is read of a page to tell whether words stand earlier on it, in characters. Of a longer page it is not known.
LONGEST_PAGE = 20_000

_MARKER = re.compile(r"^ *(?:[-*+]|\d{1,9}[.)]) +", re.MULTILINE)
# What stands between marks of Markdown, which no page shows.
_PLAIN = re.compile(r"[^\n|*_`\[\]()<>#~\\$]+")
_LEAST_WORDS, _MOST_WORDS = 3, 5  # fewer may stand anywhere, and more make the address long


def scroll_to(url: str, heading: str, below: str = "") -> str:
    """The address with the heading to scroll to, or the first words of the text below it where they are found."""
    wanted = [words for words in (first_words(below), heading) if words]
    return f"{url}#:~:{'&'.join(f'text={_encoded(words)}' for words in wanted)}" if wanted else url


def first_words(text: str) -> str:
    """The first words of a text in Markdown that stand in a row on the page; empty where too few do."""
    for run in _PLAIN.finditer(_MARKER.sub("", text)):
        words = run[0].split()
        if len(words) >= _LEAST_WORDS:
            return " ".join(words[:_MOST_WORDS])
    return ""


def stands_earlier(heading: str, title: str, page: str | None, chunk: str, at: int) -> bool:
    """Whether the words of the heading above a place stand on the page before the heading does.

    True also where that cannot be said.

    Args:
        page: all of its text without the title; None: it is too long to be read.
        chunk: a part of it.
        at: the place, in the chunk.
    """
    if page is None or has_words(title, heading):
        return True
    # Lower case: a browser does not tell them apart. Only places in the page are compared, whatever that does to them.
    text, words = page.lower(), heading.lower()
    places = list(_places(text, words))
    headings = [place for place in places if _is_heading(text, place, words)]
    if not headings or places[0] < headings[0]:
        return True
    if len(headings) == 1:
        return False
    # Several headings are called so: is it the first of them?
    line = max(chunk.split("\n"), key=lambda line: (not line.startswith("#"), len(line)))
    found = text.find(line.lower())
    return found < 0 or headings[1] <= found - chunk.index(line) + at


def has_words(text: str, words: str) -> bool:
    """Whether a browser would find them there: in any case, and as whole words."""
    return next(_places(text.lower(), words.lower()), None) is not None


def _places(text: str, words: str) -> Iterator[int]:
    """Where the words stand as whole words."""
    at = text.find(words)
    while at >= 0:
        around = text[max(at - 1, 0) : at] + text[at + len(words) : at + len(words) + 1]
        if not any(letter.isalnum() for letter in around):
            yield at
        at = text.find(words, at + 1)


def _is_heading(text: str, place: int, words: str) -> bool:
    """Whether the words at a place are all that a heading says."""
    begin, end = text.rfind("\n", 0, place) + 1, text.find("\n", place + len(words))
    marks, behind = text[begin:place], text[place + len(words) : end if end >= 0 else len(text)]
    return marks.startswith("#") and not marks.strip("# ") and not behind.strip()


def _encoded(words: str) -> str:
    # A hyphen at an end would make them what stands around other words.
    return quote(words, safe="").replace("-", "%2D")
