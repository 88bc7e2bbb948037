"""What of a hit may leave: texts that command no terminal and hide nothing, addresses that run nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

# Controls but tab and line feed, line and paragraph separators, bidirectional controls, tag characters, halves of
# surrogate pairs.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]+"
)
_ADDRESS = re.compile(r"(?:https?://|mailto:|notion:)[^\s\x00-\x20\x7f-\x9f]+", re.IGNORECASE)


def shown(text: str) -> str:
    """The text without characters that a terminal obeys or that hide or turn about what stands there."""
    return text if text.isascii() and text.isprintable() else _HIDDEN.sub("", text)


def shown_all(value: Any) -> Any:
    """A record, or whatever it is, with each text in it as `shown` gives it."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, Mapping):
        return {shown(str(name)): shown_all(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [shown_all(each) for each in value]
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: shown_all(getattr(value, each.name)) for each in fields(value)})
    return value


def safe_address(url: str | None) -> str | None:
    """The address if a browser may be sent there: http, https, mailto or notion. None for any other."""
    return url if url and not _HIDDEN.search(url) and _ADDRESS.fullmatch(url) else None
