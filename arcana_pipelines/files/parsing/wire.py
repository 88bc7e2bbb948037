"""What a parser says, as lines from its process to ours. What comes in is data of a stranger, and checked as such."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from arcana_pipelines.files.parsing.blocks import NOWHERE, Block, Inside, Note, Picture, Place, Said, Title
from arcana_pipelines.markdown.characters import clean

MOST_BYTES = 32 * 2**20
"""Of all lines of one file."""
LONGEST_TEXT = 4 * 2**20
LONGEST_NAME = 1000
LARGEST_NUMBER = 2**31
DEEPEST = 100
MOST_CELLS = 2_000_000
"""Of all tables of one file. Each takes some hundred bytes here, however short it is."""

_KINDS = frozenset({"heading", "text", "item", "table", "code", "quote"})
_PLACE = {each.name for each in fields(Place)}
_MOST_SIGNS = 3 * MOST_CELLS  # of JSON, in one line: each may be a value
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"')
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")


class Malformed(Exception):
    """A line is none that our side writes."""


def to_line(said: Said) -> bytes:
    """One line. Characters that no text of ours has are dropped, and what is longer than any text is cut."""
    match said:
        case Block():
            told: dict[str, Any] = {"is": "block", "kind": said.kind}
            if said.text:
                told["text"] = clean(said.text)[:LONGEST_TEXT]
            if said.level:
                told["level"] = max(0, min(said.level, DEEPEST))
            if said.rows:
                told["rows"] = [[clean(cell)[:LONGEST_TEXT] for cell in row] for row in said.rows]
            if said.continues:
                told["continues"] = True
            told |= _placed(said.place)
        case Note():
            told = {"is": "note", "text": clean(said.text)[:LONGEST_NAME]}
        case Title():
            told = {"is": "title", "text": clean(said.text)[:LONGEST_NAME]}
        case Inside():
            told = {"is": "inside", "name": clean(said.name)[:LONGEST_NAME], "path": said.path}
        case Picture():
            told = {"is": "picture", "path": said.path, "why": said.why} | _placed(said.place)
    return json.dumps(told).encode() + b"\n"


def from_line(line: bytes) -> Said | Mapping[str, object]:
    """What a line says; a mapping is what the process says of itself.

    Raises:
        Malformed: it is no such line.
    """
    if line.count(b'"') - line.count(b'\\"') > _MOST_SIGNS:
        raise Malformed("too many texts")
    if _signs(line) > _MOST_SIGNS and _signs(_STRINGS.sub(b"", line)) > _MOST_SIGNS:
        raise Malformed("too many values")
    try:
        told = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Malformed("not JSON") from error
    if not isinstance(told, dict):
        raise Malformed("not an object")
    match told.get("is"):
        case "block":
            return _block(told)
        case "note":
            return Note(_text(told, "text", LONGEST_NAME))
        case "title":
            return Title(_text(told, "text", LONGEST_NAME))
        case "inside":
            return Inside(_text(told, "name", LONGEST_NAME), _file(told))
        case "picture":
            return Picture(_file(told), _place(told), _text(told, "why", LONGEST_NAME))
        case _:
            return told


def _signs(line: bytes) -> int:
    return sum(map(line.count, (b"[", b"{", b",")))


def text_of(told: Mapping[str, object], name: str) -> str:
    """A short text that the process says of itself. Raises as `from_line`."""
    return _text(told, name, LONGEST_NAME)


def number_of(told: Mapping[str, object], name: str) -> int:
    """A number that the process says of itself. Raises as `from_line`."""
    return _whole(told.get(name, 0), 2**50)


def _block(told: Mapping[str, object]) -> Block:
    kind, rows = told.get("kind"), told.get("rows", [])
    if kind not in _KINDS:
        raise Malformed("a kind of block")
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise Malformed("rows")
    if sum(len(row) for row in rows) > MOST_CELLS:
        raise Malformed("too many cells")
    return Block(
        kind=kind,  # type: ignore[arg-type]
        text=_text(told, "text", LONGEST_TEXT),
        level=_whole(told.get("level", 0), DEEPEST),
        rows=tuple(tuple(_checked(cell, LONGEST_TEXT) for cell in row) for row in rows),
        place=_place(told),
        continues=told.get("continues") is True,
    )


def _placed(place: Place) -> dict[str, object]:
    said = {name: value for name in _PLACE if (value := getattr(place, name)) is not None}
    if isinstance(said.get("sheet"), str):
        said["sheet"] = clean(said["sheet"])[:LONGEST_NAME]
    if isinstance(said.get("label"), str):
        said["label"] = clean(said["label"])[:LONGEST_NAME]
    return {"place": said} if said else {}


def _place(told: Mapping[str, object]) -> Place:
    place = told.get("place", {})
    if not isinstance(place, dict) or not place.keys() <= _PLACE:
        raise Malformed("a place")
    if not place:
        return NOWHERE
    checked: dict[str, Any] = {}
    for name, value in place.items():
        if name in ("label", "sheet"):
            checked[name] = _checked(value, LONGEST_NAME)
        elif name in ("begin", "end"):
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
                raise Malformed("a time")
            checked[name] = float(value)
        else:
            checked[name] = _whole(value, LARGEST_NUMBER)
    return Place(**checked)


def _text(told: Mapping[str, object], name: str, longest: int) -> str:
    return _checked(told.get(name, ""), longest)


def _checked(value: object, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest or _NOT_TEXT.search(value):
        raise Malformed("a text")
    return clean(value)


def _whole(value: object, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise Malformed("a number")
    return value


def _file(told: Mapping[str, object]) -> str:
    name = told.get("path")
    if not isinstance(name, str) or not _FILE.match(name):
        raise Malformed("the name of a file")
    return name
