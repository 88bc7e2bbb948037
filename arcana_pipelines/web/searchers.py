"""The searchers that requests share: one a workspace, on one pool of connections."""

from __future__ import annotations

from functools import lru_cache

from arcana_pipelines.db.engine import Database
from arcana_pipelines.retrieval.searcher import Searcher

# Each is a few objects, and none has a connection of its own.
MOST_KEPT = 1000


class Searchers:
    """Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        """`database` is used by a role that can read what searches need and nothing else."""
        self.of = lru_cache(MOST_KEPT)(lambda slug: Searcher(slug, database=database))
