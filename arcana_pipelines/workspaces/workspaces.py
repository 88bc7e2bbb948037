"""Workspaces, as their rows say: finding one, and what may be changed of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from arcana_pipelines.audit.record import record
from arcana_pipelines.credentials.store import STORED, forget
from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import InvalidSlug, UnknownWorkspace, WrongUse
from arcana_pipelines.settings import Settings

load_sql = statements_beside(__file__)

# The option of sources that may read what is said internally.
PRIVATE_NOTES = "private_notes"
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Workspace:
    """One workspace, as its row says.

    Attributes:
        workspace_id: its key in every table.
        company_id: whose it is.
        slug: its name in commands and the Dagster partition key.
        name: what people call it.
        platform: the kind of its source, such as `notion`.
        user_id: its owner.
        source_config: what the source is opened with; no secrets.
        credential_ref: the name of the variable with its token; None: the source's default; `credentials.STORED`: it is
            in the database.
        source_workspace_id: the source's own id of what was indexed; a token of another one is refused. None: before
            the first sync, or the source has none.
        credential_hash: a fingerprint of the token of the last sync; None: before the first, or there is none.
        storage_path: where its directory was made; after a restore on another machine it is below the new ARCANA_HOME
            (see the function `storage_path`).
        status: `active`, `paused` or `deleting`.
        generation: the number of its newest sync; 0 before the first.
        source_cursor: where the next incremental listing starts; None: everything is listed.
        poll_failures: looks at the source that failed in a row.
        declared_by: the Dagster project whose YAML declares it; None: a person registered it.
    """

    workspace_id: UUID
    company_id: UUID
    slug: str
    name: str
    platform: str
    user_id: UUID
    source_config: dict[str, Any]
    credential_ref: str | None
    source_workspace_id: str | None
    credential_hash: str | None
    storage_path: str
    status: str
    generation: int
    source_cursor: str | None
    poll_failures: int
    declared_by: str | None


_COLUMNS = ", ".join(Workspace.__dataclass_fields__)


def find(connection: Connection, slug: str) -> Workspace:
    """The workspace with this slug.

    Raises:
        UnknownWorkspace: there is none.
    """
    statement: LiteralString = f"SELECT {_COLUMNS} FROM workspace WHERE slug = %s AND status <> 'deleting'"
    workspace = query.find(connection, Workspace, statement, [slug])
    if workspace is None:
        raise UnknownWorkspace.named(slug)
    return workspace


def require_known(connection: Connection, slug: str) -> None:
    """Refuse a slug that no workspace has, one that is half removed included.

    Raises:
        UnknownWorkspace: there is none.
    """
    if connection.execute("SELECT 1 FROM workspace WHERE slug = %s", [slug]).fetchone() is None:
        raise UnknownWorkspace.named(slug)


def list_all(connection: Connection) -> list[Workspace]:
    """All workspaces, by slug."""
    statement: LiteralString = f"SELECT {_COLUMNS} FROM workspace WHERE status <> 'deleting' ORDER BY slug"
    return query.rows(connection, Workspace, statement)


def slugs(connection: Connection) -> list[str]:
    """The slugs of all workspaces, in order. Who may only search may read them, too."""
    return query.scalars(connection, "SELECT slug FROM workspace WHERE status <> 'deleting' ORDER BY slug")


def slugs_of_company(connection: Connection, company_id: UUID) -> list[tuple[str, UUID]]:
    """The workspaces of a company, slug and id, in order."""
    return connection.execute(
        "SELECT slug, workspace_id FROM workspace WHERE company_id = %s AND status <> 'deleting' ORDER BY slug",
        [company_id],
    ).fetchall()


def active_slugs(connection: Connection) -> set[str]:
    """The slugs of workspaces that sensors and schedules may sync."""
    return {row.slug for row in list_all(connection) if row.status == "active"}


def retired_slugs(connection: Connection) -> set[str]:
    """The slugs of workspaces that were removed."""
    return set(query.scalars(connection, "SELECT slug FROM retired_slug"))


def due_for_poll(connection: Connection, cheap: Sequence[str]) -> list[Workspace]:
    """Active workspaces whose source may be asked now, least recently polled first.

    `cheap` names the platforms that may be asked at every tick.
    """
    return _those(connection, load_sql("due"), {"cheap": list(cheap)})


def in_need_of_sync(connection: Connection) -> list[Workspace]:
    """Active workspaces for which the last look called for a sync, the longest waiting first."""
    return _those(connection, load_sql("in_need"))


def _those(
    connection: Connection, statement: LiteralString, parameters: Mapping[str, Any] | None = None
) -> list[Workspace]:
    ordered: LiteralString = f"SELECT {_COLUMNS} FROM ({statement}) AS workspace ORDER BY polled_at NULLS FIRST"
    return query.rows(connection, Workspace, ordered, parameters or {})


def change(
    connection: Connection,
    workspace: Workspace,
    name: str,
    source_config: dict[str, Any],
    credential_ref: str | None,
    actor: str | None = None,
) -> None:
    """Give a workspace another name, or another place that its source is read from; its next sync lists everything.

    Where private notes are asked for that were not before, it reads everything again: they come with what is read.

    `actor` does it (see `audit.record`); None: the user of this process.
    """
    before = {"name": workspace.name, "source": workspace.source_config, "credential": workspace.credential_ref}
    after = {"name": name, "source": source_config, "credential": credential_ref}
    changed = [each for each, value in after.items() if value != before[each]]
    with connection.transaction():
        connection.execute(
            "UPDATE workspace SET name = %s, source_config = %s, credential_ref = %s, "
            "source_cursor = CASE WHEN %s THEN NULL ELSE source_cursor END, updated_at = now() WHERE workspace_id = %s",
            [name, Jsonb(source_config), credential_ref, changed not in ([], ["name"]), workspace.workspace_id],
        )
        ask_for_notes(connection, workspace, source_config)
        if credential_ref != STORED:
            forget(connection, workspace.workspace_id)
        if changed:
            _record_change(connection, actor, workspace.workspace_id, changed, name=name)


def ask_for_notes(connection: Connection, workspace: Workspace, source_config: Mapping[str, Any]) -> None:
    """Let everything be read again where private notes are asked for now and were not: they come with what is read."""
    if source_config.get(PRIVATE_NOTES) and not workspace.source_config.get(PRIVATE_NOTES):
        connection.execute(load_sql("read_again"), {"workspace_id": workspace.workspace_id})


def set_declared_by(connection: Connection, workspace_id: UUID, project: str) -> None:
    """Say which Dagster project declares a workspace."""
    with connection.transaction():
        connection.execute(
            "UPDATE workspace SET declared_by = %s, updated_at = now() WHERE workspace_id = %s", [project, workspace_id]
        )
        _record_change(connection, None, workspace_id, ["declared_by"], declared_by=project)


def set_status(
    connection: Connection, workspace_id: UUID, status: Literal["active", "paused"], actor: str | None = None
) -> None:
    """Say whether sensors and schedules may sync a workspace.

    `actor` does it (see `audit.record`); None: the user of this process.
    """
    with connection.transaction():
        changed = connection.execute(
            "UPDATE workspace SET status = %s, updated_at = now() WHERE workspace_id = %s AND status <> %s",
            [status, workspace_id, status],
        )
        if changed.rowcount:
            _record_change(connection, actor, workspace_id, ["status"], status=status)


def set_embedding_budget(connection: Connection, workspace_id: UUID, usd: str, actor: str | None = None) -> None:
    """Set what a workspace's embeddings may cost in a month; `default` takes its own limit away.

    `actor` does it (see `audit.record`); None: the user of this process.

    Raises:
        WrongUse: it is not an amount of money.
    """
    limit: Decimal | None = None
    if usd != "default":
        try:
            limit = Decimal(usd)
        except InvalidOperation:
            limit = Decimal("NaN")
        if not limit.is_finite() or limit < 0:
            raise WrongUse(f"'{usd}' is not a monthly limit: give US dollars (5, 0.50, 0), or 'default'.")
    with connection.transaction():
        connection.execute("UPDATE workspace SET embedding_budget = %s WHERE workspace_id = %s", [limit, workspace_id])
        _record_change(connection, actor, workspace_id, ["embedding_budget"], embedding_budget=usd)


def _record_change(
    connection: Connection, actor: str | None, workspace_id: UUID, changed: list[str], **after: str
) -> None:
    slug = query.scalar(connection, "SELECT slug FROM workspace WHERE workspace_id = %s", [workspace_id])
    details = {"changed": changed, **after}
    record(connection, actor, "workspace.changed", slug, workspace_id=workspace_id, details=details)


def check_slug(slug: str) -> None:
    """Refuse a slug that cannot be a partition key, a directory name and a part of an address alike."""
    if not SLUG.fullmatch(slug):
        raise InvalidSlug(
            f"'{slug}' cannot be a workspace's slug: use 1 to 63 lower-case letters, digits, '-' and '_', "
            "beginning and ending with a letter or digit (for example acme-support)."
        )


def storage_path(settings: Settings, slug: str) -> Path:
    """The directory of one workspace."""
    return settings.storage_root / "workspace" / slug
