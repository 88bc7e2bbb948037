"""The names of collections, the same rules for every store."""

from __future__ import annotations

import re
from uuid import UUID


def collection_name(slug: str, index: str, build: int, target: UUID, fence: int) -> str:
    """That of a build in a target: readable, and of no other target, also where installations share a server.

    `fence` is the number of the right under which it is made: what one makes takes the place of nobody else's.
    """
    return f"{_plain(slug)[:20]}_{_plain(index)[:16]}_b{build}_{target.hex[:8]}_{fence:x}"


def alias_name(slug: str, index: str, target: UUID) -> str:
    """The name under which other programs find what serves now."""
    return f"{_plain(slug)[:20]}_{_plain(index)[:16]}_{target.hex[:8]}"


def _plain(name: str) -> str:
    # Milvus takes letters, digits and `_` alone, and a letter first; others take that, too.
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return plain if plain[:1].isalpha() else f"w_{plain}"
