"""A workspace under test: sync it, look into its index, compare it with the world's truth."""

from __future__ import annotations

import hashlib
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import psycopg
from pydantic import SecretStr

from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.embedding.protocol import OpenEmbedder
from arcana_pipelines.ledger import generations
from arcana_pipelines.ledger.generations import Generation
from arcana_pipelines.operations.reports import counts_agree, served_counts
from arcana_pipelines.pipeline.session import Session, workspace_session
from arcana_pipelines.pipeline.sync import SyncRequest, fill, sync
from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.retrieval.results import Hit
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.retrieval.workspace_named import workspace_named
from arcana_pipelines.sources.client import Patience, fingerprint
from arcana_pipelines.sources.file_rules import FileRules
from arcana_pipelines.sources.limiter import RateLimiter
from arcana_pipelines.sources.notion.api import NotionApi
from arcana_pipelines.sources.notion.source import NotionSource
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.indexed_workspace import IndexedWorkspace

TWO_MINUTES = timedelta(minutes=2).total_seconds()


@dataclass
class Harness(IndexedWorkspace):
    """One registered workspace, its world and its server."""

    open_embedder: OpenEmbedder | None = None
    comments: bool = False
    files: FileRules | None = None

    def sync(self, mode: Mode = Mode.INCREMENTAL, allow_removals: int = 0, retention_days: int = 30) -> dict[str, Any]:
        """A sync as a run executes it; returns what `arcana sync --json` prints, without seconds and run id."""
        self.server.reset_log()
        with self.session(retention_days) as session:
            report = sync(session, SyncRequest(mode, allow_removals=allow_removals))
            generation = Generation(session.workspace.workspace_id, report.generation, Mode(report.mode))
            noted = generations.counters(session.connection, generation)
            assert noted.listed == report.pages.enumerated, "the ledger lost pages that were listed"
            assert report.pages.is_balanced
            assert counts_agree(served_counts(session.connection, session.workspace.workspace_id))
        return report.as_dict()

    def fill(self) -> None:
        """A run that lists nothing: new builds are filled."""
        with self.session() as session:
            fill(session)

    def session(self, retention_days: int = 30) -> AbstractContextManager[Session]:
        """The workspace, locked, with this harness's source and embedder."""
        return workspace_session(
            self.database,
            self.slug,
            settings=self.database.settings.model_copy(update={"retention_days": retention_days}),
            open_source=lambda workspace, database: self.source(),
            open_embedder=self.open_embedder,
        )

    def source(self) -> NotionSource:
        token = SecretStr(self.world.token)
        limiter = RateLimiter(self.database, fingerprint(token), 0, sleep=self.sleep_through)
        return NotionSource(
            NotionApi(token, self.server.base_url, limiter, Patience(timeout=5.0)), self.comments, self.files
        )

    def sleep_through(self, seconds: float) -> None:
        """Make every pause that a server asked for shorter by the time that somebody would sleep."""
        with self.database.connection() as connection:
            connection.execute(
                "UPDATE source_limit SET paused_until = paused_until - make_interval(secs => %s)", [seconds]
            )

    def settle(self) -> None:
        """Let so much time pass in the world that no edit minute is open."""
        self.world.clock.advance(2 * TWO_MINUTES)

    def search(self, query: str, k: int = 10, index: str = "default") -> list[Hit]:
        """Whatever is nearest, also where it is no answer: what may not be found is looked for in all that may."""
        with self.reader() as connection:
            workspace_id = workspace_named(connection, self.slug)
            searcher = ConnectionSearcher(connection, self.database.settings, workspace_id)
            return searcher.search(SearchRequest(query, k, index=index, min_score=0.0)).hits

    def reader(self) -> Connection:
        """A connection of the role that may search and nothing else."""
        return self.connected_as(lease.READER)

    def superuser(self) -> Connection:
        """A connection that may do what no role of ours may."""
        return self.connected_as(lease.SUPERUSER)

    def connected_as(self, role: str) -> Connection:
        return psycopg.connect(self.database.url.replace(f"{lease.WRITER}@", f"{role}@"), autocommit=True)

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.database.connection() as connection:
            return connection.execute(statement, parameters).fetchall()

    def published(self) -> dict[str, str]:
        """What a search can reach of pages, by page: the texts of its chunks in order."""
        found: dict[str, list[str]] = {}
        for external_id, text in self.rows(
            "SELECT c.contents->>'external_id', k.chunk_content FROM document_chunk k "
            "JOIN rag_indexes i ON i.active_build_id = k.rag_index_build_id "
            "JOIN workspace w USING (workspace_id) JOIN document_content c USING (document_content_id) "
            "WHERE w.slug = %s AND k.deleted_at IS NULL AND c.contents->>'kind' <> 'file' ORDER BY 1, k.position",
            self.slug,
        ):
            found.setdefault(external_id, []).append(text)
        return {page: "\n".join(texts) for page, texts in found.items()}

    def version(self, page: str) -> int:
        ((version,),) = self.rows(
            "SELECT c.version FROM source_page p JOIN workspace w USING (workspace_id) "
            "JOIN document d USING (document_id) "
            "JOIN document_content c ON c.document_content_id = d.latest_content_id "
            "WHERE w.slug = %s AND p.external_id = %s",
            self.slug,
            page,
        )
        return int(version)

    def page_state(self, page: str) -> tuple[str, str | None]:
        ((state, reason),) = self.rows(
            "SELECT state, reason FROM source_page p JOIN workspace w USING (workspace_id) "
            "WHERE w.slug = %s AND external_id = %s",
            self.slug,
            page,
        )
        return state, reason

    def assert_matches_world(self) -> None:
        """Exactly the visible pages are published, and every word a person sees on them."""
        published = self.published()
        assert set(published) == set(self.world.visible_pages())
        for page, text in published.items():
            held = set(words(text))
            for piece in self.world.visible_text(page):
                missing = set(words(piece)) - held
                assert not missing, f"page {page} lost {sorted(missing)} of {piece!r}"

    def checksum(self) -> str:
        """Everything that a reader can reach of pages, without ids and times of our own (a file's is one)."""
        rows = self.rows(
            "SELECT c.contents->>'external_id', c.version, k.position, k.chunk_content, k.heading_path::text, "
            "encode(k.text_hash, 'hex'), md5(k.chunk_embedding::text), md5(t.terms::text), t.keys "
            "FROM document_chunk k JOIN rag_indexes i ON i.active_build_id = k.rag_index_build_id "
            "JOIN workspace w USING (workspace_id) JOIN document_content c USING (document_content_id) "
            "LEFT JOIN chunk_terms t USING (rag_index_build_id, document_chunk_id) "
            "WHERE w.slug = %s AND k.deleted_at IS NULL AND c.contents->>'kind' <> 'file' ORDER BY 1, 2, 3",
            self.slug,
        )
        return hashlib.sha256(repr(rows).encode()).hexdigest()

    def at(self, **changes: Any) -> Harness:
        return replace(self, **changes)


def words(text: str) -> list[str]:
    """Words as a person reads them: letters and digits of any script."""
    return re.findall(r"\w+", text)
