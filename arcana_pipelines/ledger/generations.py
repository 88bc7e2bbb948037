"""Generations: the syncs of a workspace, one after another, and what each counted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import one, scalar
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import UnknownWorkspace
from arcana_pipelines.ledger.counters import Counters, PageCounts
from arcana_pipelines.sources.protocol import Mode

load_sql = statements_beside(__file__)


@dataclass(frozen=True, slots=True)
class Generation:
    """One sync of one workspace.

    Attributes:
        workspace_id: of the workspace that is synced.
        number: 1 for a workspace's first sync, one more each.
        mode: how much is listed.
    """

    workspace_id: UUID
    number: int
    mode: Mode

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that most statements of a generation need."""
        return {"workspace_id": self.workspace_id, "generation": self.number}


def begin(
    connection: Connection, workspace_id: UUID, mode: Mode, *, run: str | None = None, is_estimate: bool = False
) -> Generation:
    """Open the next generation, for the run with this id.

    Raises:
        UnknownWorkspace: the workspace was removed.
    """
    with connection.transaction():
        number: int | None = scalar(
            connection,
            "UPDATE workspace SET generation = generation + 1, sync_needed = NULL, "
            "sync_asked_at = CASE WHEN %s THEN sync_asked_at END WHERE workspace_id = %s RETURNING generation",
            [is_estimate, workspace_id],
        )
        if number is None:
            raise UnknownWorkspace.named(str(workspace_id))
        connection.execute(
            "INSERT INTO sync_generation (workspace_id, generation, mode, counters) VALUES (%s, %s, %s, %s)",
            [workspace_id, number, mode, Jsonb(Counters(run=run, is_estimate=is_estimate or None).as_dict())],
        )
    return Generation(workspace_id, number, mode)


def last_sync(connection: Connection, workspace_id: UUID) -> Generation | None:
    """The newest generation that is not an estimate, or None before the first. A published estimate is a sync."""
    return _newest(connection, workspace_id, "finished_at IS NOT NULL OR NOT counters ? 'is_estimate'", {})


def begun_by(connection: Connection, workspace_id: UUID, run: str) -> Generation | None:
    """The generation that the run with this id has opened, or None where it has opened none (yet)."""
    return _newest(connection, workspace_id, "counters->>'run' = %(run)s", {"run": run})


def current(connection: Connection, workspace_id: UUID) -> Generation | None:
    """The newest generation, or None before the first sync."""
    return _newest(connection, workspace_id, "true", {})


def numbered(connection: Connection, workspace_id: UUID, number: int | None) -> Generation | None:
    """One generation by its number, or None where there is none with it."""
    return _newest(connection, workspace_id, "generation = %(number)s", {"number": number})


def _newest(
    connection: Connection, workspace_id: UUID, condition: LiteralString, parameters: Mapping[str, object]
) -> Generation | None:
    row = connection.execute(
        "SELECT generation, mode FROM sync_generation "
        f"WHERE workspace_id = %(workspace_id)s AND ({condition}) ORDER BY generation DESC LIMIT 1",
        {**parameters, "workspace_id": workspace_id},
    ).fetchone()
    return None if row is None else Generation(workspace_id, row[0], Mode(row[1]))


def merge_counters(connection: Connection, generation: Generation, counters: Counters) -> None:
    """Merge counters into the generation's record."""
    connection.execute(
        "UPDATE sync_generation SET counters = counters || %(counters)s::jsonb "
        "WHERE workspace_id = %(workspace_id)s AND generation = %(generation)s",
        {**generation.params, "counters": json.dumps(counters.as_dict())},
    )


def finish(connection: Connection, generation: Generation) -> None:
    """Note that the generation is indexed, what became of its pages, and how many of all are in quarantine.

    The next sees whether those grow.
    """
    quarantined: int = scalar(
        connection,
        "SELECT count(*) FROM source_page WHERE workspace_id = %(workspace_id)s AND state = 'quarantined'",
        generation.params,
    )
    merge_counters(connection, generation, Counters(pages=counts(connection, generation), quarantined=quarantined))
    connection.execute(
        "UPDATE sync_generation SET finished_at = now() "
        "WHERE workspace_id = %(workspace_id)s AND generation = %(generation)s",
        generation.params,
    )


def counters(connection: Connection, generation: Generation, *, to_add: bool = False) -> Counters:
    """The generation's counters so far; read `to_add` to them, no other process changes them in the meantime."""
    row = connection.execute(
        "SELECT counters FROM sync_generation WHERE workspace_id = %(workspace_id)s AND generation = %(generation)s"
        + (" FOR UPDATE" if to_add else ""),
        generation.params,
    ).fetchone()
    return Counters.of(row[0] if row else {})


def counters_before(connection: Connection, generation: Generation) -> Counters:
    """What was noted of the generation before; nothing where there was none."""
    return counters(connection, Generation(generation.workspace_id, generation.number - 1, generation.mode))


def counts(connection: Connection, generation: Generation) -> PageCounts:
    """What became of every page of this generation."""
    return one(connection, PageCounts, load_sql("counts"), generation.params)
