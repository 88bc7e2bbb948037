"""Which files a workspace has, and what is known of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import UnknownDocument, WrongUse
from arcana_pipelines.markdown.characters import clean

load_sql = statements_beside(__file__)

SHOWN_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file of a workspace.

    Attributes:
        external_id: our id of it.
        document_id: of its document; None: the next sync makes one.
        name: as its page shows it, or as it was added.
        caption: what its page says of it; of an added one the folder that it was added from.
        origin: where on its page it hangs; `added`: somebody added it; `inside`: it lies in another file.
        state: `pending`, `stored` (its bytes are kept, not read yet), `parsed`, `skipped`, `quarantined`, `removed`.
        reason: why it has no text, or none of now.
        kind, size: of its bytes, in bytes; None: they are not kept.
        page_id, page: the page that it hangs on, and its title; None: on none.
    """

    external_id: str
    document_id: UUID | None
    name: str
    caption: str
    origin: str
    state: str
    reason: str | None
    kind: str | None
    size: int | None
    page_id: str | None
    page: str | None

    @property
    def path(self) -> str:
        """Its name, after the folder that it was added from."""
        return f"{self.caption}/{self.name}" if self.origin == "added" and self.caption else self.name

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ShownFile:
    """What is known of one file besides.

    Attributes:
        detail: the reason in more words.
        parser: what has read its bytes (see `registry.parser_key`).
        next_attempt_at: when it is tried again.
        sha256: of its bytes, in hex.
        title: what the file calls itself.
        notes: what of it was not read.
        places: `[[offset, place, continues], …]`, where in the file the parts of its text stand.
        text: its beginning, of `characters` in all.
        copy_of: the document that has the text of these bytes.
        inside: the name of the file that it lies in.
        versions: `{"version", "created_at"}` of each, the newest first.
    """

    detail: str | None
    parser: str | None
    next_attempt_at: datetime | None
    sha256: str | None
    mime_type: str | None
    title: str | None
    notes: Sequence[str]
    places: Sequence[Any]
    text: str
    characters: int
    copy_of: UUID | None
    inside: str | None
    versions: Sequence[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def listed_files(
    connection: Connection, workspace_id: UUID, state: str | None = None, after: str = "", limit: int | None = None
) -> list[ListedFile]:
    """The files in one state, or all but removed ones, by their external ids: those behind `after`."""
    key = {"workspace_id": workspace_id, "state": state, "after": after, "limit": limit}
    return query.rows(connection, ListedFile, load_sql("files_listed"), key)


def find_file(connection: Connection, workspace_id: UUID, asked: str) -> ListedFile:
    """The file that `asked` means: its id, that of its document, or its name.

    Raises:
        UnknownDocument: there is none.
        WrongUse: several have this name.
    """
    key = {"workspace_id": workspace_id, "asked": clean(asked).strip()}
    found = query.rows(connection, ListedFile, load_sql("files_named"), key)
    if not found:
        raise UnknownDocument(
            f"There is no file '{asked}' in this workspace: `arcana file list` shows those there are."
        )
    if len(found) > 1:
        ids = ", ".join(str(file.document_id or file.external_id) for file in found[:5])
        raise WrongUse(f"{len(found)} files are called '{asked}' ({ids}): give the id of the one that is meant.")
    return found[0]


def show_file(connection: Connection, workspace_id: UUID, file: ListedFile) -> ShownFile:
    """What is known of a file besides what a list says.

    Raises:
        UnknownDocument: it is gone.
    """
    key = {"workspace_id": workspace_id, "external_id": file.external_id, "characters": SHOWN_CHARACTERS}
    found = query.find(connection, ShownFile, load_sql("files_shown"), key)
    if found is None:
        raise UnknownDocument(f"There is no file '{file.name}' any more.")
    return found
