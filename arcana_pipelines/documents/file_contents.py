"""What one version of a file holds, and the hash that says whether it is a new version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypedDict
from uuid import UUID

from arcana_pipelines.documents.contents import UNTITLED, Contents
from arcana_pipelines.markdown.characters import clean
from arcana_pipelines.markdown.normalise import NORMALISER_VERSION
from arcana_pipelines.markdown.urls import safe_url

FILE_FORM = 1
"""Raise it when the same reading gives other contents: all files are looked at, and what differs is a new version."""

# In characters, as file systems have them: it stands in front of every chunk.
_LONGEST_TITLE = 255


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


def make_file_contents(file: ReadFile) -> Contents:
    """One version of a file. Without text it has no chunks: its document says what it is, and why it has none."""
    title = " ".join(clean(file["name"]).split())[:_LONGEST_TITLE].strip() or UNTITLED
    about = {
        "name": title,
        "mime_type": file["mime_type"],
        "size": file["size"],
        "title": file["own_title"] or None,
        "caption": clean(file["caption"]).strip() or None,
        "origin": file["origin"],
        "reason": file["reason"],
    }
    data = {
        "title": title,
        "text": file["text"],
        "database": "",
        "properties": {},
        "external_id": file["external_id"],
        "kind": "file",
        "url": safe_url(file["url"]),
        "links": [],
        "partial": list(file["notes"]),
        "last_edited_at": file["last_edited_at"].isoformat() if file["last_edited_at"] else None,
        "edited_by": clean(file["editor_name"] or "").strip() or None,
        "normaliser": NORMALISER_VERSION,
        "file": {name: value for name, value in about.items() if value is not None},
        "places": list(file["places"]),
        "copy_of": str(file["copy_of"]) if file["copy_of"] else None,
    }
    # What a person reads and where it stands. Other bytes with the same text are no new version.
    facts = [FILE_FORM, title, file["text"], data["places"], data["copy_of"], file["reason"]]
    digest = hashlib.blake2b(json.dumps(facts, ensure_ascii=False).encode(), digest_size=16).hexdigest()
    return Contents(data, (), digest, None)
