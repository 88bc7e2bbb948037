"""Whether a workspace has anything internal: private notes of tickets, and their files.

Most have nothing, and their searches are to be as they are without. So it is asked once for each state of a workspace,
not for each search: nothing new is found in it without a publish, which makes another state.
"""

from __future__ import annotations

import threading
from uuid import UUID

from cachetools import LRUCache

from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.query import scalar
from arcana_pipelines.keys.asked import AskedIndex, AskedWorkspace

MOST_KEPT = 10_000


class Internal:
    """Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._known: LRUCache[tuple[UUID, tuple[AskedIndex, ...]], bool] = LRUCache(MOST_KEPT)

    def is_known(self, asked: AskedWorkspace) -> bool:
        """Whether `is_in` answers without the database."""
        with self._lock:
            return (asked.workspace_id, asked.indexes) in self._known

    def is_in(self, company_id: UUID, asked: AskedWorkspace) -> bool:
        """Whether something of a company's workspace is internal, or was while it is remembered."""
        state = (asked.workspace_id, asked.indexes)
        with self._lock:
            known = self._known.get(state)
        if known is None:
            with self._database.connection(company_id, sees_internal=True) as connection:
                statement = "SELECT EXISTS (SELECT FROM document WHERE workspace_id = %s AND is_internal)"
                known = bool(scalar(connection, statement, [asked.workspace_id]))
            with self._lock:
                self._known[state] = known
        return known
