"""What the commands of a taxonomy have in common: the workspace's database, and paths as people write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from uuid import UUID

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.database_changes import upgrade
from arcana_pipelines.cli.said_once import unknown_topics_said_once
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.taxonomy.labels import Path, spell_path
from arcana_pipelines.taxonomy.lookup import no_active_version
from arcana_pipelines.taxonomy.stored_versions import active_version, versions
from arcana_pipelines.workspaces import workspaces

MOST_NAMED = 10
_CHANGED = {
    "add": "added", "rename": "renamed", "move": "moved", "merge": "merged", "split": "split", "retire": "retired",
    "gone": "gone",
}  # fmt: skip


@contextmanager
def opened(slug: str, writes: bool = False) -> Iterator[tuple[Connection, UUID]]:
    """A connection to the database, and the workspace's id. Only who writes brings the tables up to date."""
    database = open_database()
    if writes:
        upgrade(database)
    else:
        require_current(database)
    with database.connection() as connection, unknown_topics_said_once():
        yield connection, workspaces.find(connection, slug).workspace_id


def version_meant(connection: Connection, workspace_id: UUID, version: str | None) -> str:
    """The version that is named, else the active one, else the newest draft.

    Raises:
        UnknownTaxonomyVersion: there is none at all.
    """
    if version is not None:
        return version
    if (active := active_version(connection, workspace_id)) is not None:
        return active.version
    if drafts := versions(connection, workspace_id):
        return drafts[-1].version
    raise no_active_version(connection, workspace_id)


def active_name(connection: Connection, workspace_id: UUID) -> str:
    """The active version.

    Raises:
        UnknownTaxonomyVersion: there is none.
    """
    active = active_version(connection, workspace_id)
    if active is None:
        raise no_active_version(connection, workspace_id)
    return active.version


def named(paths: Sequence[Path]) -> str:
    """The first of many paths, and how many more there are."""
    more = f" and {len(paths) - MOST_NAMED:,} more" if len(paths) > MOST_NAMED else ""
    return ", ".join(f"'{spell_path(path)}'" for path in paths[:MOST_NAMED]) + more


def counted_changes(counts: Mapping[str, int]) -> str:
    """How many changes there are of each kind, in words; empty where there are none."""
    return ", ".join(f"{number:,} {_CHANGED[kind]}" for kind, number in counts.items() if number)


def spelled(path: Path | None) -> str | None:
    """A path for JSON: as people write it."""
    return None if path is None else spell_path(path)
