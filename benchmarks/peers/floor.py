"""The floor: list, fetch 32 at a time, chunk, embed, COPY. It keeps nothing, so each sync is a cold one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import aiohttp
import psycopg
from contestant import AT_ONCE, CHUNK_CHARACTERS, DIMENSIONS, TOKEN, Embedder, report, task
from pgvector.psycopg import register_vector

HEADERS = {"Authorization": f"Bearer {TOKEN}", "Notion-Version": "2026-03-11"}
TABLE = (
    "CREATE EXTENSION IF NOT EXISTS vector; "
    f"CREATE TABLE chunks (page text, position int, content text, embedding vector({DIMENSIONS}))"
)


async def listed(http: aiohttp.ClientSession) -> AsyncIterator[tuple[str, str]]:
    """Id and title of all pages."""
    body = {"page_size": 100, "filter": {"property": "object", "value": "page"}}
    while True:
        async with http.post("/v1/search", json=body) as answer:
            found = await answer.json()
        for page in found["results"]:
            yield page["id"], "".join(part["plain_text"] for part in page["properties"]["title"]["title"])
        if not found["has_more"]:
            return
        body["start_cursor"] = found["next_cursor"]


async def fetched(server: str) -> list[tuple[str, str]]:
    """Id and Markdown of all pages, with the title above."""
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(server, headers=HEADERS, connector=connector) as http:

        async def fetch(page: str, title: str) -> tuple[str, str]:
            async with http.get(f"/v1/pages/{page}/markdown", params={"markdown_version": "v2"}) as answer:
                return page, f"# {title}\n\n{(await answer.json())['markdown']}"

        return await asyncio.gather(*[asyncio.create_task(fetch(*page)) async for page in listed(http)])


def chunked(text: str) -> list[str]:
    """Whole lines up to the size of a chunk."""
    chunks = [""]
    for line in text.splitlines(keepends=True):
        if chunks[-1] and len(chunks[-1]) + len(line) > CHUNK_CHARACTERS:
            chunks.append("")
        chunks[-1] += line
    return chunks


def sync(connection: psycopg.Connection, server: str, embedder: Embedder) -> None:
    """Copy all there is."""
    chunks = [
        (page, position, chunk)
        for page, text in asyncio.run(fetched(server))
        for position, chunk in enumerate(chunked(text))
    ]
    vectors = embedder.embed([chunk for _, _, chunk in chunks])
    with connection.cursor().copy("COPY chunks FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["text", "int4", "text", "vector"])
        for chunk, vector in zip(chunks, vectors, strict=True):
            copy.write_row((*chunk, vector))
    connection.commit()


def main() -> None:
    """Sync once."""
    given = task()
    embedder = Embedder()
    with psycopg.connect(given.database) as connection:
        connection.execute(TABLE)
        connection.commit()
        register_vector(connection)
        started = time.monotonic()
        sync(connection, given.server, embedder)
        report(time.monotonic() - started, embedder.texts)


if __name__ == "__main__":
    main()
