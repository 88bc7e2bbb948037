"""What one version of a file holds, and the hash that says whether it is a new version."""

from __future__ import annotations

import hashlib
import json

from arcana_pipelines.documents.contents import UNTITLED, Contents
from arcana_pipelines.documents.read_file import FILE_FORM, ReadFile
from arcana_pipelines.markdown.characters import clean
from arcana_pipelines.markdown.urls import safe_url
from arcana_pipelines.markdown.version import NORMALISER_VERSION

# In characters, as file systems have them: it stands in front of every chunk.
_LONGEST_TITLE = 255


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
