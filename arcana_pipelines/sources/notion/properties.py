"""Notion's page properties: what a person sees in each cell, and its value as plain JSON.

Shapes: docs reference/page-property-values. A property is `{"id", "type": T, T: …}`. Nothing here raises:
an unknown type or an odd shape gives whatever text is found in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from arcana_pipelines.markdown.characters import clean
from arcana_pipelines.markdown.urls import canonical_id, without_signature, without_signatures
from arcana_pipelines.sources.notion.rich_text import plain

CUT_AT = 25
"""References that a page object carries for a property (docs: reference/retrieve-a-page-property)."""

_DEEPEST = 8
Cell = tuple[str, Any]


def title_of(raw_properties: Mapping[str, Any]) -> str:
    """The page's title on one line; empty when it has none."""
    for value in _mapping(raw_properties).values():
        if isinstance(value, Mapping) and value.get("type") == "title":
            return " ".join(plain(value.get("title")).split())
    return ""


def read_properties(raw: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Each property but the title as `{"type", "text", "value"}`, in the API's order.

    `value` holds no signed address. A relation has no text here: its titles are known elsewhere.
    """
    properties = {}
    for name, value in _mapping(raw).items():
        kind = _string(_mapping(value).get("type"))
        if kind == "title":
            continue
        properties[clean(str(name))] = read_value(value)
    return properties


def read_value(raw: object) -> dict[str, Any]:
    """One property as `{"type", "text", "value"}`; with `"unsupported": True` when the API computes no value of it."""
    text, typed = _cell(raw, 0)
    kind = _string(_mapping(raw).get("type"))
    value = {"type": kind or "unknown", "text": text, "value": typed}
    computed = _mapping(_mapping(raw).get(kind)) if kind in ("formula", "rollup") else {}
    return {**value, "unsupported": True} if computed.get("type") == "unsupported" else value


def read_schema(raw: object) -> dict[str, dict[str, Any]]:
    """The columns of a database in the same shape, without text and value. The title's is among them."""
    columns = {clean(str(name)): _string(_mapping(column).get("type")) for name, column in _mapping(raw).items()}
    return {name: {"type": kind or "unknown", "text": "", "value": None} for name, kind in columns.items()}


def unknown_kinds(properties: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The types among read properties that this release does not know."""
    return sorted({str(value["type"]) for value in properties.values()} - _READERS.keys() - {"formula", "rollup"})


def incomplete_properties(raw: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and ids of the properties that the page object may have cut short, in its order.

    Only a relation says so itself (`has_more`). Formulas and rollups are computed from the same first 25 references
    (docs: reference/page-property-values), so beside anything that is cut they cannot be trusted either.
    """
    cut: list[str] = []
    computed: list[str] = []
    ids: dict[str, str] = {}
    for name, value in _mapping(raw).items():
        value = _mapping(value)
        kind = _string(value.get("type"))
        name = clean(str(name))
        ids[name] = _string(value.get("id"))
        if kind in ("rollup", "formula"):
            computed.append(name)
        if _is_cut(kind, value):
            cut.append(name)
    doubtful = set(cut) | set(computed if cut else ())
    return [(name, property_id) for name, property_id in ids.items() if name in doubtful and property_id]


def _is_cut(kind: str, value: Mapping[str, Any], depth: int = 0) -> bool:
    content = value.get(kind)
    if kind == "relation":
        more = value.get("has_more")
        return bool(more is True or (more is not False and len(_list(content)) >= CUT_AT))
    if kind == "people":
        return len(_list(content)) >= CUT_AT
    if kind in ("rich_text", "title"):
        return [_mapping(item).get("type") for item in _list(content)].count("mention") >= CUT_AT
    if kind == "rollup" and depth < _DEEPEST:
        rollup = _mapping(content)
        if rollup.get("type") == "incomplete":
            return True
        array = _list(rollup.get("array"))
        return len(array) >= CUT_AT or any(
            _is_cut(_string(_mapping(item).get("type")), _mapping(item), depth + 1) for item in array
        )
    return False


def _cell(raw: object, depth: int) -> Cell:
    """Text and value of `{"type": T, T: …}`; formulas and rollups hold more of the same."""
    holder = _mapping(raw)
    kind = _string(holder.get("type"))
    if kind not in holder:  # it does not say what it is: all but its name may be its content
        return _unfamiliar({key: value for key, value in holder.items() if key not in ("id", "type")})
    content = holder[kind]
    if content is None or depth > _DEEPEST:
        return "", None
    if kind == "rollup" or kind == "array":
        return _rollup(content, depth)
    if kind == "formula":
        return _cell(content, depth + 1)
    reader = _READERS.get(kind)
    text, value = reader(content) if reader else _unfamiliar(content)
    return without_signatures(clean(text)), value


def _rollup(content: object, depth: int) -> Cell:
    items = content if isinstance(content, list) else _mapping(content).get("array")
    if not isinstance(items, list):
        return _cell(content, depth + 1)
    cells = [_cell(item, depth + 1) for item in items]
    return _joined(text for text, _ in cells), [value for _, value in cells]


def _text(content: object) -> Cell:
    text = plain(content if isinstance(content, list) else None)
    return text, text


def _number(content: object) -> Cell:
    if isinstance(content, bool) or not isinstance(content, int | float):
        return _unfamiliar(content)
    if content != content or content in (float("inf"), float("-inf")):
        return "", None  # JSON has no such numbers, and neither has jsonb
    whole = isinstance(content, float) and content.is_integer() and abs(content) < 1e15
    return str(int(content) if whole else content), content


def _checkbox(content: object) -> Cell:
    return ("Yes" if content is True else "No"), content is True


def _option(content: object) -> Cell:
    name = clean(_string(_mapping(content).get("name")))
    return name, name or None


def _options(content: object) -> Cell:
    names = [name for item in _list(content) if (name := _option(item)[0])]
    return _joined(names), names


def _date(content: object) -> Cell:
    if isinstance(content, str):
        return _moment(content), content
    date = _mapping(content)
    start, end = _string(date.get("start")), _string(date.get("end"))
    zone = _string(date.get("time_zone"))
    text = " → ".join(_moment(moment) for moment in (start, end) if moment)
    if zone and ":" in text:
        text = f"{text} ({zone})"
    value = {"start": start or None, "end": end or None, "time_zone": zone or None}
    return text, value if text else None


def _moment(iso: str) -> str:
    """`2026-07-01`, or `2026-07-01 09:00` in the zone that the API gave it in."""
    date, separator, time = iso.partition("T")
    return f"{date} {time[:5]}" if separator else iso


def _person(content: object) -> Cell:
    person = _mapping(content)
    name = clean(_string(person.get("name")))
    return name, {"id": canonical_id(_string(person.get("id"))), "name": name or None} if person else None


def _people(content: object) -> Cell:
    people = [_person(item) for item in _list(content)]
    return _joined(text for text, _ in people), [value for _, value in people]


def _files(content: object) -> Cell:
    names, files = [], []
    for item in _list(content):
        file = _mapping(item)
        hosted = _mapping(file.get(_string(file.get("type"))))
        name = without_signature(clean(_string(file.get("name"))))
        url = without_signature(_string(hosted.get("url")))
        names.append(name)
        files.append({"name": name, "url": url or None})
    return _joined(names), files


def _address(content: object) -> Cell:
    text = without_signatures(clean(_string(content)))
    return text, text or None


def _relation(content: object) -> Cell:
    ids = [canonical_id(_string(_mapping(item).get("id"))) for item in _list(content)]
    return "", [page for page in ids if page]


def _day(content: object) -> Cell:
    # Only the day: the time of the last edit changes with every edit of the page, and is no news in its text.
    return _string(content)[:10], content if isinstance(content, str) else None


def _unique_id(content: object) -> Cell:
    unique = _mapping(content)
    number, prefix = unique.get("number"), _string(unique.get("prefix"))
    if isinstance(number, bool) or not isinstance(number, int):
        return "", None
    return (f"{prefix}-{number}" if prefix else str(number)), {"prefix": prefix or None, "number": number}


def _verification(content: object) -> Cell:
    verification = _mapping(content)
    state = _string(verification.get("state"))
    by = _person(verification.get("verified_by"))[1]
    return state, {"state": state or None, "verified_by": by, "date": _date(verification.get("date"))[1]}


def _place(content: object) -> Cell:
    place = _mapping(content)
    name, address = clean(_string(place.get("name"))), clean(_string(place.get("address")))
    value = {key: _number(place.get(key))[1] for key in ("lat", "lon") if isinstance(place.get(key), int | float)}
    return _joined([name, address]), {**value, "name": name or None, "address": address or None}


def _nothing(_content: object) -> Cell:
    return "", None


def _unfamiliar(content: object) -> Cell:
    """Whatever a person could read in a shape we do not know."""
    if isinstance(content, str):
        text = without_signatures(clean(content))
        return text, text or None
    if isinstance(content, bool):
        return _checkbox(content)
    if isinstance(content, int | float):
        return _number(content)
    texts: list[str] = []
    waiting: list[object] = [content]
    while waiting and len(texts) < 1000:
        item = waiting.pop()
        if isinstance(item, list):
            if any(isinstance(part, Mapping) and "plain_text" in part for part in item):
                texts.append(plain(item))
            else:
                waiting.extend(reversed(item))
        elif isinstance(item, Mapping):
            known = _string(item.get("plain_text")) or _string(item.get("name"))
            if known:
                texts.append(without_signatures(clean(known)))
            else:
                waiting.extend(value for value in reversed(list(item.values())) if isinstance(value, list | Mapping))
    text = _joined(texts)
    return text, text or None


_READERS: dict[str, Callable[[object], Cell]] = {
    "title": _text,
    "rich_text": _text,
    "number": _number,
    "checkbox": _checkbox,
    "boolean": _checkbox,
    "select": _option,
    "status": _option,
    "multi_select": _options,
    "date": _date,
    "people": _people,
    "created_by": _person,
    "last_edited_by": _person,
    "files": _files,
    "url": _address,
    "email": _address,
    "phone_number": _address,
    "string": _address,
    "relation": _relation,
    "created_time": _address,
    "last_edited_time": _day,
    "last_visited_time": _nothing,  # says who looked, not what is written
    "unique_id": _unique_id,
    "verification": _verification,
    "place": _place,
    "button": _nothing,
    "unsupported": _nothing,
    "incomplete": _nothing,
}


def _joined(texts: Iterable[str]) -> str:
    return ", ".join(text for text in texts if text)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
