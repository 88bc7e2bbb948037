"""LangChain: NotionDBLoader, `index()` with incremental clean-up, PGVectorStore, its record manager in PostgreSQL.

https://reference.langchain.com/python/langchain-core/indexing
https://docs.langchain.com/oss/python/integrations/vectorstores/pgvectorstore
"""

from __future__ import annotations

import time
from typing import Any

from contestant import CHUNK_CHARACTERS, DIMENSIONS, TOKEN, Embedder, report, task
from langchain_classic.indexes import SQLRecordManager
from langchain_community.document_loaders import NotionDBLoader, notiondb
from langchain_core.embeddings import Embeddings
from langchain_core.indexing import index
from langchain_postgres import PGEngine, PGVectorStore
from langchain_text_splitters import RecursiveCharacterTextSplitter

TABLE = "chunks"


class LocalEmbeddings(Embeddings):
    """The common embedder as LangChain wants it."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed a batch."""
        return self._embedder.embed(texts).tolist()  # type: ignore[no-any-return]

    def embed_query(self, text: str) -> list[float]:
        """Embed one text."""
        return self.embed_documents([text])[0]


class NotionSearchLoader(NotionDBLoader):  # type: ignore[misc]
    """NotionDBLoader for all pages instead of one database's: it lists by search, and reads pages as it does.

    Pointed at the stand-in, which speaks no API version as old as the loader's.
    """

    def __init__(self, server: str) -> None:
        super().__init__(TOKEN, database_id="none")
        self.headers["Notion-Version"] = "2025-09-03"
        self._search = f"{server}/v1/search"
        notiondb.BLOCK_URL = f"{server}/v1/blocks/{{block_id}}/children"

    def _retrieve_page_summaries(self, query_dict: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        asked: dict[str, Any] = {"page_size": 100, "filter": {"property": "object", "value": "page"}}
        pages: list[dict[str, Any]] = []
        while True:
            answer = self._request(self._search, method="POST", query_dict=asked)
            pages += answer["results"]
            if not answer["has_more"]:
                return pages
            asked["start_cursor"] = answer["next_cursor"]


def main() -> None:
    """Sync once."""
    given = task()
    embedder = Embedder()
    engine = PGEngine.from_connection_string(given.database.replace("postgresql://", "postgresql+asyncpg://"))
    record_url = given.database.replace("postgresql://", "postgresql+psycopg://")
    record_manager = SQLRecordManager("notion", db_url=record_url)
    if given.phase == "cold":
        record_manager.create_schema()
        engine.init_vectorstore_table(TABLE, DIMENSIONS)
    store = PGVectorStore.create_sync(engine, LocalEmbeddings(embedder), TABLE)
    splitter = RecursiveCharacterTextSplitter(chunk_size=CHUNK_CHARACTERS, chunk_overlap=0)
    loader = NotionSearchLoader(given.server)
    started = time.monotonic()
    pieces = splitter.split_documents(loader.load())
    index(pieces, record_manager, store, cleanup="incremental", source_id_key="id")
    report(time.monotonic() - started, embedder.texts)


if __name__ == "__main__":
    main()
