"""Tickets that a source was read of, as records: in the transaction in which their documents are stored."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import scalars
from arcana_pipelines.db.statements import statements_beside

load_sql = statements_beside(__file__)

_TAKEN = (
    "another workspace of the company has a ticket of this number: give this account a company of its own "
    "(`arcana workspace add --company NAME`)"
)


def store_records(connection: Connection, workspace_id: UUID, pages: Collection[str]) -> dict[str, str]:
    """Write those of these pages that are tickets into `tickets` and `conversations`, in the caller's transaction.

    The pages are processed: each has its document.

    Returns:
        why some were not written, by the page's id.
    """
    taken = scalars(connection, load_sql("records_store"), {"workspace_id": workspace_id, "pages": list(pages)})
    return dict.fromkeys(taken, _TAKEN)
