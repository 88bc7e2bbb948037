"""The one way from a request with a key to what a search answers: through the gate, within the key's limits, and once
for all who ask the same as long as the answer is the same."""

from __future__ import annotations

import logging
from dataclasses import asdict
from functools import cached_property
from typing import Any

import psycopg
from pydantic import TypeAdapter

import arcana_pipelines
from arcana_pipelines.caching.caches import Caches, Tenant
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.replica import history_of
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.keys.access import Access
from arcana_pipelines.keys.asked import AskedIndex
from arcana_pipelines.learning.answers import asked as noted
from arcana_pipelines.retrieval.connection_searcher import STOOD_IN
from arcana_pipelines.retrieval.results import Results
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.retrieval.searchers import Searchers
from arcana_pipelines.web.gate import Gate, Opened
from arcana_pipelines.web.reads import Reads, note_seen
from arcana_pipelines.web.use import use_now

log = logging.getLogger(__name__)

# Hits of one answer: more is a listing, which is had page by page.
MOST_K = 100


class Searches:
    """Searches for those who have a key. Safe to share between threads."""

    def __init__(self, database: Database, gate: Gate, caches: Caches, reads: Reads) -> None:
        self._gate = gate
        self._database = database
        self._reads = reads
        self._cache = caches.searches
        self._searchers = Searchers(database, caches.embeddings)
        self._settings = settings = database.settings
        # What answers are made by, beside what the database says.
        self._made_by = (
            arcana_pipelines.__version__,
            settings.reranker,
            settings.reranker_url,
            settings.reranker_model,
            str(settings.reranker_model_path),
        )

    def search(self, access: Access, slug: str, asked: SearchRequest) -> Results:
        """What a key finds in a workspace, in the index that is asked for.

        Raises:
            Refused: the key does not open it, or may search no more.
            ArcanaError: see `Searcher.search`.
        """
        return _results(self.told(access, slug, asked))

    def told(self, access: Access, slug: str, asked: SearchRequest) -> dict[str, Any]:
        """The same as `Results.to_dict` tells it.

        Raises:
            ArcanaError: see `search`.
        """
        return self.told_in(access, self._gate.index(access, "search", slug, asked.index), asked)

    def at_hand(self, access: Access, slug: str, asked: SearchRequest) -> dict[str, Any] | None:
        """The same, where it is kept in this process and nobody has to be waited for; None: it may be had by `told`.

        Raises:
            Refused: see `search`.
        """
        is_counted = access.is_counted
        is_opened = self._gate.is_at_hand(access, slug, asked.index)
        is_known = "_history" in self.__dict__  # else the database would be asked
        if not self._cache.is_at_hand or is_counted or not is_opened or not is_known or not _is_kept(asked):
            return None
        opened = self._gate.index(access, "search", slug, asked.index)
        assert opened.index is not None
        key = self._key(_tenant(access, opened), opened, opened.index, asked)
        told: dict[str, Any] | None = self._cache.kept(key)
        if told is not None:
            note_seen(opened, opened.index)
            self._note(access, opened, asked, told, is_cached=True)
        return told

    def search_in(self, access: Access, opened: Opened, asked: SearchRequest) -> Results:
        """What is found where the gate has opened the index already: a further question of one request.

        Raises:
            ArcanaError: see `Searcher.search`.
        """
        return _results(self.told_in(access, opened, asked))

    def told_in(self, access: Access, opened: Opened, asked: SearchRequest) -> dict[str, Any]:
        """The same as `Results.to_dict` tells it.

        Raises:
            ArcanaError: see `Searcher.search`.
        """
        if asked.k > MOST_K:
            raise WrongUse(f"k is at most {MOST_K} here, not {asked.k}: `cursor` leads to further hits.")
        tenant = _tenant(access, opened)
        is_cached = True

        def searched(connection: Connection | None) -> tuple[dict[str, Any], bool]:
            nonlocal is_cached
            is_cached = False
            searcher = self._searchers.of(
                access.company_id, (opened.slug,), limits=(opened.limits,), tenants=(tenant,),
                sees_internal=opened.sees_internal,
            )  # fmt: skip
            results = searcher.search(asked) if connection is None else searcher.search_over(connection, asked)
            use.tokens = (use.tokens or 0) + results.tokens
            return results.to_dict(), self._is_whole(asked, results)

        def had(index: AskedIndex, connection: Connection | None = None) -> dict[str, Any]:
            if not _is_kept(asked):
                return searched(connection)[0]
            found: dict[str, Any] = self._cache.had(
                self._key(tenant, opened, index, asked), lambda: searched(connection),
                by="database" if connection is None else "replica",
            )  # fmt: skip
            return found

        use = use_now()
        assert opened.index is not None
        on_replica = self._reads.on_replica(access.company_id, opened, lambda connection, index: had(index, connection))
        told = on_replica[0] if on_replica is not None else had(opened.index)
        if on_replica is None:
            note_seen(opened, opened.index)
        self._note(access, opened, asked, told, is_cached)
        return told

    def _note(
        self, access: Access, opened: Opened, asked: SearchRequest, told: dict[str, Any], is_cached: bool
    ) -> None:
        use = use_now()
        use.hits = (use.hits or 0) + len(told["hits"])
        use.asked.append(noted(self._settings, access.company_id, opened.workspace_id, asked, told, is_cached))

    def _key(self, tenant: Tenant, opened: Opened, index: AskedIndex, asked: SearchRequest) -> str:
        """Of all that an answer is made of. What was published or moved, a key's limits, and whether it sees what is
        internal, are part of it: nothing that is kept has to be taken back. `index` is as the database has it, or the
        replica that is asked."""
        who = (opened.limits, opened.sees_internal)
        return self._cache.key(tenant, opened.slug, asdict(index), *who, asdict(asked), self._made_by, self._history)

    @cached_property
    def _history(self) -> str:
        """Of the database: after a restore it counts publishes anew, and a Redis may hold what was answered before."""
        with self._database.connection() as connection:
            try:
                return history_of(connection)
            except (psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported) as error:
                # Of somebody else's server. Then whoever restores empties the Redis.
                log.warning("the database does not tell its history: %s", error)
                return ""

    def _is_whole(self, asked: SearchRequest, results: Results) -> bool:
        """Whether the same would be answered again: no provider was away."""
        is_embedded = asked.ranking == "lexical" or results.tokens > 0
        is_ordered = not (self._searchers.reranks and asked.ranking == "fused" and results.hits) or results.is_reranked
        is_of_target = not any(note.startswith(STOOD_IN) for note in results.notes)
        return is_embedded and is_ordered and is_of_target


def _is_kept(asked: SearchRequest) -> bool:
    """What was found in the past is asked for seldom, and for how long it is remembered is not in the key."""
    return asked.as_of is None and asked.k <= MOST_K


def _tenant(access: Access, opened: Opened) -> Tenant:
    return Tenant(access.company_id, opened.platform, opened.workspace_id)


_RESULTS = TypeAdapter(Results)


def _results(told: dict[str, Any]) -> Results:
    return _RESULTS.validate_python(told)
