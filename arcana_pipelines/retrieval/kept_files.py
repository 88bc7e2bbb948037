"""The bytes of a file that searches find."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import rows
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.files.stores.keys import is_key
from arcana_pipelines.retrieval.limits import check_text

load_sql = statements_beside(__file__)


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file, and what the store has of it.

    Attributes:
        name: as its page shows it; a label from outside.
        size: in bytes.
        sha256: of its bytes, in hex.
        storage_key: the store's key of them.
        is_internal: it hangs on what is internal, such as a private note.
    """

    workspace_id: UUID
    platform: str
    name: str
    mime_type: str
    size: int
    sha256: str
    storage_key: str
    is_internal: bool

    @property
    def is_own(self) -> bool:
        """Whether the key is one of its workspace's for these bytes: no row leads to another's."""
        return is_key(self.storage_key) and self.storage_key.endswith(
            f"/{self.platform}/{self.workspace_id}/{self.sha256[:2]}/{self.sha256}"
        )


def find_kept_file(connection: Connection, document_id: UUID, index: str) -> KeptFile | None:
    """The file that a document is; None: there is none, the index does not serve it, or its bytes are not kept."""
    check_text("The name of the index", index)
    found = rows(connection, KeptFile, load_sql("kept_file"), {"document_id": document_id, "index": index})
    return next((file for file in found if file.is_own), None)
