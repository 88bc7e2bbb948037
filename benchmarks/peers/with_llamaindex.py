"""LlamaIndex: NotionPageReader, IngestionPipeline with upserts, PGVectorStore, and a docstore kept in a file.

The docstore is the one that its documentation shows. The one in PostgreSQL is slower: a round trip for each page.

https://developers.llamaindex.ai/python/examples/ingestion/document_management_pipeline/
https://developers.llamaindex.ai/python/framework/module_guides/loading/ingestion_pipeline/
"""

from __future__ import annotations

import time
from typing import Any

from contestant import CHUNK_CHARACTERS, DIMENSIONS, TOKEN, Embedder, report, task
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.readers.notion import NotionPageReader
from llama_index.readers.notion import base as reader_module
from llama_index.vector_stores.postgres import PGVectorStore

CHARACTERS_A_TOKEN = 4


class LocalEmbedding(BaseEmbedding):  # type: ignore[misc]
    """The common embedder as LlamaIndex wants it."""

    _embedder: Embedder = PrivateAttr()

    def __init__(self, embedder: Embedder) -> None:
        super().__init__(embed_batch_size=100)
        self._embedder = embedder

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._embedder.embed(texts).tolist()  # type: ignore[no-any-return]

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


def reader(server: str) -> Any:
    """The reader, pointed at the stand-in, which speaks no API version as old as the reader's."""
    for name in ("BLOCK_CHILD_URL_TMPL", "DATABASE_URL_TMPL", "SEARCH_URL"):
        setattr(reader_module, name, getattr(reader_module, name).replace("https://api.notion.com", server))
    made = NotionPageReader(integration_token=TOKEN)
    made.headers["Notion-Version"] = "2025-09-03"
    return made


def main() -> None:
    """Sync once."""
    given = task()
    embedder = Embedder()
    sync_url = given.database.replace("postgresql://", "postgresql+psycopg2://")
    async_url = given.database.replace("postgresql://", "postgresql+asyncpg://")
    store = PGVectorStore(sync_url, async_url, table_name="chunks", schema_name="public", embed_dim=DIMENSIONS)
    splitter = SentenceSplitter(chunk_size=CHUNK_CHARACTERS // CHARACTERS_A_TOKEN, chunk_overlap=0)
    source = reader(given.server)
    kept = str(given.state / "docstore.json")
    started = time.monotonic()
    docstore = SimpleDocumentStore() if given.phase == "cold" else SimpleDocumentStore.from_persist_path(kept)
    pipeline = IngestionPipeline(
        transformations=[splitter, LocalEmbedding(embedder)],
        vector_store=store,
        docstore=docstore,
        docstore_strategy=DocstoreStrategy.UPSERTS,
        # It would keep every text and vector in memory, for a run in this process that never comes.
        disable_cache=True,
    )
    # `load_all_if_empty` reads the first hundred pages only; a search for nothing lists them all.
    pipeline.run(documents=source.load_data(page_ids=source.search("")))
    docstore.persist(kept)
    report(time.monotonic() - started, embedder.texts)


if __name__ == "__main__":
    main()
