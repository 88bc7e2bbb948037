"""CocoIndex 1.x: memoised functions, its PostgreSQL target, and a source written for this comparison.

It has a Notion target but no Notion source. The one here is as good as its model allows: pages are listed with
their edit times, and only those are read whose title or time is another than in the last update.

https://cocoindex.io/docs/programming_guide/processing_component
https://cocoindex.io/docs/connectors/postgres
https://cocoindex.io/docs/ops/sentence_transformers (its embedder, which this one is modelled on)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

import aiohttp
import asyncpg
import cocoindex as coco
import numpy as np
from cocoindex.connectors import postgres
from cocoindex.ops.text import RecursiveSplitter
from cocoindex.resources.chunk import Chunk
from cocoindex.resources.id import IdGenerator
from cocoindex.resources.schema import VectorSchema
from contestant import AT_ONCE, CHUNK_CHARACTERS, DIMENSIONS, TOKEN, Embedder, report, task
from numpy.typing import NDArray

HEADERS = {"Authorization": f"Bearer {TOKEN}", "Notion-Version": "2026-03-11"}
# Its splitter counts bytes: a character of this corpus, two fifths of which are Korean, has one and a half.
CHUNK_BYTES = CHUNK_CHARACTERS * 3 // 2
DATABASE = coco.ContextKey[asyncpg.Pool]("database")
HTTP = coco.ContextKey[aiohttp.ClientSession]("http")

given = task()
embedder = Embedder()
splitter = RecursiveSplitter()


@coco.lifespan
async def lifespan(builder: coco.EnvironmentBuilder) -> AsyncIterator[None]:
    """The connections that an update works with."""
    builder.settings.db_path = given.state / "cocoindex"
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with (
        asyncpg.create_pool(given.database) as pool,
        aiohttp.ClientSession(given.server, headers=HEADERS, connector=connector) as http,
    ):
        builder.provide(DATABASE, pool)
        builder.provide(HTTP, http)
        yield


@dataclass(frozen=True)
class PageRef:
    """A listed page: what it is memoised by."""

    page: str
    title: str
    edited: str


@dataclass
class Row:
    """A chunk in the target table."""

    id: int
    page: str
    content: str
    embedding: Annotated[NDArray[np.float32], VectorSchema(np.dtype(np.float32), DIMENSIONS)]


async def listed() -> AsyncIterator[tuple[str, PageRef]]:
    """All pages by id."""
    body: dict[str, Any] = {"page_size": 100, "filter": {"property": "object", "value": "page"}}
    while True:
        async with coco.use_context(HTTP).post("/v1/search", json=body) as answer:
            found = await answer.json()
        for page in found["results"]:
            title = "".join(part["plain_text"] for part in page["properties"]["title"]["title"])
            yield page["id"], PageRef(page["id"], title, page["last_edited_time"])
        if not found["has_more"]:
            return
        body["start_cursor"] = found["next_cursor"]


@coco.fn.as_async(batching=True, max_batch_size=64)
def embed_batch(texts: list[str]) -> list[NDArray[np.float32]]:
    """Concurrent calls with one text each arrive here together."""
    return list(embedder.embed(texts))


@coco.fn(memo=True)
async def embed(text: str) -> NDArray[np.float32]:
    """Embed one text, once."""
    return await embed_batch(text)  # type: ignore[arg-type, return-value]


@coco.fn
async def process_chunk(chunk: Chunk, page: str, ids: IdGenerator, table: postgres.TableTarget[Row]) -> None:
    """Declare one row."""
    number = await ids.next_id(chunk.text)
    table.declare_row(row=Row(number, page, chunk.text, await embed(chunk.text)))


@coco.fn(memo=True)
async def process_page(ref: PageRef, table: postgres.TableTarget[Row]) -> None:
    """Read one page and declare its rows; not run for a page that is as it was."""
    path = f"/v1/pages/{ref.page}/markdown"
    async with coco.use_context(HTTP).get(path, params={"markdown_version": "v2"}) as answer:
        text = f"# {ref.title}\n\n{(await answer.json())['markdown']}"
    chunks = splitter.split(text, chunk_size=CHUNK_BYTES, chunk_overlap=0, language="markdown")
    await coco.map(process_chunk, chunks, ref.page, IdGenerator(), table)


@coco.fn
async def app_main() -> None:
    """The table as a function of the pages."""
    schema = await postgres.TableSchema.from_class(Row, primary_key=["id"])
    table = await postgres.mount_table_target(DATABASE, "chunks", schema)
    await coco.mount_each(process_page, listed(), table)


app = coco.App("Notion", app_main)


async def main() -> None:
    """Sync once."""
    async with coco.runtime():
        started = time.monotonic()
        await app.update()
        report(time.monotonic() - started, embedder.texts)


if __name__ == "__main__":
    asyncio.run(main())
