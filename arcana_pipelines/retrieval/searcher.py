"""Hybrid search in one index of one workspace: words and meaning, fused."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import quote
from uuid import UUID

from pgvector import Vector
from psycopg import sql
from psycopg.rows import class_row, dict_row
from rapidfuzz import fuzz

from arcana_pipelines.chunking.lexemes import QueryTerm, has_cjk, query_terms
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.sql import load_sql
from arcana_pipelines.embedding import local
from arcana_pipelines.embedding.provider import Embedder, open_embedder
from arcana_pipelines.errors import EmbeddingFailed, WrongUse
from arcana_pipelines.indexes.ann import nearest_statement, tune
from arcana_pipelines.indexes.builds import table_of, terms_of
from arcana_pipelines.retrieval import highlights, lexical, typos
from arcana_pipelines.retrieval.filters import Filters
from arcana_pipelines.retrieval.fusion import Scored, fuse, weight_of_meaning
from arcana_pipelines.settings import Settings

log = logging.getLogger(__name__)

CANDIDATES = 100
LONGEST_QUERY = 4000  # characters; what comes behind adds nothing to a question
MOST_TERMS = 128
PATIENCE_SECONDS = 5.0  # of pauses that an embedding provider asks for; then words alone are searched
# With the local model, meaning re-orders what words found; above this size it looks further only for lack of words.
SMALL = 8_000
# So many chunks behind a filter are all scored.
FEW = 2_000
# Texts as alike as this are one hit (percent of characters, `rapidfuzz.fuzz.ratio`).
ALIKE = 95.0

Ranking = Literal["fused", "dense", "lexical"]


@dataclass(frozen=True, slots=True)
class Place:
    """Another page with the same text."""

    external_id: str
    title: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Hit:
    """One found chunk.

    Attributes:
        score: 0 to 1, comparable within one answer.
        url: the page's address; `link` leads to the nearest heading where the browser can.
        path: the document's place, an ltree of stable labels.
        version: the version of the document that the text is of.
        highlights: spans (begin, end) of `text` that hold the query's words.
        before, after: the texts of neighbouring chunks, when asked for.
        duplicates: other pages with nearly the same text.
    """

    score: float
    document_id: str
    external_id: str
    title: str
    url: str | None
    link: str | None
    path: str
    heading_path: list[str]
    position: int
    text: str
    version: int
    last_edited_at: str | None
    highlights: list[tuple[int, int]] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    duplicates: list[Place] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Results:
    """Hits, best first, how long they took, and words that no text has with what was searched instead."""

    hits: list[Hit]
    seconds: float
    corrections: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Serving:
    """The build that serves an index now."""

    build: int
    model: str
    dimensions: int
    ann: str
    vectors: int


@dataclass(frozen=True, slots=True)
class _Question:
    """A query made ready."""

    text: str
    terms: Mapping[int, QueryTerm]
    k: int
    ranking: Ranking
    filters: Filters
    neighbours: int


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

    def search(
        self,
        query: str,
        k: int = 10,
        ranking: Ranking = "fused",
        filters: Filters | None = None,
        neighbours: int = 0,
    ) -> Results:
        """The `k` best chunks for a query; no hits for one without a word in it.

        `ranking` is for evaluation: by meaning (`dense`) or by words (`lexical`) alone. While the embedding provider
        fails, words alone are searched. `neighbours` chunks before and after each hit come with it.

        Raises:
            WrongUse: the workspace has no such index, or it is still being built.
        """
        started = time.monotonic()
        text = query.encode("utf-8", "replace").decode().replace("\0", " ")[:LONGEST_QUERY].strip()
        terms = dict(list(query_terms(text).items())[:MOST_TERMS])
        question = _Question(text, terms, k, ranking, filters or Filters(), neighbours)
        hits, corrections = self._find(question) if terms else ([], {})
        return Results(hits, time.monotonic() - started, corrections)

    def _find(self, question: _Question) -> tuple[list[Hit], dict[str, str]]:
        serving = self._serving()
        self._connection.commit()
        while True:
            vector = None if question.ranking == "lexical" else self._embedded(question.text, serving)
            # One snapshot for all statements: a publish between them would mix versions.
            with self._connection.transaction():
                self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                now = self._serving()
                # Another build was promoted meanwhile: its vectors may be another model's.
                if now.build == serving.build:
                    return _Search(self._connection, self._workspace_id, now, question, vector).run()
            serving = now

    def _serving(self) -> _Serving:
        key = {"workspace_id": self._workspace_id, "index": self._index, "build": self._build}
        with self._connection.cursor(row_factory=class_row(_Serving)) as cursor:
            cursor.execute(load_sql("search_serving"), key)
            found = cursor.fetchone()
        if found is None:
            raise WrongUse(
                f"This workspace has no index '{self._index}' that serves. `arcana index list` shows its indexes."
            )
        return found

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


class _Search:
    """One question in one snapshot of one build."""

    def __init__(
        self, connection: Connection, workspace_id: UUID, serving: _Serving, question: _Question, vector: str | None
    ) -> None:
        self._connection = connection
        self._workspace_id = workspace_id
        self._serving = serving
        self._question = question
        self._vector = vector
        self._most = max(CANDIDATES, 2 * question.k)
        documents, parameters = question.filters.documents()
        self._names = {
            "chunks": sql.Identifier(table_of(serving.build)),
            "terms": sql.Identifier(terms_of(serving.build)),
            "allowed": sql.SQL("AND document_id IN ({})").format(documents) if question.filters else sql.SQL(""),
        }
        self._parameters: dict[str, Any] = {
            **parameters,
            "workspace_id": workspace_id,
            "build": serving.build,
            "embedding": vector,
            "candidates": self._most,
        }

    def run(self) -> tuple[list[Hit], dict[str, str]]:
        # What the planner guesses of a condition on keys is wrong by orders of magnitude.
        self._connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL jit = off")
        corrections, plan = self._planned()
        self._parameters["vector"] = plan.vector if plan else lexical.NOTHING
        chunks = self._few_allowed()
        if chunks is None:
            chunks = self._by_words(plan) if plan and self._question.ranking != "dense" else []
            if self._needs_meaning(len(chunks)):
                chunks = [*chunks, *self._by_meaning()]
        scored = self._scored(chunks)
        best = self._best(scored, plan.attainable if plan else 0.0)
        hits = self._folded(self._described(best[: 2 * self._question.k]))
        marked = highlights.terms_of(" ".join((self._question.text, *corrections.values())))
        return [replace(hit, highlights=highlights.highlights(hit.text, marked)) for hit in hits], corrections

    def _planned(self) -> tuple[dict[str, str], lexical.Plan | None]:
        """What to look for, with words that no text has replaced by near ones."""
        terms = dict(self._question.terms)
        counts = self._counts(terms)
        corrections: dict[str, str] = {}
        for word in typos.unknown_words(self._question.text, counts)[: typos.MOST]:
            near = self._rows(load_sql("search_similar_words"), {"word": word})
            meant = typos.nearest(word, [row[0] for row in near])
            if meant is not None:
                corrections[word] = meant
                more = query_terms(meant)
                terms |= {term: replace(each, weight=each.weight * typos.WEIGHT) for term, each in more.items()}
        if corrections:
            counts = self._counts(terms)
        return corrections, lexical.plan(terms, self._serving.vectors, counts)

    def _counts(self, terms: Mapping[int, QueryTerm]) -> dict[int, int]:
        return dict(self._rows(load_sql("search_counts"), {"keys": lexical.keys_of(terms)}))

    def _by_words(self, plan: lexical.Plan) -> list[int]:
        together = {f"together_{number}": keys for number, keys in enumerate(plan.together)}
        conjunction = sql.SQL(" AND ").join(
            sql.SQL("keys && {}::int[]").format(sql.Placeholder(key)) for key in together
        )
        found: sql.Composable = sql.SQL("keys && %(keys)s::int[]")
        if together:
            found = sql.SQL("({} OR ({}))").format(found, conjunction)
        statement = sql.SQL(load_sql("search_by_words")).format(**self._names, found=found)
        return [row[0] for row in self._rows(statement, {"keys": plan.keys, **together})]

    def _needs_meaning(self, found: int) -> bool:
        """Is it worth looking by meaning for chunks that words did not find?"""
        if self._vector is None or self._question.ranking == "lexical":
            return False
        if self._question.ranking == "dense" or self._serving.model != local.MODEL:
            return True
        return self._serving.vectors <= SMALL or found < self._question.k

    def _by_meaning(self) -> list[int]:
        if self._question.filters:
            statement = sql.SQL(load_sql("search_allowed_by_meaning")).format(**self._names)
            return [row[0] for row in self._rows(statement, {"vector": self._vector})]
        tune(self._connection, self._serving.ann, self._serving.vectors)
        statement = nearest_statement(self._serving.build, self._serving.dimensions, self._serving.ann)
        found = [row[0] for row in self._rows(statement, {"vector": self._vector})]
        self._connection.execute("SET LOCAL enable_seqscan = off")
        return found

    def _few_allowed(self) -> list[int] | None:
        """All chunks that a filter leaves, when few enough to be scored; None for many, and without a filter."""
        if not self._question.filters:
            return None
        statement = sql.SQL(load_sql("search_allowed")).format(**self._names)
        found = [row[0] for row in self._rows(statement, {"candidates": FEW + 1})]
        return found if len(found) <= FEW else None

    def _scored(self, chunks: Sequence[int]) -> list[Scored]:
        statement = sql.SQL(load_sql("search_scores")).format(**self._names)
        return [Scored(*row) for row in self._rows(statement, {"chunks": list(dict.fromkeys(chunks))})]

    def _best(self, scored: Sequence[Scored], attainable: float) -> list[tuple[int, float]]:
        if self._question.ranking == "lexical":
            scored = [each for each in scored if each.lexical > 0]
        if self._question.ranking == "fused" and self._vector is not None:
            most = max((each.lexical for each in scored), default=0.0)
            is_local = self._serving.model == local.MODEL
            weight = weight_of_meaning(most, attainable, has_cjk(self._question.text), is_local)
        else:
            weight = 1.0 if self._question.ranking == "dense" and self._vector is not None else 0.0
        return fuse(scored, weight)

    def _described(self, best: Sequence[tuple[int, float]]) -> list[Hit]:
        statement = sql.SQL(load_sql("search_hits")).format(**self._names)
        with self._connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(
                statement,
                {**self._parameters, "chunks": [chunk for chunk, _ in best], "neighbours": self._question.neighbours},
            )
            rows = {row.pop("document_chunk_id"): row for row in cursor.fetchall()}
        hits = []
        for chunk, score in best:
            if (row := rows.get(chunk)) is not None:
                row["document_id"] = str(row["document_id"])
                hits.append(Hit(score=round(score, 6), link=_link(row["url"], row["heading_path"]), **row))
        return hits

    def _folded(self, hits: Sequence[Hit]) -> list[Hit]:
        """The `k` best hits, each text once: what is nearly the same on other pages is named with the best of them."""
        kept: list[Hit] = []
        for hit in hits:
            twin = next((at for at, other in enumerate(kept) if _are_alike(hit.text, other.text)), None)
            if twin is None:
                kept.append(hit)
            elif kept[twin].document_id != hit.document_id:
                kept[twin].duplicates.append(Place(hit.external_id, hit.title, hit.url))
            if len(kept) == self._question.k:
                break
        return kept

    def _rows(self, statement: Any, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, {**self._parameters, **parameters}).fetchall()


def _are_alike(one: str, other: str) -> bool:
    return one == other or fuzz.ratio(one, other, score_cutoff=ALIKE) > 0


def _link(url: str | None, headings: Sequence[str]) -> str | None:
    """An address that browsers scroll to the heading: https://wicg.github.io/scroll-to-text-fragment/."""
    if url is None or not headings:
        return url
    return f"{url}#:~:text={quote(headings[-1], safe='')}"
