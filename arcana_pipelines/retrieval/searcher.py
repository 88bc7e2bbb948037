"""Searching from a program: one object, many threads or tasks, as many connections as the pool has."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Unpack
from uuid import UUID

import psycopg

from arcana_pipelines import plugins
from arcana_pipelines.caching.caches import Tenant
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.errors import DatabaseUnreachable, WrongUse
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.retrieval.filters import Limits
from arcana_pipelines.retrieval.limits import check_text, told
from arcana_pipelines.retrieval.near import listed
from arcana_pipelines.retrieval.query_embedders import QueryEmbedders
from arcana_pipelines.retrieval.reranking.protocol import Reranker
from arcana_pipelines.retrieval.reranking.registry import open_reranker
from arcana_pipelines.retrieval.results import Results
from arcana_pipelines.retrieval.search_request import SearchOptions, SearchRequest, request_of
from arcana_pipelines.retrieval.serving import Serving
from arcana_pipelines.retrieval.several import checked_workspaces, search_workspaces
from arcana_pipelines.retrieval.target_stores import TargetStores
from arcana_pipelines.retrieval.whole_document import Document, find_document
from arcana_pipelines.retrieval.workspace_named import workspace_named
from arcana_pipelines.settings import Settings, load_settings

if TYPE_CHECKING:
    from arcana_pipelines.retrieval.file_searcher import FileSearcher

log = logging.getLogger(__name__)


class Searcher:
    """Searches one index of one workspace, or of several. Share one between threads and tasks, and keep it.

        with Searcher("handbook") as searcher:
            for hit in searcher.search("vacation days in Berlin", k=5).hits:
                print(hit.score, hit.title, hit.link)

    Nothing outside its workspaces can be reached through it. It opens nothing before the first search: make it before
    or after a process forks, but search after. Closing it ends its connections.
    """

    def __init__(
        self,
        workspace: str | None = None,
        index: str = DEFAULT_INDEX,
        settings: Settings | None = None,
        *,
        workspaces: Sequence[str] = (),
        database: Database | None = None,
        reranker: Reranker | None = None,
        embedders: QueryEmbedders | None = None,
        limits: Mapping[str, Limits] | None = None,
        tenants: Mapping[str, Tenant] | None = None,
        stores: TargetStores | None = None,
    ) -> None:
        """A searcher of the workspace with this slug, or of several.

        Args:
            workspace: the slug, as in `arcana search SLUG`.
            index: which of the workspace's indexes; of several workspaces, that of each.
            settings: where the database, the embedding model and the reranker are; None: the environment says.
                `Settings(database_url="postgresql://…")` names a database and takes the rest from the environment.
            workspaces: the slugs of several, at most 20, in place of one.
            database: a pool to share with other searchers, with its own settings. It is not closed with this one.
            reranker: another one than the settings name.
            embedders: models that embed queries, to share with other searchers.
            limits: by slug, filters that hold beside those of each request, for who may find no more. Whole documents
                are not read then.
            tenants: by slug, whose the workspaces are, where somebody has looked already.
            stores: of targets, to share with other searchers. They are not closed with this one.

        Raises:
            InvalidSetting: a variable of the environment is malformed.
            WrongUse: neither a workspace nor several are named, or both.
        """
        if (workspace is None) == (not workspaces):
            raise WrongUse("Name the workspace to search, or several as workspaces, and not both.")
        self._owns_database = database is None
        self._database = database or Database(settings or load_settings(), only_searches=True)
        self._settings = settings or self._database.settings
        self._slugs = [workspace] if workspace is not None else checked_workspaces(workspaces)
        self._index = index
        self._embedders = embedders or QueryEmbedders(self._settings)
        self._reranker = reranker or open_reranker(self._settings)
        self._limits = limits or {}
        self._tenants = tenants or {}
        self._stores = stores or TargetStores(self._settings)
        self._owns_stores = stores is None
        self._known: dict[tuple[UUID, str], Serving] = {}
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        self._is_ready = False
        self._is_closed = False

    @classmethod
    def from_file(
        cls,
        file: Path | str,
        index: str | None = None,
        settings: Settings | None = None,
        *,
        embedders: QueryEmbedders | None = None,
        reranker: Reranker | None = None,
    ) -> FileSearcher:
        """A searcher of a file that `arcana export SLUG --sqlite FILE` made, or of a SQLite target's. It asks no
        PostgreSQL, and no network where the index's model runs here. The file is read to its end, once, and refused
        where it is not whole.

        Args:
            file: its path.
            index: which index, in a target's file that has several; None: the one that there is, or `default`.
            settings: where the embedding model and the reranker are; None: the environment says.
            embedders: models that embed queries, to share with other searchers.
            reranker: another one than the settings name.

        Raises:
            IndexFileRefused: there is no such file, it is no index of ours, is damaged, or of a newer release.
            WrongUse: it has no such index, it keeps no texts, or the extra `sqlite` is not installed.
            InvalidSetting: a variable of the environment is malformed.
        """
        with plugins.optional("An index in a file", "sqlite"):
            from arcana_pipelines.retrieval.file_searcher import FileSearcher
        return FileSearcher(Path(file), index, settings, embedders, reranker)

    def search(self, query: SearchRequest | str, k: int | None = None, **options: Unpack[SearchOptions]) -> Results:
        """The best chunks for a request, best first; no hits for a query without a word in it.

        `search("vacation days", k=5)` is short for `search(SearchRequest("vacation days", k=5))`.

        A search that is under way when the server drops the connection is made once more, over a new one. More
        searches at once than the pool has connections wait for each other, 30 seconds at most.

        Args:
            query: a request; or its query, with its other fields by name.
            k: hits, when `query` is not a request.
            options: the other fields of a `SearchRequest`, when `query` is not a request.

        Raises:
            UnknownWorkspace: there is no such workspace (any more). Of several, those that cannot be searched are in
                `Results.not_searched`, as long as one can.
            WrongUse: there is no installation, the workspace has no such index, it is still being built, an argument
                cannot be, the schema is of another release, a filter is empty or names a page or property that is
                not there, or the searcher is closed.
            NotRemembered: what the index showed at `as_of` is not known.
            CursorRefused: `after` is not a cursor of this request, or the index has changed since: search again.
            DatabaseUnreachable: the database does not answer, or no connection gets free.
            InvalidSetting: the index's model needs a key that is not set.
        """
        request = self._checked(request_of(query, k, options))
        self._make_ready()
        try:
            return self._search(request)
        except _Dropped as dropped:
            log.warning("the connection was dropped in the middle of a search; searching once more: %s", dropped)
            # A server that restarts ends one session after the other: those that still answer are about to go, too.
            self._database.pool.close()
        try:
            return self._search(request)
        except _Dropped as dropped:
            raise DatabaseUnreachable(f"The database dropped the connection twice: {dropped}.") from dropped

    def search_over(self, connection: Connection, request: SearchRequest) -> Results:
        """The same over a connection of the caller's, to a server with the same database: a replica of it. It is made
        once, whatever becomes of the connection.

        Raises:
            ArcanaError: see `search`.
            psycopg.Error: the connection ended, or the server ended the search.
        """
        return search_workspaces(partial(self._searcher_of, connection), self._slugs, self._checked(request))

    def document(
        self,
        document: str,
        workspace: str | None = None,
        *,
        as_of: datetime | None = None,
        version: int | None = None,
    ) -> Document:
        """A whole document, in the version that the index serves, or in one that it served.

        Args:
            document: the id that a hit has (`document_id` or `external_id`), an address from Notion, or an exact title.
            workspace: which of several workspaces has it, as `Hit.workspace` says; without it, the first that has.
            as_of: in the version that was served at that time.
            version: in the version of this number.

        Raises:
            UnknownDocument: there is none, several have this title, or the index does not serve it.
            NotRemembered: what the index showed at that time, or that version, is not known any more.
            WrongUse: the workspace is not one of the searcher's, the time is still to come, or both a time and a
                version are given.
            ArcanaError: see `search`.
        """
        check_text("The document", document)
        if any(self._limits.values()):
            raise WrongUse("This searcher finds passages of some documents alone, and reads none as a whole.")
        if workspace is not None and workspace not in self._slugs:
            raise WrongUse(f"This searcher does not search a workspace {told(workspace)}, only {listed(self._slugs)}.")
        slugs = self._slugs if workspace is None else [workspace]
        for slug in slugs:
            check_text("The workspace's name", slug)
        self._make_ready()
        refusal: WrongUse | None = None
        with self._database.connection() as connection:
            for slug in slugs:
                try:
                    workspace_id = workspace_named(connection, slug)
                    return find_document(connection, workspace_id, document, self._index, as_of=as_of, version=version)
                except WrongUse as error:
                    refusal = refusal or error
        assert refusal is not None
        raise refusal

    async def asearch(
        self, query: SearchRequest | str, k: int | None = None, **options: Unpack[SearchOptions]
    ) -> Results:
        """The same as `search`, in a thread, so that the event loop goes on. There are as many threads as connections.

        A search whose task is cancelled ends in its thread, and its connection goes back to the pool.
        """
        request = request_of(query, k, options)
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._threads(), context.run, self.search, request)

    def close(self) -> None:
        """Wait for searches that are under way in threads of `asearch`, and close the connections."""
        with self._lock:
            self._is_closed = True
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(cancel_futures=True)
        if self._owns_stores:
            self._stores.close()
        if self._owns_database:
            self._database.close()

    def __enter__(self) -> Searcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _checked(self, request: SearchRequest) -> SearchRequest:
        for slug in self._slugs:
            check_text("The workspace's name", slug)
        check_text("The name of the index", self._index)
        return replace(request, index=self._index) if request.index is None else request

    def _make_ready(self) -> None:
        """Open the pool, once, and refuse a schema of another release."""
        with self._lock:
            self._refuse_when_closed()
            if not self._is_ready:
                require_current(self._database)
                self._is_ready = True

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            self._refuse_when_closed()
            if self._executor is None:
                settings = self._database.settings
                most = settings.database_pool_size + settings.database_max_overflow
                self._executor = ThreadPoolExecutor(most, thread_name_prefix="arcana-search")
            return self._executor

    def _refuse_when_closed(self) -> None:
        if self._is_closed:
            raise WrongUse(f"This searcher of workspace {listed(self._slugs)} is closed: make another.")

    def _searcher_of(self, connection: Connection, slug: str) -> ConnectionSearcher:
        tenant = self._tenants.get(slug)
        return ConnectionSearcher(
            connection,
            self._settings,
            tenant.workspace_id if tenant else workspace_named(connection, slug),
            embedders=self._embedders,
            reranker=self._reranker,
            limits=self._limits.get(slug, ()),
            known=self._known,
            tenant=tenant,
            stores=self._stores,
        )

    def _search(self, request: SearchRequest) -> Results:
        with self._database.connection() as connection:
            try:
                return search_workspaces(partial(self._searcher_of, connection), self._slugs, request)
            except psycopg.Error as error:
                if connection.closed:
                    raise _Dropped(str(error).strip()) from error
                raise


class _Dropped(Exception):
    """The server ended the connection."""
