"""The searchers that requests share: one for a workspace of a company, all on one pool of connections."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

from arcana_pipelines.db.engine import Database
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.retrieval.searcher import Searcher

# Each is a few objects, and none has a connection of its own.
MOST_KEPT = 1000


class Searchers:
    """Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        """`database` is opened to serve: what is read through it, is read for a company."""
        self._database = database
        self._kept = lru_cache(MOST_KEPT)(self._new)

    def of(self, company: UUID, slug: str, index: str = DEFAULT_INDEX) -> Searcher:
        """The searcher of an index, which sees what is this company's alone."""
        return self._kept(company, slug, index)

    def _new(self, company: UUID, slug: str, index: str) -> Searcher:
        return Searcher(slug, index, database=self._database.for_company(company))
