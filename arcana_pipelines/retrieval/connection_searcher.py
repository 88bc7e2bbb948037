"""Hybrid search in one workspace over one open connection: words and meaning, fused."""

from __future__ import annotations

import logging
from dataclasses import replace
from uuid import UUID

import psycopg

from arcana_pipelines.caching.caches import Tenant
from arcana_pipelines.db.engine import Connection, snapshot
from arcana_pipelines.embedding.catalogue import model_named
from arcana_pipelines.errors import ArcanaError, WrongUse
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.observing.traces import traced
from arcana_pipelines.retrieval.answering import BY_WORDS, Answering
from arcana_pipelines.retrieval.filters import Limits
from arcana_pipelines.retrieval.query_embedders import QueryEmbedders
from arcana_pipelines.retrieval.ranked_search import CANDIDATES, Found, Meaning, Question, wants_meaning
from arcana_pipelines.retrieval.reranking.protocol import Reranker
from arcana_pipelines.retrieval.results import Results
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.retrieval.serving import Serving, find_serving
from arcana_pipelines.retrieval.snapshot_search import MoreIsNeeded, SnapshotSearch
from arcana_pipelines.retrieval.target_stores import Near, TargetStores
from arcana_pipelines.settings import Settings

log = logging.getLogger(__name__)

# How a note begins that PostgreSQL answered in the place of a target.
STOOD_IN = "PostgreSQL was searched by meaning"


class ConnectionSearcher(Answering):
    """Searches one workspace over one open connection, which is in autocommit.

    Nothing outside that workspace can be reached through it. For programs there is `retrieval.Searcher`, which has a
    pool of connections.
    """

    def __init__(
        self,
        connection: Connection,
        settings: Settings,
        workspace_id: UUID,
        build: int | None = None,
        embedders: QueryEmbedders | None = None,
        reranker: Reranker | None = None,
        limits: Limits = (),
        known: dict[tuple[UUID, str], Serving] | None = None,
        tenant: Tenant | None = None,
        stores: TargetStores | None = None,
    ) -> None:
        """`build` is for evaluation: one that does not serve yet, or not any more. `embedders` may be shared.

        `known` may be, too: what served each index when it was searched last, for which nobody has to ask before.
        `tenant` is whose the workspace is, where `embedders` keep the vectors of queries. `stores` of targets may be
        shared, too.

        Nothing is found, and nothing told, of what one of the `limits` leaves out, whatever a request asks.
        """
        super().__init__(workspace_id, embedders or QueryEmbedders(settings), reranker, limits, tenant)
        self._connection = connection
        self._build = build
        self._known = known if known is not None else {}
        self._stores = stores or TargetStores(settings)

    def search(self, request: SearchRequest) -> Results:
        """The best chunks for a request; those of the index `default` where it names none.

        While the embedding provider fails, words alone are searched. A reranker has the last word on the fused order,
        as long as it answers; whether anything was found is judged before it.

        With `as_of` everything is as it was then: what was found, and in which version. Only the documents' places
        are those of today. All chunks are compared, so it is slower than a search of today.

        Raises:
            WrongUse: the workspace has no such index, or it is still being built; a filter names a page or a
                property that is not there or compares what cannot be compared; or a time is still to come.
            NotRemembered: what the index showed at that time is not known.
            CursorRefused: `after` is not a cursor of this request, or the index has changed since.
        """
        return self.answer(request).results

    def _find(self, question: Question) -> Found:
        request = question.request
        index = request.index or DEFAULT_INDEX
        is_usual = self._build is None and request.as_of is None and request.target is None
        served = (self._workspace_id, index) if is_usual else None
        # By it the question is embedded; where another build serves by now, the snapshot shows it.
        serving = (self._known.get(served) if served else None) or find_serving(
            self._connection, self._workspace_id, index, self._build, request.as_of, request.target
        )
        # Where words may do, a target is asked when they do not.
        is_wanted = wants_meaning(model_named(serving.model), serving.vectors, request)
        wanted, note = max(CANDIDATES, 2 * question.most) if is_wanted else 0, None
        while True:
            asked = None if request.ranking == "lexical" else self._embedded(question, serving)
            near, note = self._near(question, serving, asked, wanted) if note is None else (None, note)
            try:
                # One snapshot for all statements: a publish between them would mix versions.
                with snapshot(self._connection):
                    now = find_serving(
                        self._connection, self._workspace_id, index, self._build, request.as_of, request.target
                    )
                    if served:
                        self._known[served] = now
                    # Another build was promoted meanwhile: its vectors may be another model's.
                    if question.after is not None:
                        question.after.check(now.build, now.published)
                    if now.build == serving.build:
                        found = self._in_snapshot(now, question, asked, near)
                        if now.vectors == 0 and request.as_of is None and self._build is None:
                            found.notes.insert(0, self._nothing_indexed(index))
                        if asked is None and request.ranking != "lexical":
                            found.notes.insert(0, BY_WORDS)
                        if note is not None:
                            found.notes.insert(0, note)
                        target = near.target if near is not None and near.limit else None
                        return replace(found, tokens=asked.tokens if asked else 0, target=target)
            except MoreIsNeeded as needed:
                wanted = needed.limit
                continue
            except psycopg.errors.UndefinedTable as error:
                # Dropping waits for searches that are under way; this one began when the tables had just gone.
                raise WrongUse(f"Build {serving.build} of index '{index}' is being dropped.") from error
            serving = now

    @traced("ask a target")
    def _near(
        self, question: Question, serving: Serving, asked: Meaning | None, limit: int
    ) -> tuple[Near | None, str | None]:
        """What the target finds that is to be asked, before anything of the database waits for it; or why none does."""
        if serving.target is None or asked is None or question.request.as_of is not None:
            return None, None
        if serving.collection is None:
            return None, f"{STOOD_IN}: the target '{serving.target}' is being filled."
        if limit == 0:
            return Near(serving.target, (), 0), None
        try:
            return self._stores.near(serving, asked.numbers, limit), None
        except ArcanaError as error:
            log.warning("target '%s' was not searched: %s", serving.target, error)
            return None, f"{STOOD_IN}: the target '{serving.target}' does not answer (`arcana target list` says why)."

    def _in_snapshot(self, serving: Serving, question: Question, asked: Meaning | None, near: Near | None) -> Found:
        return SnapshotSearch(self._connection, self._workspace_id, serving, question, asked, self._limits, near).run()

    def _nothing_indexed(self, index: str) -> str:
        """What to say of a search in an index that holds nothing: "nothing was found" would be taken for an answer."""
        row = self._connection.execute(
            "SELECT slug FROM workspace WHERE workspace_id = %s", [self._workspace_id]
        ).fetchone()
        slug = row[0] if row else "SLUG"
        return (
            f"Nothing is indexed yet in the index '{index}' of workspace '{slug}' "
            f"(arcana status {slug} says whether a sync is at work): arcana sync {slug}"
        )
