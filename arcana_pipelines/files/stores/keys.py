"""Under which key a file's bytes are kept: our own ids and their hash, so no name of anybody's is ever a path."""

from __future__ import annotations

import re
from uuid import UUID

from arcana_pipelines.errors import WrongUse

_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_PLATFORM = r"[a-z][a-z0-9_]{0,62}"
_KEY = re.compile(rf"{_ID}/{_PLATFORM}/{_ID}/([0-9a-f]{{2}})/(\1[0-9a-f]{{62}})")


def key_of(company_id: UUID, platform: str, workspace_id: UUID, sha256: str) -> str:
    """The key of the bytes with this hash (hex) in a workspace.

    Raises:
        WrongUse: the platform or the hash is none.
    """
    key = f"{prefix_of(company_id, platform, workspace_id)}{sha256[:2]}/{sha256}"
    hash_in(key)
    return key


def prefix_of(company_id: UUID, platform: str, workspace_id: UUID) -> str:
    """What all keys of a workspace begin with, and no others."""
    return f"{company_id}/{platform}/{workspace_id}/"


def is_key(key: str) -> bool:
    """Whether a key is of our form: what is not is nothing of ours."""
    return _KEY.fullmatch(key) is not None


def hash_in(key: str) -> str:
    """The hash (hex) of the bytes that a key stands for.

    Raises:
        WrongUse: it is no key of ours.
    """
    found = _KEY.fullmatch(key)
    if found is None:
        raise WrongUse("This is no key of a stored file.")
    return found[2]


def require_key(key: str, sha256: str) -> None:
    """Refuse a key that stands for other bytes than those of the hash (hex).

    Raises:
        WrongUse: it does, or it is no key of ours.
    """
    if hash_in(key) != sha256:
        raise WrongUse("The key of a stored file stands for another hash than the one that is given.")
