"""Hybrid search in one index of one workspace: meaning and words, fused."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, LiteralString
from uuid import UUID

from pgvector import Vector
from psycopg import sql
from psycopg.rows import class_row, dict_row

from arcana_pipelines.chunking.lexemes import has_cjk, tokens
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.sql import load_sql
from arcana_pipelines.embedding import local
from arcana_pipelines.embedding.provider import Embedder, open_embedder
from arcana_pipelines.errors import EmbeddingFailed, WrongUse
from arcana_pipelines.indexes.ann import nearest_statement, tune
from arcana_pipelines.settings import Settings

log = logging.getLogger(__name__)

CANDIDATES = 100
LONGEST_QUERY = 4000  # characters; what comes behind adds nothing to a question
MOST_WORDS = 64
PATIENCE_SECONDS = 5.0  # of pauses that an embedding provider asks for; then words alone are searched


Ranking = Literal["fused", "dense", "lexical"]


@dataclass(frozen=True, slots=True)
class Hit:
    """One found chunk. `path` is the document's place (an ltree of stable labels); `score` is in 0..1."""

    score: float
    document_id: str
    external_id: str
    title: str
    url: str | None
    path: str
    heading_path: list[str]
    position: int
    text: str
    version: int


@dataclass(frozen=True, slots=True)
class Results:
    """Hits, best first, and how long they took."""

    hits: list[Hit]
    seconds: float


@dataclass(frozen=True, slots=True)
class _Serving:
    """The build that serves an index now."""

    build: int
    model: str
    dimensions: int
    ann: str
    vectors: int


class Searcher:
    """Searches one named index of one workspace. Nothing outside that workspace can be reached through it."""

    def __init__(
        self,
        connection: Connection,
        settings: Settings,
        workspace_id: UUID,
        index: str = "default",
        build: int | None = None,
    ) -> None:
        """`build` is for evaluation: one that does not serve yet, or not any more."""
        self._connection = connection
        self._settings = settings
        self._workspace_id = workspace_id
        self._index = index
        self._build = build
        self._embedders: dict[tuple[str, int], Embedder] = {}

    def search(self, query: str, k: int = 10, ranking: Ranking = "fused") -> Results:
        """The `k` best chunks for a query; no hits for one without a word in it.

        `ranking` is for evaluation: by meaning (`dense`) or by words (`lexical`) alone. While the embedding provider
        fails, words alone are searched.

        Raises:
            WrongUse: the workspace has no such index, or it is still being built.
        """
        started = time.monotonic()
        query = query.encode("utf-8", "replace").decode().replace("\0", " ")[:LONGEST_QUERY].strip()
        words = list(dict.fromkeys(tokens(query)))[:MOST_WORDS]
        hits = self._find(query, words, k, ranking) if words else []
        return Results(hits, time.monotonic() - started)

    def _find(self, query: str, words: Sequence[str], k: int, ranking: Ranking) -> list[Hit]:
        serving = self._serving()
        self._connection.commit()
        while True:
            vector = self._embedded(query, serving)
            # One snapshot for all statements: a publish between them would mix versions.
            with self._connection.transaction():
                self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                now = self._serving()
                # Another build was promoted meanwhile: its vectors may be another model's.
                if now.build == serving.build:
                    return self._ranked(query, words, vector, now, k, ranking)
            serving = now

    def _serving(self) -> _Serving:
        with self._connection.cursor(row_factory=class_row(_Serving)) as cursor:
            key = {"workspace_id": self._workspace_id, "index": self._index, "build": self._build}
            cursor.execute(load_sql("search_serving"), key)
            found = cursor.fetchone()
        if found is None:
            raise WrongUse(
                f"This workspace has no index '{self._index}' that serves. `arcana index list` shows its indexes."
            )
        return found

    def _ranked(
        self, query: str, words: Sequence[str], vector: str | None, serving: _Serving, k: int, ranking: Ranking
    ) -> list[Hit]:
        candidates = max(CANDIDATES, k)
        dense: dict[int, float] = {}
        if vector:
            tune(self._connection, serving.ann, serving.vectors)
            statement = nearest_statement(serving.build, serving.dimensions, serving.ann)
            dense = self._scores(statement, {"vector": vector, "candidates": candidates})
        lexical = self._scores(
            load_sql("search_lexical"), {"build": serving.build, "candidates": candidates, "words": list(words)}
        )
        weight = dense_weight(query, serving.model) if dense else 0.0
        weight = {"dense": 1.0, "lexical": 0.0}.get(ranking, weight)
        return self._described(serving.build, fuse(dense, lexical, weight)[:k])

    def _embedded(self, query: str, serving: _Serving) -> str | None:
        """The query's vector as text; None while the provider fails, so that words alone are searched."""
        model = (serving.model, serving.dimensions)
        try:
            if model not in self._embedders:
                self._embedders[model] = open_embedder(self._settings, *model, patience=PATIENCE_SECONDS)
            vector = self._embedders[model].embed([query]).vectors[0]
        except EmbeddingFailed as error:
            log.warning("searching by words only: %s", error)
            return None
        return str(Vector(vector).to_text())

    def _scores(self, statement: LiteralString | sql.Composed, parameters: Mapping[str, object]) -> dict[int, float]:
        return dict(self._connection.execute(statement, parameters).fetchall())

    def _described(self, build: int, best: Sequence[tuple[int, float]]) -> list[Hit]:
        with self._connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(
                load_sql("search_hits"),
                {"build": build, "workspace_id": self._workspace_id, "chunks": [chunk for chunk, _ in best]},
            )
            rows = {row.pop("document_chunk_id"): row for row in cursor.fetchall()}
        return [
            Hit(score=round(score, 6), **{**rows[chunk], "document_id": str(rows[chunk]["document_id"])})
            for chunk, score in best
            if chunk in rows
        ]


def dense_weight(query: str, model: str) -> float:
    """How much of the fused score is meaning. The local model knows little but English words."""
    if model != local.MODEL:
        return 0.5
    return 0.02 if has_cjk(query) else 0.3


def fuse(dense: Mapping[int, float], lexical: Mapping[int, float], weight: float) -> list[tuple[int, float]]:
    """Weighted sum of the two scores, each scaled to 0..1 among its candidates; best first."""
    scaled_dense, scaled_lexical = _scaled(dense), _scaled(lexical)
    chunks = set(scaled_dense) | set(scaled_lexical)
    scores = {
        chunk: weight * scaled_dense.get(chunk, 0.0) + (1 - weight) * scaled_lexical.get(chunk, 0.0) for chunk in chunks
    }
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def _scaled(scores: Mapping[int, float]) -> dict[int, float]:
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    # The best lexical candidate is as good as the best dense one; the last of many is worth nothing.
    low = min(low, 0.0) if len(scores) < 2 else low * 0.5
    return {chunk: (score - low) / (high - low) if high > low else 1.0 for chunk, score in scores.items()}
