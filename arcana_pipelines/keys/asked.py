"""The workspace that a request asks for, found beside its key, and by what its indexes answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import one
from arcana_pipelines.db.statements import statements_beside

load_sql = statements_beside(__file__)


@dataclass(frozen=True, slots=True)
class AskedIndex:
    """An index, and what changes whenever something else could be found in it.

    Attributes:
        name: the index's.
        build: which of its builds serves; None: none does yet.
        publish_seq: how often what it serves has changed.
        places: how often what filters look at has changed in its workspace.
    """

    name: str
    build: int | None
    publish_seq: int
    places: int


@dataclass(frozen=True, slots=True)
class AskedWorkspace:
    """A workspace with its indexes."""

    slug: str
    workspace_id: UUID
    platform: str
    indexes: tuple[AskedIndex, ...]

    def index(self, name: str) -> AskedIndex | None:
        """One of its indexes; None: it has none of this name."""
        return next((each for each in self.indexes if each.name == name), None)


@dataclass(frozen=True, slots=True)
class _Row:
    workspace_id: UUID | None
    platform: str | None
    places: int | None
    indexes: list[str] | None
    builds: list[int | None] | None
    publish_seqs: list[int] | None


def asked_workspace(
    slug: str,
    workspace_id: UUID | None,
    platform: str | None,
    places: int | None,
    indexes: Sequence[str] | None,
    builds: Sequence[int | None] | None,
    publish_seqs: Sequence[int] | None,
) -> AskedWorkspace | None:
    """What `workspace_for_key` gave, which gives a list for each fact; None: the company has no such workspace."""
    if workspace_id is None or platform is None:
        return None
    known = zip(indexes or (), builds or (), publish_seqs or (), strict=True)
    return AskedWorkspace(slug, workspace_id, platform, tuple(AskedIndex(*each, places or 0) for each in known))


def find_asked(connection: Connection, company_id: UUID, slug: str) -> AskedWorkspace | None:
    """A workspace of a company, for who acts for no company yet; None: the company has none of this name."""
    row = one(connection, _Row, load_sql("workspace_for_key"), {"company_id": company_id, "slug": slug})
    return asked_workspace(slug, row.workspace_id, row.platform, row.places, row.indexes, row.builds, row.publish_seqs)
