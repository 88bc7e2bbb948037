"""The versions of a workspace's taxonomy as they are stored: all of them, the active one, and their nodes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.errors import UnknownTaxonomyVersion
from arcana_pipelines.taxonomy.nodes import Node

_NAME = re.compile("[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}")
_COLUMNS = "version, ordinal, state, based_on, source, note, nodes, created_at, released_at, activated_at"


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a taxonomy.

    Attributes:
        version: its name: `1.0.0`.
        ordinal: its place in the order in which versions were made.
        based_on: the version that was active when it was imported; None: none was.
        nodes: how many it has.
        released_at: when it became active first.
        activated_at: when it became active last.
    """

    version: str
    ordinal: int
    state: Literal["draft", "active", "retired"]
    based_on: str | None
    source: str
    note: str | None
    nodes: int
    created_at: datetime
    released_at: datetime | None
    activated_at: datetime | None


def is_name(version: str) -> bool:
    """Whether it can be a version's name: 1 to 64 letters, digits and `. + _ -`."""
    return _NAME.fullmatch(version) is not None


def versions(connection: Connection, workspace_id: UUID) -> list[Version]:
    """All versions, the oldest first."""
    return query.rows(
        connection,
        Version,
        f"SELECT {_COLUMNS} FROM taxonomy_version WHERE workspace_id = %s ORDER BY ordinal",
        [workspace_id],
    )


def find_version(connection: Connection, workspace_id: UUID, version: str) -> Version:
    """A version by its name.

    Raises:
        UnknownTaxonomyVersion: there is none.
    """
    found = version_named(connection, workspace_id, version)
    if found is None:
        there = versions(connection, workspace_id)
        more = f" and {len(there) - 10:,} older ones" if len(there) > 10 else ""
        names = ", ".join(each.version for each in there[-10:]) + more
        raise UnknownTaxonomyVersion(
            f"The taxonomy has no version {version[:64]!a}. "
            + (f"There are: {names}." if names else "There is none yet: `arcana taxonomy import` makes one.")
        )
    return found


def active_version(connection: Connection, workspace_id: UUID) -> Version | None:
    """The version that counts now; None: the workspace has no taxonomy."""
    return query.find(
        connection,
        Version,
        f"SELECT {_COLUMNS} FROM taxonomy_version WHERE workspace_id = %s AND state = 'active'",
        [workspace_id],
    )


def hold_active(connection: Connection, workspace_id: UUID) -> Version | None:
    """The version that counts, which stays so until the caller's transaction ends. Who assigns topics asks this first.

    None: the workspace has no taxonomy.
    """
    # One row at a time is active: a wait for a promotion ends with the row that was, which is not found any more.
    while active_version(connection, workspace_id) is not None:
        held = query.find(
            connection,
            Version,
            f"SELECT {_COLUMNS} FROM taxonomy_version WHERE workspace_id = %s AND state = 'active' FOR SHARE",
            [workspace_id],
        )
        if held is not None:
            return held
    return None


def nodes_of(connection: Connection, workspace_id: UUID, version: str) -> list[Node]:
    """The nodes of a version, from the top, each behind what is above it.

    Raises:
        UnknownTaxonomyVersion: there is none.
    """
    find_version(connection, workspace_id, version)
    rows = connection.execute(
        "SELECT node_id, parent_id, label, canonical_path, definition, synonyms, labels, external_ref, confidence, "
        "lft, rgt FROM taxonomy_nodes WHERE workspace_id = %s AND version = %s ORDER BY lft",
        [workspace_id, version],
    )
    return [
        Node(node_id, parent_id, label, tuple(path), definition, tuple(synonyms), *others)
        for node_id, parent_id, label, path, definition, synonyms, *others in rows
    ]


def version_named(connection: Connection, workspace_id: UUID, version: str) -> Version | None:
    """A version by its name; None: there is none."""
    if not is_name(version):  # PostgreSQL knows no NUL
        return None
    return query.find(
        connection,
        Version,
        f"SELECT {_COLUMNS} FROM taxonomy_version WHERE workspace_id = %s AND version = %s",
        [workspace_id, version],
    )
