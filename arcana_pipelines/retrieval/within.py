"""What of a list lies within the limits of whoever asks: documents that no search of theirs finds are not there."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import sql

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.errors import UnknownDocument
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.retrieval.filters import Filters, Limits
from arcana_pipelines.retrieval.left import Left
from arcana_pipelines.retrieval.serving import find_serving


def within(
    connection: Connection, workspace_id: UUID, limits: Limits, column: sql.Composable, index: str = DEFAULT_INDEX
) -> tuple[sql.Composable, dict[str, Any]]:
    """SQL for whether the document of a column is within all limits, with its parameters besides `workspace_id`.

    In a transaction of one snapshot with the statement that it goes into.
    """
    if not limits:
        return sql.SQL("true"), {}
    build = find_serving(connection, workspace_id, index, None, None).build
    left = Left(connection, workspace_id, Filters(), limits, build)
    conditions = [sql.SQL("{} IN ({})").format(column, each) for each in left.limited]
    return sql.SQL(" AND ").join(conditions) if conditions else sql.SQL("true"), left.parameters


def require_within(
    connection: Connection, workspace_id: UUID, document: str, limits: Limits, index: str = DEFAULT_INDEX
) -> UUID:
    """A document that the limits leave, by its id: other names would be compared with those of what is beyond them.

    In a transaction of one snapshot.

    Raises:
        UnknownDocument: it is none, or beyond the limits, which is told alike.
    """
    unknown = UnknownDocument(f"There is no document '{document}' here for this key: give the `document_id` of a hit.")
    try:
        document_id = UUID(document)
    except ValueError as error:
        raise unknown from error
    holds, parameters = within(connection, workspace_id, limits, sql.SQL("d.document_id"), index)
    statement = sql.SQL(
        "SELECT 1 FROM document d WHERE d.workspace_id = %(workspace_id)s AND d.document_id = %(asked)s "
        "AND d.deleted_at IS NULL AND {}"
    ).format(holds)
    asked = {**parameters, "workspace_id": workspace_id, "asked": document_id}
    if query.scalar(connection, statement, asked) is None:
        raise unknown
    return document_id
