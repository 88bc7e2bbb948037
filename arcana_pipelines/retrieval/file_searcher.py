"""Searching an index in a file, without PostgreSQL: `Searcher.from_file`."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Unpack

import apsw

from arcana_pipelines.embedding.registry import unusable
from arcana_pipelines.errors import IndexFileRefused, UnknownDocument, WrongUse
from arcana_pipelines.indexes.index_file.check import check
from arcana_pipelines.indexes.index_file.file import has_files, open_to_read, said
from arcana_pipelines.lexical.analysis import is_word
from arcana_pipelines.retrieval.answering import BY_WORDS, Answering
from arcana_pipelines.retrieval.file_search import FileCollection, FileSearch, find_in_file, served_collection
from arcana_pipelines.retrieval.limits import check_text
from arcana_pipelines.retrieval.query_embedders import QueryEmbedders
from arcana_pipelines.retrieval.ranked_search import Found, Question
from arcana_pipelines.retrieval.reranking.protocol import Reranker
from arcana_pipelines.retrieval.reranking.registry import open_reranker
from arcana_pipelines.retrieval.results import Results
from arcana_pipelines.retrieval.search_request import SearchOptions, SearchRequest, request_of
from arcana_pipelines.retrieval.whole_document import Document, document_of
from arcana_pipelines.settings import Settings, load_settings

log = logging.getLogger(__name__)

_DOCUMENT = (
    "document_id", "external_id", "kind", "title", "url", "path", "version", "last_edited_at", "published_at", "text",
    "properties",
)  # fmt: skip

_FILE = (
    "SELECT f.mime_type, f.page_external_id, f.page_title, f.page_url, same.text FROM files f "
    "LEFT JOIN documents same ON same.collection_id = f.collection_id AND same.document_id = f.copy_of "
    "WHERE f.collection_id = ? AND f.document_id = ?"
)
_WITHOUT_TEXT = "SELECT 1 FROM document_chunks WHERE collection_id = ? AND text IS NULL LIMIT 1"


class FileSearcher(Answering):
    """Searches one index in a file of `arcana export SLUG --sqlite FILE`. Share one between threads and tasks.

        with Searcher.from_file("handbook.sqlite") as searcher:
            for hit in searcher.search("vacation days in Berlin", k=5).hits:
                print(hit.score, hit.title, hit.link)

    Each search sees the file as it is at one moment, also while an export renews it.
    """

    def __init__(
        self,
        file: Path,
        index: str | None = None,
        settings: Settings | None = None,
        embedders: QueryEmbedders | None = None,
        reranker: Reranker | None = None,
    ) -> None:
        """See `Searcher.from_file`."""
        settings = settings or load_settings()
        self._file = file
        self._index = index
        self._lock = threading.Lock()
        self._waiting: list[tuple[int, apsw.Connection]] = []
        self._words: tuple[FileCollection, list[str]] | None = None
        self._is_closed = False
        with self._reading() as connection:
            check(connection, file)
            collection = served_collection(connection, index)
            if connection.execute(_WITHOUT_TEXT, (collection.number,)).get:
                raise WrongUse(
                    f"The file {file} keeps no texts: its target was added with --without-text. Make one that does: "
                    f"arcana export {collection.workspace} --sqlite FILE"
                )
        super().__init__(
            collection.workspace_id, embedders or QueryEmbedders(settings), reranker or open_reranker(settings)
        )
        if problem := unusable(settings, collection.serving.model):
            log.warning("%s: by words alone, as long as this is so: %s", file, problem)

    def search(self, query: SearchRequest | str, k: int | None = None, **options: Unpack[SearchOptions]) -> Results:
        """The best chunks for a request, as `Searcher.search` gives them.

        Without what the index's model needs here (its weights, a key), words alone are searched; a note says so.

        Raises:
            WrongUse: the file has no such index, an argument cannot be, a filter is not one that files answer, the past
                or a target is asked for, or the searcher is closed.
            CursorRefused: `after` is not a cursor of this request, or the file has changed since.
            IndexFileRefused: the file cannot be read (any more).
        """
        request = request_of(query, k, options)
        if request.as_of is not None or request.target is not None:
            raise WrongUse("A file has one state and no targets: leave out as_of and target.")
        return self.answer(replace(request, index=request.index or self._index)).results

    async def asearch(
        self, query: SearchRequest | str, k: int | None = None, **options: Unpack[SearchOptions]
    ) -> Results:
        """The same as `search`, in a thread, so that the event loop goes on."""
        return await asyncio.to_thread(self.search, request_of(query, k, options))

    def document(self, document: str) -> Document:
        """A whole document, in the version that the file has.

        Args:
            document: the id that a hit has (`document_id` or `external_id`), an address from Notion, or an exact title.

        Raises:
            UnknownDocument: there is none, or several have this title.
            IndexFileRefused: the file cannot be read (any more).
        """
        check_text("The document", document)
        statement = f"SELECT {', '.join(_DOCUMENT)} FROM documents WHERE collection_id = ?1 AND "
        row: Any
        with self._reading() as connection:
            collection = served_collection(connection, self._index)
            key = (collection.number, document.strip())
            row = connection.execute(f"{statement} document_id = ?2", key).fetchone()
            if row is None:
                try:
                    place = find_in_file(connection, collection.number, document)
                except WrongUse as error:
                    raise UnknownDocument(str(error)) from error
                key = (collection.number, place.external_id)
                row = connection.execute(f"{statement} external_id = ?2", key).fetchone()
            facts = dict(zip(_DOCUMENT, row, strict=True))
            if facts["kind"] == "file" and has_files(connection):
                facts |= _of_file(connection, collection.number, facts)
        return document_of(
            {
                **facts,
                "workspace": collection.workspace,
                "published_at": datetime.fromisoformat(facts["published_at"]),
                "properties": json.loads(facts["properties"] or "{}"),
            }
        )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._is_closed = True
            waiting, self._waiting = self._waiting, []
        for _, connection in waiting:
            connection.close()

    def __enter__(self) -> FileSearcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _find(self, question: Question) -> Found:
        with self._reading() as connection:
            collection = served_collection(connection, question.request.index)
        while True:
            # While nothing of the file is held: a provider may take seconds.
            asked, note = None, None
            if question.request.ranking != "lexical":
                try:
                    asked = self._embedded(question, collection.serving)
                    note = BY_WORDS if asked is None else None
                except WrongUse as error:
                    note = f"Words alone were searched, without what they mean. {error}"
            with self._reading() as connection:
                now = served_collection(connection, question.request.index)
                if question.after is not None:
                    question.after.check(now.serving.build, now.serving.published)
                if now.serving.build == collection.serving.build:
                    words = partial(self._vocabulary, connection, now)
                    found = FileSearch(connection, now, question, asked, words).run()
                    if note is not None:
                        found.notes.insert(0, note)
                    return replace(found, tokens=asked.tokens if asked else 0)
            collection = now

    def _vocabulary(self, connection: apsw.Connection, collection: FileCollection) -> list[str]:
        """The words of a collection, read once as long as it does not change."""
        if self._words is None or self._words[0] != collection:
            words = f"words_of_{collection.number}"
            connection.execute(
                f"CREATE VIRTUAL TABLE IF NOT EXISTS temp.{words} USING "
                f"fts5vocab('main', 'words_{collection.number}', 'row')"
            )
            found: Iterable[Any] = connection.execute(f"SELECT term FROM temp.{words}")
            self._words = (collection, [word for (word,) in found if is_word(word)])
        return self._words[1]

    @contextmanager
    def _reading(self) -> Iterator[apsw.Connection]:
        """A connection that sees the file as it is now, until the block ends."""
        number, connection = self._connection()
        try:
            connection.execute("BEGIN")
            yield connection
        except apsw.Error as error:
            connection.close()
            raise IndexFileRefused(said(self._file, error)) from error
        except BaseException:
            connection.close()
            raise
        connection.execute("COMMIT")
        with self._lock:
            if not self._is_closed:
                self._waiting.append((number, connection))
                return
        connection.close()

    def _connection(self) -> tuple[int, apsw.Connection]:
        """One that waits; or a new one, also where another file has taken this one's place."""
        try:
            number = self._file.stat().st_ino
        except OSError:
            number = 0
        with self._lock:
            if self._is_closed:
                raise WrongUse(f"This searcher of {self._file} is closed: make another.")
            while self._waiting:
                of, connection = self._waiting.pop()
                if of == number:
                    return number, connection
                connection.close()
        return number, open_to_read(self._file)


def _of_file(connection: apsw.Connection, number: int, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a document that is a file has besides: its text may be that of another one with the same bytes."""
    found: list[Any] = connection.execute(_FILE, (number, facts["document_id"])).fetchall()
    for mime_type, external_id, title, url, text in found:
        page = {"page_external_id": external_id, "page_title": title, "page_url": url}
        return {"file": {"mime_type": mime_type}, "text": facts["text"] or text or facts["text"], **page}
    return {}
