"""Registering a workspace, and removing one: row, directory, index and partition, all of them or none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from pydantic import SecretStr

from arcana_pipelines.audit.record import record
from arcana_pipelines.caching.caches import Tenant, forget
from arcana_pipelines.credentials.store import STORED, keep
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.query import scalar
from arcana_pipelines.embedding.registry import require_here
from arcana_pipelines.errors import ArcanaError, InvalidSlug, UnknownWorkspace, WrongUse
from arcana_pipelines.files.stores.registry import open_file_store, prefix_of
from arcana_pipelines.home import make_home
from arcana_pipelines.indexes.builds import DEFAULT_INDEX, IndexSettings, builds_of
from arcana_pipelines.indexes.lifecycle import create_index, drop_builds
from arcana_pipelines.indexes.targets.registry import location_of, open_store
from arcana_pipelines.indexes.targets.targets import POSTGRESQL, add_target, default_name
from arcana_pipelines.settings import Settings
from arcana_pipelines.sources.registry import TICKETS, platform_named
from arcana_pipelines.workspaces.companies import DEFAULT, company_named
from arcana_pipelines.workspaces.workspaces import SLUG, Workspace, check_slug, find, storage_path


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
    declared_by: str | None = None,
    company: str = DEFAULT,
    token: SecretStr | None = None,
    actor: str | None = None,
    index_type: str = POSTGRESQL,
    index_location: str | None = None,
) -> Workspace:
    """Make row, directory, default index and partition of a new workspace: all of them or none.

    The index is served from the store that `index_type` says (see `registry.kinds`), which has to answer;
    `index_location` is where that is (see `registry.location_of`).

    A `token` is kept in the database, encrypted, and takes the place of `credential_ref`.

    `actor` does it (see `audit.record`); None: the user of this process.

    The company whose it is (`company`, by name) is made with them where there is none.

    Raises:
        ModelMissing: the weights of the index's model are not installed, or are other ones.
        WrongUse: the company's name is none, or it has a workspace of this ticket platform already.
        InvalidSetting: there is a token to keep, and ENCRYPTION_KEY is not set.
        InvalidSlug: the slug breaks the rules, is taken, or was used by a removed workspace.
        TargetUnreachable: the store that is to serve the index does not answer.
        ArcanaError: the directory or the partition could not be made.
    """
    check_slug(slug)
    require_here(database.settings, index.embedding_model, index.dimensions)
    directory = storage_path(database.settings, slug)
    made: list[Callable[[], Any]] = []
    try:
        with database.connection() as connection, connection.transaction():
            _refuse_used(connection, slug)
            company_id = company_named(connection, company)
            _refuse_second_account(connection, platform, company_id)
            connection.execute(
                "INSERT INTO workspace "
                "(company_id, slug, name, platform, source_config, credential_ref, storage_path, declared_by) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    company_id,
                    slug,
                    name or slug,
                    platform,
                    Jsonb(source_config or {}),
                    credential_ref if token is None else STORED,
                    str(directory),
                    declared_by,
                ],
            )
            workspace = find(connection, slug)
            if token is not None:
                keep(connection, database.settings, workspace.workspace_id, token, actor)
            create_index(connection, workspace.workspace_id, DEFAULT_INDEX, index)
            make_home(database.settings.home)
            _make_directory(directory)
            made.append(lambda: shutil.rmtree(directory, ignore_errors=True))
            if index_type != POSTGRESQL:
                _serve_from(connection, database.settings, workspace, index_type, index_location)
            add_partition(slug)
            made.append(lambda: remove_partition(slug))
            details = {"name": workspace.name, "platform": platform, "company": company, "declared_by": declared_by}
            record(
                connection, actor, "workspace.registered", slug, workspace_id=workspace.workspace_id, details=details
            )
    except BaseException:
        for undo in reversed(made):
            undo()
        raise
    return workspace


def _refuse_second_account(connection: Connection, platform: str, company_id: UUID) -> None:
    """Tickets of a company are known by their numbers: two accounts have the same."""
    known = platform_named(platform)
    if known is None or known.asset != TICKETS:
        return
    slug = scalar(
        connection,
        "SELECT slug FROM workspace WHERE company_id = %s AND platform = %s AND status <> 'deleting'",
        [company_id, platform],
    )
    if slug is not None:
        raise WrongUse(
            f"Workspace '{slug}' reads {known.title} for this company already, and a company has one account of it. "
            "Give another one another company: arcana workspace add … --company NAME."
        )


def _serve_from(
    connection: Connection, settings: Settings, workspace: Workspace, kind: str, location: str | None
) -> None:
    """Let the index of a new workspace be served from another store than PostgreSQL."""
    place = location_of(settings, kind, Path(workspace.storage_path), location, kind)
    with open_store(settings, kind, place) as store:
        store.version()
    add_target(connection, workspace.workspace_id, kind, place, default_name(kind), serves=True)
    connection.execute(
        "UPDATE rag_indexes SET index_type = %s, storage_uri = %s WHERE workspace_id = %s AND name = %s",
        [kind, place, workspace.workspace_id, DEFAULT_INDEX],
    )


def remove(database: Database, slug: str, remove_partition: Callable[[str], None], actor: str | None = None) -> None:
    """Hide a workspace at once, then drop its partition, its rows, its directory and the bytes of its files.

    `actor` does it (see `audit.record`); None: the user of this process.

    May be repeated after an interruption: a workspace that is half removed is found again.
    """
    with database.connection() as connection, connection.transaction():
        row = connection.execute(
            "UPDATE workspace SET status = 'deleting', updated_at = now() WHERE slug = %s "
            "RETURNING workspace_id, company_id, platform",
            [slug],
        ).fetchone()
        if row is None:
            raise UnknownWorkspace.named(slug)
        retired = connection.execute("INSERT INTO retired_slug (slug) VALUES (%s) ON CONFLICT DO NOTHING", [slug])
        if retired.rowcount:
            record(connection, actor, "workspace.removed", slug, workspace_id=row[0])
    remove_partition(slug)
    with database.connection() as connection:
        builds = [build.rag_index_build_id for build in builds_of(connection, row[0])]
        connection.execute(
            "UPDATE rag_indexes SET active_build_id = NULL WHERE workspace_id = %s AND active_build_id IS NOT NULL",
            [row[0]],
        )
        drop_builds(database, builds)
        # Before the workspace itself: where the store does not answer, it is found again and removed then.
        prefix = prefix_of(row[1], row[2], row[0])
        with connection.transaction():
            for table in ("source_file", "stored_file"):
                connection.execute(f"DELETE FROM {table} WHERE workspace_id = %s", [row[0]])
        _remove_bytes(database.settings, prefix)
        with connection.transaction():
            # The indexes first: in this order whoever publishes or delivers takes its locks.
            connection.execute("SELECT FROM rag_indexes WHERE workspace_id = %s ORDER BY name FOR UPDATE", [row[0]])
            connection.execute("DELETE FROM workspace WHERE workspace_id = %s", [row[0]])
    workspace_id, company_id, platform = row
    forget(database.settings, Tenant(company_id, platform, workspace_id))
    _remove_directory(database.settings, slug)
    # A run that was at work has put some since, and ends now.
    _remove_bytes(database.settings, prefix)


def _remove_bytes(settings: Settings, prefix: str) -> None:
    """Delete all objects of a workspace in the store of files."""
    with open_file_store(settings) as store:
        for kept in store.listing(prefix):
            store.delete(kept.key)


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
