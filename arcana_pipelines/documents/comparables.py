"""What a property is compared as: numbers, dates, check boxes, and the items of lists, beside what a person reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.documents.values import Moment, span_of

# The same in SQL: `v` (key, value), a property of a version, into the rows of `document_property`.
PROPERTY_VALUES = statements_beside(__file__)("property_values")

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}.*)?")
_TIMES = ("date", "created_time", "last_edited_time", "formula", "rollup")
# A choice of 1, 2, 3 is compared as such. Of a text of digits (007, 1.10) it is not known what it means.
_CHOICES = ("select", "status", "formula", "rollup")
_WHOLE = re.compile(r"-?(?:0|[1-9]\d{0,17})")
MOST_ITEMS = 1000


def comparable(value: Mapping[str, Any], titles: Sequence[str] = ()) -> dict[str, Any]:
    """What `value`, a property `{"type", "text", "value"}`, is besides a text.

    Args:
        value: the property.
        titles: of the pages that a relation names.

    Returns:
        `number`, `truth` (of a check box), `span` (two times without a zone, the second is the first moment after), as
        far as it is one; and `items`, a list of the same with `text`, where it is a list of several.
    """
    kind, content = str(value.get("type")), value.get("value")
    if kind == "relation":
        return {"items": [{"text": title} for title in titles[:MOST_ITEMS]]} if len(titles) > 1 else {}
    if isinstance(content, list):
        items = [item for one in content[:MOST_ITEMS] for item in _items(kind, one)]
        if len(items) > 1:
            return {"items": items}
        return {key: known for key, known in items[0].items() if key != "text"} if items else {}
    return _single(kind, content, str(value.get("text") or ""))


def _items(kind: str, content: Any) -> list[dict[str, Any]]:
    """One entry of a list; rollups hold lists of lists."""
    if isinstance(content, list):
        return [item for one in content for item in _items(kind, one)]
    text = _text(content)
    typed = _single(kind, content, text)
    return [{"text": text, **typed}] if text or typed else []


def _single(kind: str, content: Any, text: str) -> dict[str, Any]:
    if isinstance(content, bool):
        return {"truth": content}
    if isinstance(content, int | float):
        return {"number": content}
    if isinstance(content, Mapping):
        if (span := _span(content.get("start"), content.get("end"))) is not None:
            return {"span": span}
        number = content.get("number")
        return {"number": number} if isinstance(number, int) and not isinstance(number, bool) else {}
    if isinstance(content, str):
        if kind in _TIMES and (span := _span(content, None)) is not None:
            return {"span": span}
        if kind in _CHOICES and _WHOLE.fullmatch(text):
            return {"number": int(text)}
    return {}


def _span(start: Any, end: Any) -> list[str] | None:
    first = _moment(start)
    last = _moment(end) or first
    if first is None or last is None:
        return None
    try:
        begin, finish = span_of(first)[0], span_of(last)[1]
    except OverflowError:
        return None
    return [begin.isoformat(), finish.isoformat()] if begin < finish else None


def _moment(iso: Any) -> Moment | None:
    if not isinstance(iso, str) or not _ISO.fullmatch(iso):
        return None
    try:
        return Moment(datetime.fromisoformat(iso), "T" in iso)
    except ValueError:
        return None


def _text(content: Any) -> str:
    """What a person sees of a list's entry."""
    if isinstance(content, bool):
        return "Yes" if content else "No"
    if isinstance(content, Mapping):
        if isinstance(content.get("start"), str):
            return " → ".join(str(content[end]) for end in ("start", "end") if content.get(end))
        return str(content.get("name") or "")
    return "" if content is None else str(content)
