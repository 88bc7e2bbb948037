"""Documents and their versions in the database: new versions, places in the tree, references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from psycopg import sql

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import scalar
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.db.storable import storable_json
from arcana_pipelines.documents.comparables import PROPERTY_VALUES
from arcana_pipelines.documents.read_file import ReadFile
from arcana_pipelines.documents.relations import relate_by_properties
from arcana_pipelines.markdown.version import NORMALISER_VERSION

if TYPE_CHECKING:
    from arcana_pipelines.documents.contents import Contents

load_sql = statements_beside(__file__)


def store_versions(connection: Connection, workspace_id: UUID, contents: Mapping[str, Contents]) -> int:
    """Make a document of each processed page that has none, and a version where its hash is new; returns how many.

    `contents` is by the page's id. The pages count as processed in the ledger.
    """
    pages = [
        {
            "external_id": external_id,
            "content_hash": made.content_hash,
            "contents": made.data,
            "links": list(made.links),
            "user_id": str(made.user_id) if made.user_id else None,
        }
        for external_id, made in contents.items()
    ]
    rows = connection.execute(
        load_sql("store_versions"),
        {"workspace_id": workspace_id, "pages": storable_json(pages), "normaliser": NORMALISER_VERSION},
    ).fetchall()
    if rows:
        statement = sql.SQL(load_sql("point_to_versions")).format(property_values=sql.SQL(PROPERTY_VALUES))
        connection.execute(statement, {"documents": [row[0] for row in rows], "contents": [row[1] for row in rows]})
    return sum(row[1] is not None for row in rows)


def store_file_versions(connection: Connection, workspace_id: UUID, files: Sequence[tuple[ReadFile, Contents]]) -> int:
    """Make a version of each file whose hash is new; returns how many."""
    rows = [
        {
            "external_id": file["external_id"],
            "content_hash": made.content_hash,
            "contents": made.data,
            "made_of": file["made_of"],
        }
        for file, made in files
    ]
    key = {"workspace_id": workspace_id, "files": storable_json(rows)}
    versions: int = scalar(connection, load_sql("store_file_versions"), key)
    return versions


def put_in_place(connection: Connection, workspace_id: UUID) -> None:
    """Put every document below its parents, and make the relations between documents what links and files say.

    In the caller's transaction.
    """
    # Whole tables are joined. While they are filled the planner takes them for empty, and would compare each with each.
    connection.execute("SET LOCAL enable_nestloop = off")
    connection.execute(load_sql("paths"), {"workspace_id": workspace_id})
    relate_by_properties(connection, workspace_id)
    connection.execute(load_sql("references"), {"workspace_id": workspace_id})
    connection.execute(load_sql("file_relations"), {"workspace_id": workspace_id})
