"""Addresses that browsers scroll to a place of the page: https://wicg.github.io/scroll-to-text-fragment/.

A browser looks for the words of an address from the top of the page, so those of a heading lead to an earlier place
that has them, too. Then the first words of what stands below the heading are looked for before it.
"""

from __future__ import annotations

import re
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
    return f"{url}#:~:{'&'.join(f'text={_encoded(words)}' for words in wanted)}"


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
    if page is None:
        return True
    line = max(chunk.split("\n"), key=lambda line: (not line.startswith("#"), len(line)))
    found = page.find(line)
    if found < 0:
        return True
    place = max(found - chunk.index(line) + at, 0)
    return has_words(f"{title}\n{page[: _begin_of_heading(heading, page, place)]}", heading)


def has_words(text: str, words: str) -> bool:
    """Whether a browser would find them there: in any case, with any space between them, and as whole words."""
    parts = r"\s+".join(map(re.escape, words.split()))
    return re.search(rf"(?<!\w){parts}(?!\w)", text, re.IGNORECASE) is not None


def _begin_of_heading(heading: str, page: str, place: int) -> int:
    lines = re.compile(rf"^#+ +{re.escape(heading)}\s*$", re.MULTILINE)
    return max((line.start() for line in lines.finditer(page, 0, place)), default=place)


def _encoded(words: str) -> str:
    # A hyphen at an end would make them what stands around other words.
    return quote(words, safe="").replace("-", "%2D")
