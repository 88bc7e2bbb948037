"""Tags of Notion's Markdown dialects: how one looks, its attributes, and what a date says."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

# Notion's tags are lower-case, and their attributes have values. So `<T>`, `<your name here>` and `a < b`
# are text. (docs: guides/data-apis/notion-flavored-markdown, guides/data-apis/enhanced-markdown)
_VALUE = r"(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s\"'<>=]++)"
_ATTRIBUTES = rf"(?:\s+(?:[A-Za-z_:@][\w:.@-]*+\s*+=\s*+{_VALUE}|checked|open|controls|disabled))*+"


def tag_pattern(names: str) -> re.Pattern[str]:
    """The pattern of a tag whose name matches `names`."""
    return re.compile(rf"<(?P<closing>/?)(?P<name>{names})(?P<attributes>{_ATTRIBUTES})\s*+(?P<self>/?)>")


TAG = tag_pattern(r"[a-z][a-z0-9_:.-]*+")
_ATTRIBUTE = re.compile(r"([A-Za-z_:@][\w:.@-]*+)(?:\s*+=\s*+(?:\"([^\"\n]*)\"|'([^'\n]*)'|([^\s\"'<>=]++)))?")


# These stand on their own line or around other blocks; any other tag is part of a line.
_BLOCK_NAMES = (
    "p|h[1-6]|quote|blockquote|toggle|ul|ol|li|callout|aside|columns?|tabs?|mail|details|summary|todo|equation"
    "|meeting-notes(?:-section-(?:notes|summary|transcript))?|meeting_notes|table(?:[-_]of[-_]contents)?"
    "|thead|tbody|tr|td|th|colgroup|col|synced[-_]block(?:[-_]reference)?|image|pdf|file|audio|video|bookmark"
    "|embed|link[-_]preview|page|folder|database|custom[-_]block|external_object_instance|unknown|empty-block"
    "|div|section|figure|figcaption|center|hr|breadcrumb"
)
BLOCK_TAG = tag_pattern(rf"(?:{_BLOCK_NAMES})(?![\w:.-])")
BLOCK_NAME = re.compile(rf"(?:{_BLOCK_NAMES})$")


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
