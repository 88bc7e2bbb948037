"""Generations: the syncs of a workspace, one after another, and what each counted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import one, scalar
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import UnknownWorkspace
from arcana_pipelines.ledger.counters import Counters, How, PageCounts
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


def begin(connection: Connection, workspace_id: UUID, mode: Mode) -> Generation:
    """Open the next generation.

    Raises:
        UnknownWorkspace: the workspace was removed.
    """
    with connection.transaction():
        number: int | None = scalar(
            connection,
            "UPDATE workspace SET generation = generation + 1, sync_needed = NULL WHERE workspace_id = %s "
            "RETURNING generation",
            [workspace_id],
        )
        if number is None:
            raise UnknownWorkspace.named(str(workspace_id))
        connection.execute(
            "INSERT INTO sync_generation (workspace_id, generation, mode) VALUES (%s, %s, %s)",
            [workspace_id, number, mode],
        )
    return Generation(workspace_id, number, mode)


def current(connection: Connection, workspace_id: UUID) -> Generation | None:
    """The newest generation, or None before the first sync."""
    row = connection.execute(
        "SELECT generation, mode FROM sync_generation WHERE workspace_id = %s ORDER BY generation DESC LIMIT 1",
        [workspace_id],
    ).fetchone()
    return None if row is None else Generation(workspace_id, row[0], Mode(row[1]))


def numbered(connection: Connection, workspace_id: UUID, number: int | None) -> Generation | None:
    """One generation by its number, or None where there is none with it."""
    row = connection.execute(
        "SELECT generation, mode FROM sync_generation WHERE workspace_id = %s AND generation = %s",
        [workspace_id, number],
    ).fetchone()
    return None if row is None else Generation(workspace_id, row[0], Mode(row[1]))


def note_ended(connection: Connection, workspace_id: UUID, how: How) -> None:
    """Note of the sync that began last that a person ended it, or that it was to read and cut only."""
    generation = current(connection, workspace_id)
    if generation is not None:
        merge_counters(connection, generation, Counters(ended=how))


def merge_counters(connection: Connection, generation: Generation, counters: Counters) -> None:
    """Merge counters into the generation's record."""
    connection.execute(
        "UPDATE sync_generation SET counters = counters || %(counters)s::jsonb "
        "WHERE workspace_id = %(workspace_id)s AND generation = %(generation)s",
        {**generation.params, "counters": json.dumps(counters.as_dict())},
    )


def finish(connection: Connection, generation: Generation) -> None:
    """Note that the generation is indexed, and how many pages are in quarantine: the next sees whether they grow."""
    connection.execute(
        "UPDATE sync_generation SET finished_at = now(), counters = counters || jsonb_build_object('quarantined', "
        "(SELECT count(*) FROM source_page WHERE workspace_id = %(workspace_id)s AND state = 'quarantined')) "
        "WHERE workspace_id = %(workspace_id)s AND generation = %(generation)s",
        generation.params,
    )


def counters(connection: Connection, generation: Generation) -> Counters:
    """The generation's counters so far."""
    row = connection.execute(
        "SELECT counters FROM sync_generation WHERE workspace_id = %(workspace_id)s AND generation = %(generation)s",
        generation.params,
    ).fetchone()
    return Counters.of(row[0] if row else {})


def counts(connection: Connection, generation: Generation) -> PageCounts:
    """What became of every page of this generation."""
    return one(connection, PageCounts, load_sql("counts"), generation.params)
