"""The one way from a request with a key to what a search answers: through the gate, within the key's limits."""

from __future__ import annotations

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.keys.access import Access
from arcana_pipelines.learning.answers import asked as noted
from arcana_pipelines.retrieval.results import Results
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.retrieval.searchers import Searchers
from arcana_pipelines.web.gate import Gate, Opened
from arcana_pipelines.web.use import use_now

# Hits of one answer: more is a listing, which is had page by page.
MOST_K = 100


class Searches:
    """Searches for those who have a key. Safe to share between threads."""

    def __init__(self, database: Database, gate: Gate) -> None:
        self._gate = gate
        self._settings = database.settings
        self._searchers = Searchers(database)

    def search(self, access: Access, slug: str, asked: SearchRequest) -> Results:
        """What a key finds in a workspace, in the index that is asked for.

        Raises:
            Refused: the key does not open it, or may search no more.
            ArcanaError: see `Searcher.search`.
        """
        return self.search_in(access, self._gate.index(access, "search", slug, asked.index), asked)

    def search_in(self, access: Access, opened: Opened, asked: SearchRequest) -> Results:
        """The same where the gate has opened the index already: a further question of one request."""
        if asked.k > MOST_K:
            raise WrongUse(f"k is at most {MOST_K} here, not {asked.k}: `cursor` leads to further hits.")
        results = self._searchers.of(access.company_id, (opened.slug,), limits=(opened.limits,)).search(asked)
        use = use_now()
        use.hits = (use.hits or 0) + len(results.hits)
        use.tokens = (use.tokens or 0) + results.tokens
        told = results.to_dict()
        use.asked.append(noted(self._settings, access.company_id, opened.workspace_id, asked, told))
        return results
