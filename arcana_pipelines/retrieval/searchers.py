"""The searchers that requests share: all on one pool of connections, with the same models."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

from arcana_pipelines.caching.caches import Cache, Tenant
from arcana_pipelines.db.engine import Database
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.retrieval.filters import Limits
from arcana_pipelines.retrieval.query_embedders import QueryEmbedders
from arcana_pipelines.retrieval.reranking.registry import open_reranker
from arcana_pipelines.retrieval.searcher import Searcher
from arcana_pipelines.retrieval.target_stores import TargetStores

# Each is a few objects, and none has a connection or a model of its own.
MOST_KEPT = 1000


class Searchers:
    """Safe to share between threads."""

    def __init__(self, database: Database, cache: Cache | None = None) -> None:
        """`cache` keeps vectors of queries."""
        self._database = database
        self._embedders = QueryEmbedders(database.settings, cache)
        self._reranker = open_reranker(database.settings)
        self._stores = TargetStores(database.settings)
        self._kept = lru_cache(MOST_KEPT)(self._new)

    @property
    def reranks(self) -> bool:
        """Whether a reranker has the last word on an order."""
        return self._reranker is not None

    def of(
        self,
        company: UUID | None,
        slugs: tuple[str, ...],
        index: str = DEFAULT_INDEX,
        limits: tuple[Limits, ...] = (),
        tenants: tuple[Tenant, ...] = (),
        sees_internal: bool = False,
    ) -> Searcher:
        """The searcher of an index of these workspaces, which sees what is this company's alone.

        Args:
            company: None: it sees what the database's user may see.
            slugs: of the workspaces.
            index: its name.
            limits: for each of the workspaces; none at all: there are none.
            tenants: whose each of them is; none at all: they are looked up, and no vectors of queries are kept.
            sees_internal: of a company, what is internal is found, too.
        """
        return self._kept(company, slugs, index, limits, tenants, sees_internal)

    def _new(
        self,
        company: UUID | None,
        slugs: tuple[str, ...],
        index: str,
        limits: tuple[Limits, ...],
        tenants: tuple[Tenant, ...],
        sees_internal: bool,
    ) -> Searcher:
        database = self._database if company is None else self._database.for_company(company, sees_internal)
        return Searcher(
            index=index,
            workspaces=slugs,
            database=database,
            reranker=self._reranker,
            embedders=self._embedders,
            limits=dict(zip(slugs, limits, strict=True)) if limits else {},
            tenants=dict(zip(slugs, tenants, strict=True)) if tenants else {},
            stores=self._stores,
        )
