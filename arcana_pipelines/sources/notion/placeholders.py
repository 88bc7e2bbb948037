"""Tags in the Markdown endpoint's answer that stand for what it does not show.

`<unknown url="…" alt="…"/>` stands for a block, a reference to a synced block without content for an original that the
connection cannot see. All is done in one pass over the text, however many there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from arcana_pipelines.markdown.reader import without_literals
from arcana_pipelines.sources.notion.pages import path_id

# These have no words of their own.
_WORDLESS = frozenset({"button", "breadcrumb", "form", "ai_block", "drive", "table_of_contents", "unsupported"})
# No attribute holds an angle: of a tag without an end no more is read than up to the next.
_UNKNOWN = re.compile(r"<unknown\b([^<>]*+)>(?:</unknown>)?")
_EMPTY_COPY = re.compile(r"<synced[-_]block[-_]reference\b[^<>]*+>\s*+</synced[-_]block[-_]reference>")
_ALT = re.compile(r'\balt="([^"]*)"')
_ID = re.compile(r"([0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12})(?![0-9a-f])", re.IGNORECASE)


def fill(text: str, parts: Mapping[str, str]) -> str:
    """`text` with each part where the placeholder of its block stands, which may be in another part, or at the end."""
    waiting = dict(parts)
    count = len(waiting) + 1
    while waiting and len(waiting) < count:
        count = len(waiting)
        text = _filled(text, waiting)
    return "\n\n".join([text, *waiting.values()])


def _filled(text: str, waiting: dict[str, str]) -> str:
    """Put in those parts whose placeholders stand in the text, and take them from `waiting`."""
    out: list[str] = []
    at = 0
    for placeholder in _placeholders(text):
        named = (path_id(one) for one in reversed(_ID.findall(placeholder[1])))
        block_id = next((one for one in named if one in waiting), None)
        if block_id is None:
            continue
        start = placeholder.start()
        while start > at and text[start - 1] in " \t":
            start -= 1
        out += [text[at:start], "\n\n", waiting.pop(block_id), "\n\n"]
        at = placeholder.end()
    return "".join([*out, text[at:]])


def unrendered(text: str) -> list[str]:
    """Ids of blocks that the endpoint does not render (a link preview, a link to a page) but that have words."""
    block_ids = []
    for placeholder in _placeholders(text):
        alt, ids = _ALT.search(placeholder[1]), _ID.findall(placeholder[1])
        if alt and ids and alt[1] not in _WORDLESS:
            block_ids.append(path_id(ids[-1]))
    return block_ids


def left_unknown(text: str) -> list[str]:
    """Types of the placeholders that stay: blocks without words of their own."""
    return [alt[1] for placeholder in _placeholders(text) if (alt := _ALT.search(placeholder[1]))]


def empty_copies(text: str) -> int:
    """How many synced copies came without their content."""
    return len(_EMPTY_COPY.findall(_without_code(text, "<synced")))


def _placeholders(text: str) -> Iterator[re.Match[str]]:
    return _UNKNOWN.finditer(_without_code(text, "<unknown"))


def _without_code(text: str, tag: str) -> str:
    """`text` without its code and escapes, which may speak of such tags; as long as it was."""
    return without_literals(text) if ("`" in text or "\\" in text) and tag in text else text
