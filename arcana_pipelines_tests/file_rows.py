"""Files among the rows of a workspace, put there by hand: what the pipeline makes of files, without files."""

from __future__ import annotations

import json
from hashlib import md5
from typing import Any
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines_tests.harness import Harness

TYPE = "application/pdf"


def make_file(
    acme: Harness, page: str, text_of: str, name: str, places: list[dict[str, Any] | None] | None = None
) -> UUID:
    """Let the text of an indexed page be that of a file on another page, in one chunk for each place.

    Args:
        page: the id of the page that the file hangs on.
        text_of: the id of the page that becomes the file. It is one no more: sync no more, or it comes back.
        places: of its chunks.
    """
    external_id = f"{page}#{md5(f'{page} {name}'.encode(), usedforsecurity=False).hexdigest()[:16]}"
    with acme.database.connection() as connection, connection.transaction():
        row = connection.execute(
            "SELECT p.workspace_id, p.document_id, d.latest_content_id FROM source_page p JOIN document d "
            "USING (document_id) WHERE p.external_id = %s",
            [text_of],
        ).fetchone()
        assert row is not None
        workspace_id, document_id, content_id = row
        connection.execute("DELETE FROM source_page WHERE external_id = %s", [text_of])
        connection.execute(
            "UPDATE document SET kind = 'file', path = (SELECT a.path || %s FROM source_page p JOIN document a "
            "USING (document_id) WHERE p.external_id = %s) WHERE document_id = %s",
            [_label(external_id), page, document_id],
        )
        facts = _facts(connection, page, external_id, name)
        connection.execute(
            "UPDATE document_content SET contents = contents || %s::jsonb WHERE document_content_id = %s",
            [json.dumps(facts), content_id],
        )
        connection.execute(
            "UPDATE published_document SET places = %s WHERE document_id = %s",
            [json.dumps(places) if places else None, document_id],
        )
        _in_ledger(connection, workspace_id, page, external_id, name, document_id)
    return UUID(str(document_id))


def make_copy(acme: Harness, page: str, of: UUID, name: str) -> UUID:
    """A file on a page with the bytes of another file, which has the text."""
    external_id = f"{page}#{md5(f'{page} {name}'.encode(), usedforsecurity=False).hexdigest()[:16]}"
    with acme.database.connection() as connection, connection.transaction():
        facts = {**_facts(connection, page, external_id, name), "text": "", "copy_of": str(of)}
        row = connection.execute(
            "INSERT INTO document (workspace_id, company_id, platform, user_id, path, kind) "
            "SELECT d.workspace_id, d.company_id, d.platform, d.user_id, a.path || %s, 'file' "
            "FROM document d, source_page p JOIN document a USING (document_id) "
            "WHERE d.document_id = %s AND p.external_id = %s RETURNING document_id, workspace_id",
            [_label(external_id), of, page],
        ).fetchone()
        assert row is not None
        document_id, workspace_id = row
        content = connection.execute(
            "INSERT INTO document_content (document_id, contents, version) VALUES (%s, %s, 1) "
            "RETURNING document_content_id",
            [document_id, json.dumps(facts)],
        ).fetchone()
        assert content is not None
        connection.execute(
            "UPDATE document SET latest_content_id = %s WHERE document_id = %s", [content[0], document_id]
        )
        connection.execute(
            "INSERT INTO published_document (rag_index_build_id, document_id, document_content_id) "
            "SELECT rag_index_build_id, %s, %s FROM published_document WHERE document_id = %s",
            [document_id, content[0], of],
        )
        _in_ledger(connection, workspace_id, page, external_id, name, document_id)
        connection.execute(
            "INSERT INTO document_relation (base_document_id, related_document_id, relation_type) "
            "VALUES (%s, %s, 'duplicate')",
            [document_id, of],
        )
    return UUID(str(document_id))


def keep_bytes(connection: Connection, file: UUID) -> None:
    """Let the store of files have bytes of a file, as the ledger says."""
    connection.execute(
        "WITH kept AS (INSERT INTO stored_file (workspace_id, sha256, size, kind, mime_type, storage_key) "
        "SELECT workspace_id, sha256(external_id::bytea), 1000, 'pdf', %s, external_id FROM source_file "
        "WHERE document_id = %s RETURNING sha256) "
        "UPDATE source_file SET sha256 = kept.sha256 FROM kept WHERE document_id = %s",
        [TYPE, file, file],
    )


def _label(external_id: str) -> str:
    return f"p{md5(external_id.encode(), usedforsecurity=False).hexdigest()[:16]}"


def _facts(connection: Any, page: str, external_id: str, name: str) -> dict[str, Any]:
    url, edited = connection.execute(
        "SELECT url, last_edited_at FROM source_page WHERE external_id = %s", [page]
    ).fetchone()
    return {
        "kind": "file",
        "title": name,
        "external_id": external_id,
        "url": url,
        "last_edited_at": edited.isoformat(),
        "file": {"name": name, "mime_type": TYPE, "size": 1000},
        "properties": {},
    }


def _in_ledger(connection: Any, workspace_id: UUID, page: str, external_id: str, name: str, document_id: UUID) -> None:
    connection.execute(
        "INSERT INTO source_file (workspace_id, external_id, page_external_id, file_id, position, name, origin, state, "
        "document_id) VALUES (%s, %s, %s, %s, 0, %s, 'pdf', 'parsed', %s)",
        [workspace_id, external_id, page, external_id, name, document_id],
    )
    connection.execute(
        "INSERT INTO document_relation (base_document_id, related_document_id, relation_type) "
        "SELECT document_id, %s, 'derived' FROM source_page WHERE external_id = %s",
        [document_id, page],
    )
