"""Where a visitor may search: the indexes of workspaces that the key opens."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.keys.access import Access, Scope
from arcana_pipelines.retrieval.shown import shown


@dataclass(frozen=True, slots=True)
class Place:
    """An index of a workspace.

    Attributes:
        name: in addresses: the workspace's slug, with `.index` behind it where that is not the default one.
        title: as people call it.
        may_read: whether the key opens whole documents there.
        may_judge: whether it says how good an answer was.
        sees_internal: whether private notes are found.
        has_topics: whether its documents have topics.
    """

    name: str
    title: str
    workspace_id: UUID
    slug: str
    index: str
    may_read: bool
    may_judge: bool
    sees_internal: bool
    has_topics: bool


def places_of(connection: Connection, access: Access, scope: Scope = "search") -> list[Place]:
    """Those for which a key has a scope, by slug, the default index of each first."""
    rows: list[tuple[UUID, str, str, str, bool]] = connection.execute(
        "SELECT w.workspace_id, w.slug, w.name, coalesce(i.name, %(default)s) AS index, EXISTS (SELECT FROM "
        "taxonomy_version v WHERE v.workspace_id = w.workspace_id AND v.state = 'active') AS has_topics "
        "FROM workspace w LEFT JOIN rag_indexes i USING (workspace_id) "
        "WHERE w.company_id = %(company)s AND w.status <> 'deleting' "
        "ORDER BY w.slug, i.name <> %(default)s, i.name",
        {"company": access.company_id, "default": DEFAULT_INDEX},
    ).fetchall()
    return [
        Place(
            _named(slug, index, "."), _named(shown(name) or slug, index, " / "), workspace_id, slug, index,
            access.may_in("read", workspace_id, index),
            access.may_in("feedback", workspace_id, index),
            access.sees_internal(workspace_id, index),
            has_topics,
        )
        for workspace_id, slug, name, index, has_topics in rows
        if access.may_in(scope, workspace_id, index)
    ]  # fmt: skip


def reviewed_places(connection: Connection, access: Access) -> list[Place]:
    """The workspaces whose topics a key reviews, by slug: those that have a taxonomy."""
    found = places_of(connection, access, "review")
    return [place for place in found if place.has_topics and place.index == DEFAULT_INDEX]


def _named(workspace: str, index: str, between: str) -> str:
    return workspace if index == DEFAULT_INDEX else f"{workspace}{between}{index}"
