"""How a workspace uses its taxonomy: what stands for unknown paths, which properties bring topics, how sure is sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import UUID

from arcana_pipelines.audit.record import record
from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.taxonomy.labels import Path, spell_path
from arcana_pipelines.taxonomy.lookup import lookup
from arcana_pipelines.taxonomy.stored_versions import hold_active

load_sql = statements_beside(__file__)

MOST_PROPERTIES = 20
LONGEST_NAME = 200  # characters


@dataclass(frozen=True, slots=True)
class TaxonomySettings:
    """The settings of a workspace.

    Attributes:
        default_path: of the node that stands for paths that are unknown, in the active version. None: there is none,
            or the active version does not have it.
        topic_properties: whose values are paths of topics.
        accept_at: from this confidence on what is found is assigned, from 0 to 1.
        suggest_at: from this one on a person is asked.
    """

    default_path: Path | None = None
    topic_properties: tuple[str, ...] = ()
    accept_at: float = 0.9
    suggest_at: float = 0.5

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, with the path as people write it."""
        path = None if self.default_path is None else spell_path(self.default_path)
        return {**asdict(self), "default_path": path, "topic_properties": list(self.topic_properties)}


def settings_of(connection: Connection, workspace_id: UUID) -> TaxonomySettings:
    """The settings of a workspace, or what holds where nothing was set."""
    row = query.find(connection, _Row, load_sql("settings"), {"workspace_id": workspace_id})
    return row.settings() if row is not None else TaxonomySettings()


def change_settings(
    connection: Connection,
    workspace_id: UUID,
    *,
    default_path: Path | None = None,
    without_default: bool = False,
    topic_properties: Sequence[str] | None = None,
    accept_at: float | None = None,
    suggest_at: float | None = None,
    actor: str | None = None,
) -> TaxonomySettings:
    """Change what is given, and nothing else. The next sync follows it.

    Args:
        without_default: unknown paths are only noted from now on.
        topic_properties: all that count from now on; none: no property does.
        actor: who does it (see `audit.record`); None: the user of this process.

    Raises:
        TaxonomyNodeNotFoundError: the active version has no such default path.
        UnknownTaxonomyVersion: a default path is given, and no version is active.
        WrongUse: a number is not from 0 to 1, or people would be asked of what is assigned; or a name is none.
    """
    names = None if topic_properties is None else _checked(topic_properties)
    with connection.transaction():
        connection.execute(
            "INSERT INTO taxonomy_settings (workspace_id) VALUES (%s) ON CONFLICT DO NOTHING", [workspace_id]
        )
        held = query.one(connection, _Row, load_sql("settings"), {"workspace_id": workspace_id})
        new = replace(
            held,
            default_node=None if without_default else held.default_node,
            topic_properties=held.topic_properties if names is None else names,
            accept_at=held.accept_at if accept_at is None else accept_at,
            suggest_at=held.suggest_at if suggest_at is None else suggest_at,
        )
        if default_path is not None:
            hold_active(connection, workspace_id)  # lest another version becomes active that does not have it
            new = replace(new, default_node=lookup.one(connection, workspace_id, default_path))
        if not 0 <= new.suggest_at <= new.accept_at <= 1:
            raise WrongUse(
                f"A person is asked from {new.suggest_at:g} on, and what is found is assigned from {new.accept_at:g} "
                "on: both are from 0 to 1, and the second is not below the first."
            )
        connection.execute(load_sql("settings_change"), {"workspace_id": workspace_id, **new.columns()})
        changed = {name: value for name, value in new.columns().items() if value != held.columns()[name]}
        if changed:
            about = {name: str(value) if isinstance(value, UUID) else value for name, value in changed.items()}
            record(connection, actor, "taxonomy.changed", "settings", workspace_id=workspace_id, details=about)
        return settings_of(connection, workspace_id)


@dataclass(frozen=True, slots=True)
class _Row:
    default_node: UUID | None
    default_path: list[str] | None
    topic_properties: list[str]
    accept_at: float
    suggest_at: float

    def columns(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "default_path"}

    def settings(self) -> TaxonomySettings:
        path = None if self.default_path is None else tuple(self.default_path)
        return TaxonomySettings(path, tuple(self.topic_properties), self.accept_at, self.suggest_at)


def _checked(names: Sequence[str]) -> list[str]:
    checked = list(dict.fromkeys(name.strip() for name in names))
    if len(checked) > MOST_PROPERTIES or any(not 1 <= len(name) <= LONGEST_NAME for name in checked):
        raise WrongUse(f"Name up to {MOST_PROPERTIES} properties, of 1 to {LONGEST_NAME} characters each.")
    return checked
