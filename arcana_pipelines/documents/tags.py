"""Tags of Notion's Markdown dialects: how one looks, its attributes, and what a date says."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Set

# Notion's tags are lower-case, and their attributes have values. So `<T>`, `<your name here>` and `a < b`
# are text. (docs: guides/data-apis/notion-flavored-markdown, guides/data-apis/enhanced-markdown)
_VALUE = r"(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s\"'<>=]++)"
_ATTRIBUTES = rf"(?:\s+(?:[A-Za-z_:@][\w:.@-]*+\s*+=\s*+{_VALUE}|checked|open|controls|disabled))*+"


def tag_pattern(names: str) -> re.Pattern[str]:
    """The pattern of a tag whose name matches `names`."""
    return re.compile(rf"<(?P<closing>/?)(?P<name>{names})(?P<attributes>{_ATTRIBUTES})\s*+(?P<self>/?)>")


_ATTRIBUTE = re.compile(r"([A-Za-z_:@][\w:.@-]*+)(?:\s*+=\s*+(?:\"([^\"\n]*)\"|'([^'\n]*)'|([^\s\"'<>=]++)))?")

# Known tags, and nothing else, are tags: an export writes `<your-team>` or `Vec<u8>` as it was typed.
# These stand on their own line or around other blocks; any other tag is part of a line.
_BLOCK_NAMES = (
    "p|h[1-6]|quote|blockquote|toggle|ul|ol|li|dl|dt|dd|callout|aside|columns?|tabs?|mail|details|summary|todo"
    "|equation|meeting-notes(?:-section-(?:notes|summary|transcript))?|meeting_notes|table(?:[-_]of[-_]contents)?"
    "|thead|tbody|tfoot|tr|td|th|colgroup|col|caption|synced[-_]block(?:[-_]reference)?|image|pdf|file|audio|video"
    "|bookmark|embed|link[-_]preview|page|folder|database|custom[-_]block|external_object_instance|unknown|empty-block"
    "|div|section|article|header|footer|main|nav|figure|figcaption|center|hr|pre|breadcrumb"
)
_INLINE_NAMES = (
    "a|abbr|b|bdi|bdo|big|br|button|cite|code|data|date|del|dfn|em|font|i|iframe|img|input|ins|kbd|label|mark"
    "|mention(?:-(?:user|page|database|data-source|agent|date|custom-emoji|template))?|noscript|object|output|picture"
    "|q|rp|rt|ruby|s|samp|script|small|source|span|strike|strong|style|sub|sup|svg|time|tt|u|var|wbr"
)
TAG = tag_pattern(rf"(?:{_BLOCK_NAMES}|{_INLINE_NAMES})(?![\w:.-])")
BLOCK_TAG = tag_pattern(rf"(?:{_BLOCK_NAMES})(?![\w:.-])")
BLOCK_NAME = re.compile(rf"(?:{_BLOCK_NAMES})$")
# Names that are words or letters as well: `git add <file>`, `Map<a>`.
_AMBIGUOUS = frozenset(
    "a article aside audio b bookmark button callout caption center cite code column columns data database date "
    "details embed equation figure file folder footer header i image input label link-preview link_preview mail main "
    "mark nav object output p page pdf picture q quote s script section small source style summary tab table tabs time "
    "todo toggle tt u unknown var video".split()
)
_CLOSING = re.compile(r"</([a-z]++[0-9a-z_-]*+)\s*+>")


def closed_names(source: str) -> frozenset[str]:
    """The names of the closing tags in a text."""
    return frozenset(_CLOSING.findall(source)) if "</" in source else frozenset()


def is_tag(match: re.Match[str], closed: Set[str]) -> bool:
    """Whether what looks like a known tag is one.

    A bare `<file>` or `<b>` is what somebody typed, unless it is closed: `closed` are the names that are.
    """
    name = match.group("name")
    return name not in _AMBIGUOUS or name in closed or bool(match.group("attributes") or match.group("self"))


def attributes(source: str) -> dict[str, str]:
    """A tag's attributes, entities resolved; `{{…}}` around a value (Notion's compressed form) is dropped."""
    found = {}
    for name, double, single, bare in _ATTRIBUTE.findall(source):
        value = html.unescape(double or single or bare)
        if value.startswith("{{") and value.endswith("}}"):
            value = value[2:-2]
        found[name] = value
    return found


def date_text(values: Mapping[str, str]) -> str:
    """A date mention as a person reads it: `2026-07-01 09:00 → 2026-07-02 10:00 (Asia/Seoul)`."""
    start = _moment(values, "start")
    end = _moment(values, "end")
    text = f"{start} → {end}" if start and end else start or end
    zone = values.get("time-zone") or values.get("timeZone")
    return f"{text} ({zone})" if text and zone and ":" in text else text


def _moment(values: Mapping[str, str], side: str) -> str:
    time = values.get(f"{side}-time") or values.get(f"{side}Time") or ""
    return " ".join(part for part in (values.get(side, ""), time) if part)
