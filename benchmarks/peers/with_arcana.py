"""Arcana: a sync as a run executes it, without Dagster around it."""

from __future__ import annotations

import os
import time
from importlib import import_module

from contestant import AT_ONCE, TOKEN, Task, report, task

from arcana_pipelines.chunking.chunker import chunk_document
from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.chunking.tokens import vocabulary
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.schema import upgrade
from arcana_pipelines.embedding.catalogue import SMALL_MODEL
from arcana_pipelines.embedding.registry import model_of, open_embedder
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.pipeline import registration
from arcana_pipelines.pipeline.session import workspace_session
from arcana_pipelines.pipeline.sync import SyncRequest, sync
from arcana_pipelines.settings import load_settings

SLUG = "peers"


def configure(given: Task) -> None:
    """Set the environment that the settings are read from."""
    os.environ.update(
        ARCANA_HOME=str(given.state),
        DATABASE_URL=given.database,
        NOTION_TOKEN=TOKEN,
        NOTION_BASE_URL=given.server,
        NOTION_REQUESTS_PER_MINUTE="0",
        MAX_CONCURRENT_REQUESTS=str(AT_ONCE),
        EMBEDDING_PROVIDER="local-small",
    )


def start_up(database: Database) -> None:
    """Load what a first sync would: what reads and cuts pages, the model, and the vocabulary of the chunker."""
    for module in ("documents.contents", "pipeline.cutting"):
        import_module(f"arcana_pipelines.{module}")
    open_embedder(database.settings, *model_of(database.settings)).embed(["Start up."])
    chunk_document({"title": "Start up.", "text": "Start up."}, ChunkerSettings(), vocabulary(SMALL_MODEL))


def main() -> None:
    """Sync once."""
    given = task()
    configure(given)
    database = Database(load_settings())
    settings = database.settings
    if given.phase == "cold":
        upgrade(database)
        index = IndexSettings(*model_of(settings), ChunkerSettings())
        registration.register(database, SLUG, "notion", index, lambda _: None, lambda _: None)
    start_up(database)
    with workspace_session(database, SLUG) as session:
        session.source.traffic()  # it is opened when it is first needed, and its libraries are loaded then
        started = time.monotonic()
        synced = sync(session, SyncRequest())
        report(time.monotonic() - started, synced.embeddings.computed)
    database.close()


if __name__ == "__main__":
    main()
