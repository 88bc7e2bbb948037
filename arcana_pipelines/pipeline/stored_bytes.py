"""Bytes of a file on their way into the store: what they are, whether they are read, and that they are kept whole."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from arcana_pipelines.errors import FileDamaged
from arcana_pipelines.files.kinds import FileKind, kind_of, kinds_named, mime_type_of
from arcana_pipelines.files.stores.protocol import FileStore
from arcana_pipelines.files.stores.registry import key_of
from arcana_pipelines.ledger.files import Fetched
from arcana_pipelines.settings import Settings
from arcana_pipelines.workspaces.workspaces import Workspace

log = logging.getLogger(__name__)

_PIECE = 2**20


def bytes_of(workspace: Workspace, path: Path, name: str, external_id: str = "") -> Fetched:
    """What the bytes of a file of this machine are, and under which key a workspace keeps them. Nothing is kept yet.

    `external_id`: of the file that they are; empty where that is not known.
    """
    sha256, size = _hash_of(path)
    kind = kind_of(path, name)
    key = key_of(workspace.company_id, workspace.platform, workspace.workspace_id, sha256)
    return Fetched(external_id, sha256, size, kind.value, mime_type_of(path, kind), key)


def is_allowed(settings: Settings, kind: str) -> bool:
    """Whether files of a kind are read (`FILE_TYPES`)."""
    allowed = kinds_named(settings.file_types)
    return not allowed or FileKind(kind) in allowed


def put_bytes(store: FileStore, path: Path, bytes_: Fetched) -> None:
    """Keep bytes that were just looked at, in the place of a part of them if that is what is there."""
    try:
        store.put(bytes_.storage_key, path, bytes_.sha256, bytes_.size)
    except FileDamaged as error:
        log.warning("bytes of a file are stored again: %s", error)
        store.delete(bytes_.storage_key)
        store.put(bytes_.storage_key, path, bytes_.sha256, bytes_.size)


def _hash_of(path: Path) -> tuple[str, int]:
    """The SHA-256 of a file in hex, and its size in bytes."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as opened:
        while piece := opened.read(_PIECE):
            digest.update(piece)
            size += len(piece)
    return digest.hexdigest(), size
