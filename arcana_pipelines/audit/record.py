"""Writing into the audit log: a row in the transaction of what it tells of."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

from psycopg.types.json import Jsonb

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside

load_sql = statements_beside(__file__)

Action = Literal[
    "workspace.registered",
    "workspace.changed",
    "workspace.removed",
    "key.created",
    "key.rotated",
    "key.revoked",
    "token.stored",
    "encryption_key.rotated",
    "removals.allowed",
    "index.published",
    "index.promoted",
    "index.rolled_back",
    "index.dropped",
    "usage.purged",
    "target.added",
    "target.dropped",
    "relation.added",
    "relation.removed",
    "file.added",
    "file.removed",
    "taxonomy.imported",
    "taxonomy.promoted",
    "taxonomy.rolled_back",
    "taxonomy.dropped",
    "taxonomy.changed",
    "topic.assigned",
    "topic.removed",
    "topic.accepted",
    "topic.rejected",
    "company.changed",
]


def by_user() -> str:
    """The actor of a command, or of a run: the user of the operating system whose process this is.

    Its variables do not count (USER says what whoever started it likes).
    """
    try:
        return f"user:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:  # in a container the user may have no name
        return f"user:{os.getuid()}"


def by_key(key_id: str) -> str:
    """The actor of a request over HTTP: the key that it was made with, by its id."""
    return f"key:{key_id}"


def record(
    connection: Connection,
    actor: str | None,
    action: Action,
    object: str,
    *,
    workspace_id: UUID | None = None,
    company_id: UUID | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write a row, last in the transaction of what it tells of: until that ends, nobody else writes one.

    Time, number and hash come from the database.

    Args:
        actor: see `by_user` and `by_key`; None: the user of this process.
        object: what it was done to: a key's id, an index's name, a slug.
        workspace_id: in which workspace; its slug and its company are noted with it.
        company_id: whose it is, where there is no workspace to tell.
        details: for JSON; no secrets, and no texts of pages or queries.
    """
    connection.execute(
        load_sql("audit_record"),
        {
            "actor": actor or by_user(),
            "action": action,
            "object": object,
            "workspace_id": workspace_id,
            "company_id": company_id,
            "details": Jsonb(dict(details or {})),
        },
    )
