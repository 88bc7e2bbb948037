"""The counts by chunk and day, and what is forgotten when its time is over."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

from arcana_pipelines.audit.record import record
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import one, scalars
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.keys.keys import require_key
from arcana_pipelines.keys.spelling import OF_ISSUER
from arcana_pipelines.keys.usage import month_of
from arcana_pipelines.settings import Settings

load_sql = statements_beside(__file__)

# So long it is kept what a process saw of what it needs.
HEALTH_DAYS = 30


@dataclass(frozen=True, slots=True)
class Gone:
    """How many rows of each kind are, or would be, deleted.

    Attributes:
        answers: which answer showed what.
        feedback: what readers said of them.
        questions: that were asked.
        chunk_days: counts of a chunk on a day.
        conversations: each with its questions.
        requests: rows of the log of use.
    """

    answers: int
    feedback: int
    questions: int
    chunk_days: int
    conversations: int
    requests: int

    @property
    def rows(self) -> int:
        """All of them."""
        return sum(asdict(self).values())


def count_chunks(connection: Connection, settings: Settings) -> int:
    """Make the counts of the days on which something has changed; returns how many days these are.

    A day is counted anew from its answers and what was said of them: it may be done as often as anybody likes. As the
    owner.
    """
    with connection.transaction():
        connection.execute("LOCK TABLE chunk_analytics IN SHARE ROW EXCLUSIVE MODE")  # by one at a time
        days = scalars(connection, load_sql("chunks_days"), {"days": settings.search_log_days})
        if days:
            connection.execute("DELETE FROM chunk_analytics WHERE day = ANY (%s)", [days])
            connection.execute(load_sql("chunks_count"), {"days": days})
    return len(days)


def forget(connection: Connection, settings: Settings, now: datetime) -> int:
    """Delete what is kept for longer than the settings say; returns how many rows. As the owner."""
    since = month_of(now, -settings.analytics_months)
    texts_until = now - timedelta(days=settings.question_days)
    with connection.transaction():
        _lock(connection)
        connection.execute(
            "UPDATE search_feedback SET comment = NULL WHERE comment IS NOT NULL AND at < %s", [texts_until]
        )
        return sum(
            connection.execute(statement, [until]).rowcount
            for statement, until in (
                ("DELETE FROM search_answers WHERE at < %s", now - timedelta(days=settings.search_log_days)),
                ("DELETE FROM query_cache WHERE last_asked_at < %s", texts_until),
                ("DELETE FROM search_feedback WHERE searched_at < %s", since),
                ("DELETE FROM chunk_analytics WHERE day < %s", since.date()),
                ("DELETE FROM system_health WHERE at < %s", now - timedelta(days=HEALTH_DAYS)),
            )
        )


def purge(
    connection: Connection,
    until: datetime | None,
    workspace_id: UUID | None,
    key_id: str | None,
    actor: str | None = None,
) -> Gone:
    """Delete what was noted before a time, of a workspace, with a key: what all of those that are given say.

    Of a key it is what can be told to be its: the questions of the answers that are still noted, once each. Counts by
    chunk are nobody's, and stay then. It is told in the audit log. As the owner; whoever only wants to know how much it
    is rolls back.

    Raises:
        WrongUse: there is no such key, and nothing is known of one. Of people who log in elsewhere, whom nobody lists,
            there may be nothing.
    """
    of = {"until": until, "workspace_id": workspace_id, "key_id": key_id}
    with connection.transaction():
        _lock(connection)
        gone = one(connection, Gone, load_sql("purge"), of)
        if key_id is not None and not gone.rows and not key_id.startswith(OF_ISSUER):
            require_key(connection, key_id)
        if gone.rows:
            details = {**asdict(gone), "until": until and until.isoformat(), "key_id": key_id}
            record(connection, actor, "usage.purged", key_id or "usage", workspace_id=workspace_id, details=details)
    return gone


def _lock(connection: Connection) -> None:
    """Keep out what notes answers meanwhile, before it has met any row of theirs or of their questions.

    By one table alone: in which order a statement locks several depends on whether it was prepared.
    """
    connection.execute("LOCK TABLE search_answers IN SHARE ROW EXCLUSIVE MODE")
