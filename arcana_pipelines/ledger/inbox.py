"""The inbox of announced changes: they make a sync come sooner, and nothing depends on them.

An event says that something happened to a page, not what. Events come late, twice, in any order or never, so
they are only hints where to look; what the source says when it is asked counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.query import scalar
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.sources.protocol import Announcement

load_sql = statements_beside(__file__)

# Pages that one sync looks at because they were announced: one request each.
MOST_LOOKS = 200


@dataclass(frozen=True, slots=True)
class Waiting:
    """Announcements that no sync has followed yet.

    Attributes:
        event_ids: all of them, the oldest first; to be closed when a sync has followed them.
        pages: ids of the pages that they name, each once; at most `MOST_LOOKS`.
        commented: ids of the pages that have new or changed comments, each once.
    """

    event_ids: tuple[str, ...]
    pages: tuple[str, ...]
    commented: tuple[str, ...]


def receive(database: Database, announcement: Announcement) -> int:
    """Put an announcement into the inbox of every workspace that it concerns; returns how many there are.

    Their next look at the source comes at the sensor's next tick. The same event again changes nothing.
    """
    with database.connection() as connection:
        concerned: int = scalar(
            connection,
            load_sql("inbox_receive"),
            {
                "source_workspace_id": announcement.source_workspace_id,
                "event_id": announcement.event_id,
                "event_type": announcement.event_type,
                "external_id": announcement.external_id,
                "occurred_at": announcement.occurred_at,
            },
        )
    return concerned


def waiting(connection: Connection, workspace_id: UUID) -> Waiting:
    """What waits in a workspace's inbox."""
    rows = connection.execute(
        "SELECT event_id, event_type, external_id FROM webhook_event "
        "WHERE workspace_id = %s AND generation IS NULL ORDER BY received_at, event_id",
        [workspace_id],
    ).fetchall()
    pages = [page for _, _, page in rows if page]
    commented = [page for _, kind, page in rows if page and kind.startswith("comment.")]
    return Waiting(
        tuple(row[0] for row in rows), tuple(dict.fromkeys(pages))[:MOST_LOOKS], tuple(dict.fromkeys(commented))
    )


def close(connection: Connection, workspace_id: UUID, event_ids: Sequence[str], generation: int) -> None:
    """The sync of this generation has followed these announcements."""
    if event_ids:
        connection.execute(
            "UPDATE webhook_event SET generation = %s WHERE workspace_id = %s AND event_id = ANY(%s)",
            [generation, workspace_id, list(event_ids)],
        )
