"""Tags of Notion's Markdown dialects: how one looks, its attributes, and what a date says."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

# Notion's tags are lower-case, and their attributes have values. So `<T>`, `<your name here>` and `a < b`
# are text. (docs: guides/data-apis/notion-flavored-markdown, guides/data-apis/enhanced-markdown)
_VALUE = r"(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s\"'<>=]++)"
_ATTRIBUTES = rf"(?:\s+(?:[A-Za-z_:@][\w:.@-]*+\s*+=\s*+{_VALUE}|checked|open|controls|disabled))*+"
_ATTRIBUTE = re.compile(r"([A-Za-z_:@][\w:.@-]*+)(?:\s*+=\s*+(?:\"([^\"\n]*)\"|'([^'\n]*)'|([^\s\"'<>=]++)))?")

# Only what Notion writes and HTML's elements inside a line are tags: what else a person typed (`the <hr> tag`,
# `<your-team>`, `Vec<u8>`) is text.
# These tags are written without attributes too. They hold other tags alone …
HOLDERS = frozenset("colgroup columns details ol table tabs tr ul".split())
# … or text, and stand on a line of their own or around other blocks …
_TITLES = (
    "p|h[1-4]|quote|toggle|li|callout|aside|column|tab|mail|summary|todo|equation|td|th|div|center|synced[-_]block(?:[-_]reference)?"
    "|meeting-notes(?:-section-(?:notes|summary|transcript))?|meeting_notes"
)
# … or are a part of a line, as those are that say something by their attributes and are never written without.
_NAMED_SPANS = (
    "span img date mention mention-user mention-page mention-database mention-data-source mention-agent mention-date"
    " mention-custom-emoji mention-template"
).split()
# HTML's elements inside a line, which exports keep: where they are closed around words they go, and the words stay.
_HTML_SPANS = ("a abbr big cite code del em font ins kbd label mark q samp small strike strong sub sup tt var").split()
SPANS = frozenset(["br", "b", "i", "s", "u", *_NAMED_SPANS, *_HTML_SPANS])
_NAMED_BLOCKS = (
    "col|image|pdf|file|audio|video|bookmark|embed|link[-_]preview|page|folder|database|custom[-_]block"
    "|external_object_instance|unknown"
)
_EMPTY_BLOCKS = "empty-block|table[-_]of[-_]contents|breadcrumb"
_BLOCK_NAMES = f"{'|'.join(sorted(HOLDERS))}|{_TITLES}|{_NAMED_BLOCKS}|{_EMPTY_BLOCKS}"


def tag_pattern(names: str) -> re.Pattern[str]:
    """The pattern of a tag whose name matches `names`."""
    return re.compile(
        rf"<(?!(?:{_NAMED_BLOCKS}|{'|'.join(_NAMED_SPANS)})\s*+/?>)(?P<closing>/?)(?P<name>{names})(?![\w:.-])"
        rf"(?P<attributes>{_ATTRIBUTES})\s*+(?P<self>/?)>"
    )


TAG = tag_pattern(f"{_BLOCK_NAMES}|{'|'.join(sorted(SPANS))}")
BLOCK_TAG = tag_pattern(_BLOCK_NAMES)
CELL_NAMES = frozenset("tr td th colgroup col".split())


def attributes(source: str) -> dict[str, str]:
    """A tag's attributes, entities resolved; `{{…}}` around a value (Notion's compressed form) is dropped."""
    values = {}
    for name, double, single, bare in _ATTRIBUTE.findall(source):
        value = html.unescape(double or single or bare)
        if value.startswith("{{") and value.endswith("}}"):
            value = value[2:-2]
        values[name] = value
    return values


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
