"""Ids and addresses as Notion forms them."""

from __future__ import annotations

import hashlib
import re
from random import Random
from uuid import UUID

_HEX32 = re.compile(r"[0-9a-fA-F]{32}")
# No "/" and no ".": they would change the path that a property id is put into.
_PROPERTY_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:;<>=?@[]{}|~^_`\\"


class IdFactory:
    """Ids that are the same on every run with the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def uuid(self) -> str:
        """A random (version 4) UUID with dashes."""
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def property_id(self) -> str:
        """Four characters that often need URL-encoding, as real property ids do."""
        return "".join(self._random.choice(_PROPERTY_ALPHABET) for _ in range(4))


def dashed(raw: str) -> str | None:
    """The canonical form of an id given with or without dashes, or None if it is not a UUID."""
    compact = raw.replace("-", "")
    if not _HEX32.fullmatch(compact):
        return None
    return str(UUID(hex=compact))


def compact(node_id: str) -> str:
    """The id without dashes, as addresses carry it."""
    return node_id.replace("-", "")


def stable_uuid(*parts: str) -> str:
    """A UUID that depends on nothing but `parts`."""
    return str(UUID(bytes=hashlib.sha256("\x1f".join(parts).encode()).digest()[:16], version=4))


def page_url(node_id: str, title: str = "") -> str:
    """The address of a page: the title's slug (ASCII only) and the id."""
    slug = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-")[:80]
    return f"https://app.notion.com/p/{slug + '-' if slug else ''}{compact(node_id)}"


def block_url(page_id: str, block_id: str) -> str:
    """The address of a block inside its page."""
    return f"https://app.notion.com/p/{compact(page_id)}#{compact(block_id)}"
