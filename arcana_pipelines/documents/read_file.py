"""A file as the ledger hands it on to become a document."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypedDict
from uuid import UUID

FILE_FORM = 1
"""Raise it when the same reading gives other contents: all files are looked at, and what differs is a new version."""


class ReadFile(TypedDict):
    """A file as the ledger hands it on.

    Attributes:
        external_id: our id of it.
        name, caption, origin: as its page says.
        state: `parsed` or `skipped`.
        reason: why it has no text.
        sha256: of its bytes, in hex; None where they were not fetched. So with `mime_type` and `size`, in bytes.
        url, page_title, last_edited_at, editor_name: of the page that it hangs on.
        text: what it says, in normal form; empty of a copy.
        places: `[[offset, place, continues], …]`, where in the file the parts of the text stand.
        own_title: what the file calls itself.
        notes: what of it was not read.
        copy_of: the document that has the text of these bytes.
        made_of: names all of this.
    """

    external_id: str
    name: str
    caption: str
    origin: str
    state: str
    reason: str | None
    sha256: str | None
    mime_type: str | None
    size: int | None
    url: str | None
    page_title: str | None
    last_edited_at: datetime | None
    editor_name: str | None
    text: str
    places: Sequence[Any]
    own_title: str | None
    notes: Sequence[str]
    copy_of: UUID | None
    made_of: str
