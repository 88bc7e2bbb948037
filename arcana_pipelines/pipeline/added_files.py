"""Adding a file to a workspace: first its bytes into the store, then its row. The next sync reads it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import FileNotAllowed, UnknownWorkspace, WrongUse
from arcana_pipelines.files.stores.protocol import FileStore
from arcana_pipelines.ledger import added_files
from arcana_pipelines.ledger.added_files import AddedFile, Called
from arcana_pipelines.pipeline.being_stored import being_stored
from arcana_pipelines.pipeline.stored_bytes import bytes_of, is_allowed, put_bytes
from arcana_pipelines.settings import Settings
from arcana_pipelines.taxonomy import labels
from arcana_pipelines.taxonomy.given import choose, give_with_file
from arcana_pipelines.taxonomy.lookup import lookup
from arcana_pipelines.workspaces.workspaces import Workspace


def require_files(settings: Settings) -> None:
    """Refuse to add files where none are read.

    Raises:
        WrongUse: FILES is off.
    """
    if settings.files != "on":
        raise WrongUse("FILES is off: no file is kept or read. Set FILES=on.")


def add_file(
    database: Database,
    store: FileStore,
    workspace: Workspace,
    path: Path,
    called: Called,
    actor: str | None = None,
    topics: Collection[labels.Path] = (),
) -> AddedFile:
    """Add a file of this machine, or other bytes of one that was added under the same name.

    Args:
        actor: does it (see `audit.record`); None: the user of this process.
        topics: that its document has from now on, in place of those that it was added with before; none: those stay.

    Raises:
        TaxonomyNodeNotFoundError, UnknownTaxonomyVersion: a topic is not there. Nothing is added.
        FileNotAllowed: it is too large, empty, or of a kind that is not read.
        FileDamaged: it changed while it was read.
        FileStoreUnreachable, FileStoreRefused: the store does not take it.
        UnknownWorkspace: it was removed meanwhile.
        OSError: the file cannot be read.
    """
    settings = database.settings
    require_topics(database, workspace, topics)
    require_size(settings, path.stat().st_size)
    stored = bytes_of(workspace, path, called.name, called.external_id)
    require_size(settings, stored.size)
    if not is_allowed(settings, stored.kind):
        raise FileNotAllowed(f"Files of the kind '{stored.kind}' are not among FILE_TYPES.")
    with database.connection() as connection, being_stored(connection, stored.storage_key):
        put_bytes(store, path, stored)
        try:
            with connection.transaction():
                # Before the document is locked: who promotes a version locks that first, too.
                chosen = choose(connection, workspace.workspace_id, topics) if topics else None
                added = added_files.add(connection, workspace, called, stored, actor)
                if chosen is not None:
                    give_with_file(connection, workspace.workspace_id, added.document_id, chosen, actor)
            return added
        except UnknownWorkspace:
            store.delete(stored.storage_key)  # which whoever removed it may have looked for before
            raise


def require_topics(database: Database, workspace: Workspace, topics: Collection[labels.Path]) -> None:
    """Refuse topics that the workspace's active taxonomy does not have.

    Raises:
        TaxonomyNodeNotFoundError: one of them is no node's.
        UnknownTaxonomyVersion: no version is active.
    """
    if topics:
        with database.connection() as connection:
            lookup.require(connection, workspace.workspace_id, topics)


def require_size(settings: Settings, size: int) -> None:
    """Refuse a file by its size in bytes.

    Raises:
        FileNotAllowed: it is empty, or larger than is read.
    """
    if size == 0:
        raise FileNotAllowed("It is empty.")
    if size > settings.file_max_bytes:
        raise FileNotAllowed(f"It has more than {settings.file_max_bytes:,} bytes (FILE_MAX_BYTES).")
