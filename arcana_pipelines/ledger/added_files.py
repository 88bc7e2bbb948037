"""Files that people add: documents that no page lists, below a page or below none, until somebody removes them.

No lease is taken: a run may be reading for an hour, and whoever adds a file does not wait for it. What is written here
and by a run at once are single rows, and the run's statements look at what they found again (`files_settle.sql`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from arcana_pipelines.audit.record import record
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import scalar
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import UnknownDocument, UnknownWorkspace, WrongUse
from arcana_pipelines.ledger import files
from arcana_pipelines.ledger.files import Fetched
from arcana_pipelines.ledger.listed_files import ListedFile
from arcana_pipelines.sources.file_names import file_label
from arcana_pipelines.workspaces.workspaces import Workspace

load_sql = statements_beside(__file__)

MOST_FOLDERS = 20


@dataclass(frozen=True, slots=True)
class Called:
    """What an added file is called, in one place: it is the same file whenever it is added again.

    Attributes:
        name: a label on one line.
        folder: names with `/` between them, of the folder that was added down to its own; empty: it was added alone.
        page: the id of the page that it hangs on; None: on none.
    """

    name: str
    folder: str = ""
    page: str | None = None

    @classmethod
    def of(cls, parts: Sequence[str], page: str | None = None) -> Called:
        """By the names of folders from the outermost on, and the file's last.

        Raises:
            WrongUse: nothing is left of the last one, or there are too many.
        """
        *folders, name = (file_label(part, "", "") for part in parts) if parts else ("",)
        if not name:
            raise WrongUse("A file needs a name that people can read.")
        if len(folders) > MOST_FOLDERS:
            raise WrongUse(f"A file lies in at most {MOST_FOLDERS} folders.")
        return cls(name, "/".join(filter(None, folders)), page)

    @property
    def path(self) -> str:
        """Folder and name."""
        return f"{self.folder}/{self.name}" if self.folder else self.name

    @property
    def external_id(self) -> str:
        """Our id of it, which follows from the rest: two who add it at once add one."""
        named = "\0".join((self.page or "", self.path))
        return f"added#{hashlib.sha256(named.encode()).hexdigest()[:32]}"


@dataclass(frozen=True, slots=True)
class AddedFile:
    """What became of a file that was added.

    Attributes:
        outcome: `new`; `changed`: it was there with other bytes; `same`: it was there.
    """

    external_id: str
    document_id: UUID
    name: str
    folder: str
    outcome: Literal["new", "changed", "same"]


def add(
    connection: Connection, workspace: Workspace, called: Called, bytes_: Fetched, actor: str | None = None
) -> AddedFile:
    """Say that a file is there whose bytes are in the store. The next sync reads it.

    `actor` does it (see `audit.record`); None: the user of this process.

    Raises:
        UnknownWorkspace: it was removed meanwhile.
    """
    workspace_id, external_id = workspace.workspace_id, called.external_id
    key = {"workspace_id": workspace_id, "external_id": external_id}
    with connection.transaction():
        _require_there(connection, workspace)
        given = {**key, "page": called.page, "file_id": f"added:{called.path}"}
        connection.execute(load_sql("files_add"), given)
        _lock(connection, workspace_id, external_id)
        state, held = connection.execute(
            "SELECT state, encode(sha256, 'hex') FROM source_file WHERE workspace_id = %s AND external_id = %s "
            "FOR UPDATE",
            [workspace_id, external_id],
        ).fetchone() or ("removed", None)
        document_id: UUID = scalar(connection, load_sql("files_add_document"), key)
        if held == bytes_.sha256 and state != "removed":
            return AddedFile(external_id, document_id, called.name, called.folder, "same")
        is_new = state in ("pending", "removed")
        files.store_outcomes(connection, workspace_id, [replace(bytes_, external_id=external_id)])
        connection.execute(
            "UPDATE source_file SET name = %s, caption = %s, removed_at = NULL "
            "WHERE workspace_id = %s AND external_id = %s",
            [called.name, called.folder, workspace_id, external_id],
        )
        files.show_one(connection, workspace_id, external_id)
        about = {"name": called.path, "page": called.page, "kind": bytes_.kind, "size": bytes_.size,
                 "sha256": bytes_.sha256, "is_new": is_new}  # fmt: skip
        record(connection, actor, "file.added", str(document_id), workspace_id=workspace_id, details=about)
    return AddedFile(external_id, document_id, called.name, called.folder, "new" if is_new else "changed")


def remove(connection: Connection, workspace: Workspace, file: ListedFile, actor: str | None = None) -> None:
    """Remove a file that somebody added; the next publish takes it out of searches. May be repeated.

    `actor` does it (see `audit.record`); None: the user of this process.

    Raises:
        UnknownDocument: it is gone.
        WrongUse: it was not added: it hangs on a page, or lies in another file.
    """
    if file.origin != "added":
        where = "lies in another file: remove that one" if file.origin == "inside" else "is its page's: remove it there"
        raise WrongUse(f"The file '{file.name}' was not added, it {where}.")
    workspace_id, external_id = workspace.workspace_id, file.external_id
    with connection.transaction():
        _lock(connection, workspace_id, external_id)
        before = scalar(
            connection,
            "SELECT state FROM source_file WHERE workspace_id = %s AND external_id = %s FOR UPDATE",
            [workspace_id, external_id],
        )
        if before is None:
            raise UnknownDocument(f"There is no file '{file.name}' any more.")
        connection.execute(
            "UPDATE source_file SET state = 'removed', reason = NULL, detail = NULL, next_attempt_at = NULL, "
            "removed_at = coalesce(removed_at, now()) WHERE workspace_id = %s AND external_id = %s",
            [workspace_id, external_id],
        )
        if before == "removed":
            return
        files.show_one(connection, workspace_id, external_id)
        about = {"name": file.path, "page": file.page_id}
        record(connection, actor, "file.removed", str(file.document_id), workspace_id=workspace_id, details=about)


def _require_there(connection: Connection, workspace: Workspace) -> None:
    """The workspace stays until the end of the transaction."""
    statement = "SELECT 1 FROM workspace WHERE workspace_id = %s AND status <> 'deleting' FOR KEY SHARE"
    if scalar(connection, statement, [workspace.workspace_id]) is None:
        raise UnknownWorkspace.named(workspace.slug)


def _lock(connection: Connection, workspace_id: UUID, external_id: str) -> None:
    """First the document of a file, then the file: in this order who stores versions takes them."""
    connection.execute(
        "SELECT FROM document WHERE document_id = (SELECT document_id FROM source_file "
        "WHERE workspace_id = %s AND external_id = %s) FOR UPDATE",
        [workspace_id, external_id],
    )
