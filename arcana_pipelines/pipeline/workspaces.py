"""Workspaces: registering one, finding one, removing one."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal, LiteralString
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.sql import load_sql
from arcana_pipelines.errors import ArcanaError, InvalidSlug, UnknownWorkspace, WrongUse
from arcana_pipelines.home import make_home
from arcana_pipelines.indexes.builds import IndexSettings, builds_of
from arcana_pipelines.pipeline.indexes import create_index, drop_builds
from arcana_pipelines.settings import Settings

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
DEFAULT_INDEX = "default"


@dataclass(frozen=True, slots=True)
class Workspace:
    """One tenant, as its row says.

    `storage_path` is where its directory was made; after a restore on another machine it is below the new ARCANA_HOME
    (see `storage_path`).
    """

    workspace_id: UUID
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


_COLUMNS = ", ".join(Workspace.__dataclass_fields__)


def find(connection: Connection, slug: str) -> Workspace:
    """The workspace with this slug.

    Raises:
        UnknownWorkspace: there is none.
    """
    with connection.cursor(row_factory=class_row(Workspace)) as cursor:
        cursor.execute(f"SELECT {_COLUMNS} FROM workspace WHERE slug = %s AND status <> 'deleting'", [slug])
        found = cursor.fetchone()
    if found is None:
        raise UnknownWorkspace.named(slug)
    return found


def require_known(connection: Connection, slug: str) -> None:
    """Refuse a slug that no workspace has, one that is half removed included.

    Raises:
        UnknownWorkspace: there is none.
    """
    if connection.execute("SELECT 1 FROM workspace WHERE slug = %s", [slug]).fetchone() is None:
        raise UnknownWorkspace.named(slug)


def every(connection: Connection) -> list[Workspace]:
    """All workspaces, by slug."""
    with connection.cursor(row_factory=class_row(Workspace)) as cursor:
        cursor.execute(f"SELECT {_COLUMNS} FROM workspace WHERE status <> 'deleting' ORDER BY slug")
        return cursor.fetchall()


def slugs(connection: Connection) -> list[str]:
    """The slugs of all workspaces, in order. Who may only search may read them, too."""
    rows = connection.execute("SELECT slug FROM workspace WHERE status <> 'deleting' ORDER BY slug")
    return [slug for (slug,) in rows]


def retired_slugs(connection: Connection) -> set[str]:
    """The slugs of workspaces that were removed."""
    return {slug for (slug,) in connection.execute("SELECT slug FROM retired_slug").fetchall()}


def due_for_poll(connection: Connection) -> list[Workspace]:
    """Active workspaces whose source may be looked at now, least recently polled first."""
    return _those(connection, load_sql("workspaces_due"))


def in_need_of_sync(connection: Connection) -> list[Workspace]:
    """Active workspaces for which the last look called for a sync, the longest waiting first."""
    return _those(connection, load_sql("workspaces_in_need"))


def _those(connection: Connection, statement: LiteralString) -> list[Workspace]:
    with connection.cursor(row_factory=class_row(Workspace)) as cursor:
        cursor.execute(f"SELECT {_COLUMNS} FROM ({statement}) AS workspace ORDER BY polled_at NULLS FIRST")
        return cursor.fetchall()


def register(
    database: Database,
    slug: str,
    platform: str,
    index: IndexSettings,
    add_partition: Callable[[str], None],
    remove_partition: Callable[[str], None],
    *,
    name: str | None = None,
    source_config: dict[str, Any] | None = None,
    credential_ref: str | None = None,
) -> Workspace:
    """Make row, directory, default index and partition of a new workspace: all of them or none.

    Raises:
        InvalidSlug: the slug breaks the rules, is taken, or was used by a removed workspace.
        ArcanaError: the directory or the partition could not be made.
    """
    check_slug(slug)
    directory = storage_path(database.settings, slug)
    made: list[Callable[[], Any]] = []
    try:
        with database.connection() as connection:
            _refuse_used(connection, slug)
            connection.execute(
                "INSERT INTO workspace (slug, name, platform, source_config, credential_ref, storage_path) "
                "VALUES (%s, %s, %s, %s, %s, %s)",
                [slug, name or slug, platform, Jsonb(source_config or {}), credential_ref, str(directory)],
            )
            workspace = find(connection, slug)
            create_index(connection, workspace.workspace_id, DEFAULT_INDEX, index)
            make_home(database.settings.home)
            _make_directory(directory)
            made.append(lambda: shutil.rmtree(directory, ignore_errors=True))
            add_partition(slug)
            made.append(lambda: remove_partition(slug))
    except BaseException:
        for undo in reversed(made):
            undo()
        raise
    return workspace


def change(
    connection: Connection, workspace: Workspace, name: str, source_config: dict[str, Any], credential_ref: str | None
) -> None:
    """Give a workspace another name, or another place that its source is read from; its next sync lists everything."""
    moved = (source_config, credential_ref) != (workspace.source_config, workspace.credential_ref)
    connection.execute(
        "UPDATE workspace SET name = %s, source_config = %s, credential_ref = %s, "
        "source_cursor = CASE WHEN %s THEN NULL ELSE source_cursor END, updated_at = now() WHERE workspace_id = %s",
        [name, Jsonb(source_config), credential_ref, moved, workspace.workspace_id],
    )
    connection.commit()


def set_status(connection: Connection, workspace_id: UUID, status: Literal["active", "paused"]) -> None:
    """Say whether sensors and schedules may sync a workspace."""
    connection.execute(
        "UPDATE workspace SET status = %s, updated_at = now() WHERE workspace_id = %s", [status, workspace_id]
    )
    connection.commit()


def set_embedding_budget(connection: Connection, workspace_id: UUID, usd: str) -> None:
    """Set what a workspace's embeddings may cost in a month; `default` takes its own limit away.

    Raises:
        WrongUse: it is no amount of money.
    """
    limit: Decimal | None = None
    if usd != "default":
        try:
            limit = Decimal(usd)
        except InvalidOperation:
            limit = Decimal("NaN")
        if not limit.is_finite() or limit < 0:
            raise WrongUse(f"'{usd}' is no monthly limit: give US dollars (5, 0.50, 0), or 'default'.")
    connection.execute("UPDATE workspace SET embedding_budget = %s WHERE workspace_id = %s", [limit, workspace_id])
    connection.commit()


def remove(database: Database, slug: str, remove_partition: Callable[[str], None]) -> None:
    """Hide a workspace at once, then drop its partition, its rows and its directory.

    May be repeated after an interruption: a workspace that is half removed is found again.
    """
    with database.connection() as connection:
        row = connection.execute(
            "UPDATE workspace SET status = 'deleting', updated_at = now() WHERE slug = %s RETURNING workspace_id",
            [slug],
        ).fetchone()
        if row is None:
            raise UnknownWorkspace.named(slug)
        connection.execute("INSERT INTO retired_slug (slug) VALUES (%s) ON CONFLICT DO NOTHING", [slug])
    remove_partition(slug)
    with database.connection() as connection:
        builds = [build.rag_index_build_id for build in builds_of(connection, row[0])]
        connection.execute(
            "UPDATE rag_indexes SET active_build_id = NULL WHERE workspace_id = %s AND active_build_id IS NOT NULL",
            [row[0]],
        )
        connection.commit()
        drop_builds(database, builds)
        connection.execute("DELETE FROM workspace WHERE workspace_id = %s", [row[0]])
    _remove_directory(database.settings, slug)


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


def _remove_directory(settings: Settings, slug: str) -> None:
    """Delete a workspace's directory below our own storage root. What the row says of it does not count.

    Raises:
        ArcanaError: something else stands there, or it cannot be deleted. The workspace itself is removed.
    """
    directory = storage_path(settings, slug)
    root = directory.parent
    if not SLUG.fullmatch(slug) or directory.is_symlink() or root.is_symlink() or settings.storage_root.is_symlink():
        raise ArcanaError(
            f"Workspace '{slug}' is removed. Its directory {directory} is not deleted, because a link leads to it: "
            "delete what it holds by hand."
        )
    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ArcanaError(
            f"Workspace '{slug}' is removed. Its directory {directory} could not be deleted ({error.strerror}): delete "
            "it by hand."
        ) from error


def _refuse_used(connection: Connection, slug: str) -> None:
    if connection.execute("SELECT 1 FROM retired_slug WHERE slug = %s", [slug]).fetchone():
        raise InvalidSlug(
            f"The slug '{slug}' belonged to a workspace that was removed. Dagster keeps a partition's history, "
            "so a slug is not given twice: choose another."
        )
    if connection.execute("SELECT 1 FROM workspace WHERE slug = %s", [slug]).fetchone():
        raise InvalidSlug(f"There is already a workspace '{slug}'. Choose another slug.")


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise ArcanaError(
                f"{directory} holds files although no workspace uses it. Move it away and register again."
            )
    except OSError as error:
        raise ArcanaError(
            f"The workspace's directory {directory} cannot be made: {error.strerror}. Nothing was registered."
        ) from error
