"""Hybrid search in one index of one workspace: words and meaning, fused."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, LiteralString
from urllib.parse import quote
from uuid import UUID

import psycopg
from pgvector import Vector
from psycopg import sql
from psycopg.rows import class_row, dict_row

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.embedding.models import model_named
from arcana_pipelines.errors import EmbeddingFailed, WrongUse
from arcana_pipelines.indexes.builds import DEFAULT_INDEX, table_of, terms_of
from arcana_pipelines.indexes.targets.pgvector.ann import nearest_statement, tune
from arcana_pipelines.lexical import query_plan, typos
from arcana_pipelines.lexical.analysis import QueryTerm, has_cjk, query_terms
from arcana_pipelines.retrieval import highlights, past
from arcana_pipelines.retrieval.conditions import known_conditions
from arcana_pipelines.retrieval.embedders import Embedders
from arcana_pipelines.retrieval.filtered import documents_of
from arcana_pipelines.retrieval.filters import Filters, checked
from arcana_pipelines.retrieval.folding import fold
from arcana_pipelines.retrieval.fusion import Fusion, Ranking, Scored, fuse, fuse_by_rank, weight_of_meaning
from arcana_pipelines.retrieval.limits import LONGEST_QUERY, MOST_HITS, check_text, moment
from arcana_pipelines.retrieval.places import find_indexed, find_place
from arcana_pipelines.retrieval.reranking.protocol import Reranker
from arcana_pipelines.retrieval.reranking.reranked import RERANKED, reranked
from arcana_pipelines.retrieval.results import Hit, Results
from arcana_pipelines.retrieval.shown import safe_address, shown
from arcana_pipelines.settings import Settings

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)

CANDIDATES = 100
MOST_TERMS = 128
# With the local model, meaning re-orders what words found; above this size it looks further only for lack of words.
SMALL = 8_000
# So many chunks behind a filter are all scored.
FEW = 2_000


@dataclass(frozen=True, slots=True)
class _Serving:
    """The build that serves an index, and how many vectors a search can reach."""

    build: int
    model: str
    dimensions: int
    ann: str
    effort: int
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
    as_of: datetime | None
    fusion: Fusion
    most: int  # hits to find; of these the reranker chooses the best k


class IndexSearcher:
    """Searches one named index of one workspace over one open connection.

    Nothing outside that workspace can be reached through it. For programs there is `retrieval.Searcher`, which has a
    pool of connections.
    """

    def __init__(
        self,
        connection: Connection,
        settings: Settings,
        workspace_id: UUID,
        index: str = DEFAULT_INDEX,
        build: int | None = None,
        embedders: Embedders | None = None,
        reranker: Reranker | None = None,
    ) -> None:
        """`build` is for evaluation: one that does not serve yet, or not any more. `embedders` may be shared."""
        self._connection = connection
        self._workspace_id = workspace_id
        self._index = index
        self._build = build
        self._embedders = embedders or Embedders(settings)
        self._reranker = reranker

    def search(
        self,
        query: str,
        k: int = 10,
        ranking: Ranking = "fused",
        filters: Filters | None = None,
        neighbours: int = 0,
        as_of: datetime | None = None,
        fusion: Fusion = "weighted",
    ) -> Results:
        """The `k` best chunks for a query; no hits for one without a word in it.

        `ranking` is for evaluation: by meaning (`dense`) or by words (`lexical`) alone. While the embedding provider
        fails, words alone are searched. `neighbours` chunks before and after each hit come with it. A reranker has the
        last word on the fused order, as long as it answers.

        With `as_of`, an aware time, everything is as it was then: what was found, and in which version. Only the
        documents' places are those of today. All chunks are compared, so it is slower than a search of today.

        Raises:
            WrongUse: the workspace has no such index, or it is still being built; a filter is empty, names a page or a
                property that is not there or compares what cannot be compared; or a time is still to come or has no
                zone.
            NotRemembered: what the index showed at that time is not known.
        """
        filters = checked(filters)
        as_of = None if as_of is None else moment("as_of", as_of)
        if k > MOST_HITS:
            raise WrongUse(f"A search gives at most {MOST_HITS} hits, not {k}.")
        check_text("The name of the index", self._index)
        started = time.monotonic()
        text = query.encode("utf-8", "replace").decode().replace("\0", " ")[:LONGEST_QUERY].strip()
        terms = dict(list(query_terms(text).items())[:MOST_TERMS])
        reranker = self._reranker if ranking == "fused" else None
        most = max(k, RERANKED) if reranker else k
        question = _Question(text, terms, k, ranking, filters, neighbours, as_of, fusion, most)
        hits, corrections, notes = self._find(question) if terms else ([], {}, [])
        marked = highlights.terms_of(" ".join((text, *corrections.values())))
        hits = fold(hits, most, marked)
        is_reranked = False
        if reranker is not None and hits:
            # After the snapshot: nothing in the database waits for another server.
            hits, is_reranked = reranked(reranker, text, hits)
        hits = [replace(hit, highlights=highlights.highlights(hit.text, marked)) for hit in hits[:k]]
        return Results(hits, time.monotonic() - started, corrections, is_reranked, notes)

    def _find(self, question: _Question) -> tuple[list[Hit], dict[str, str], list[str]]:
        serving = self._serving(question.as_of)
        self._connection.commit()
        while True:
            vector = None if question.ranking == "lexical" else self._embedded(question.text, serving)
            try:
                # One snapshot for all statements: a publish between them would mix versions.
                with self._connection.transaction():
                    self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    now = self._serving(question.as_of)
                    # Another build was promoted meanwhile: its vectors may be another model's.
                    if now.build == serving.build:
                        hits, corrections, notes = _Search(
                            self._connection, self._workspace_id, now, question, vector
                        ).run()
                        if now.vectors == 0 and question.as_of is None and self._build is None:
                            notes = [self._nothing_indexed(), *notes]
                        return hits, corrections, notes
            except psycopg.errors.UndefinedTable as error:
                # Dropping waits for searches that are under way; this one began when the tables had just gone.
                raise WrongUse(f"Build {serving.build} of index '{self._index}' is being dropped.") from error
            serving = now

    def _nothing_indexed(self) -> str:
        """What to say of a search in an index that holds nothing: "nothing was found" would be taken for an answer."""
        row = self._connection.execute(
            "SELECT slug FROM workspace WHERE workspace_id = %s", [self._workspace_id]
        ).fetchone()
        slug = row[0] if row else "SLUG"
        return (
            f"Nothing is indexed yet in the index '{self._index}' of workspace '{slug}' "
            f"(arcana status {slug} says whether a sync is at work): arcana sync {slug}"
        )

    def _serving(self, as_of: datetime | None) -> _Serving:
        key = {"workspace_id": self._workspace_id, "index": self._index, "build": self._build}
        found = self._build_by(load_sql("serving"), key)
        if found is None:
            raise WrongUse(
                f"This workspace has no index '{self._index}' that serves. `arcana index list` shows its indexes."
            )
        if as_of is None:
            return found
        then = {**key, "as_of": as_of}
        found = self._build_by(load_sql("past_serving"), then)
        if found is None:
            raise past.refusal(self._connection, self._index, then)
        return found

    def _build_by(self, statement: LiteralString, key: Mapping[str, Any]) -> _Serving | None:
        with self._connection.cursor(row_factory=class_row(_Serving)) as cursor:
            cursor.execute(statement, key)
            return cursor.fetchone()

    def _embedded(self, query: str, serving: _Serving) -> str | None:
        """The query's vector as text; None while the provider fails, so that words alone are searched."""
        try:
            text = model_named(serving.model).question_prefix + query
            vector = self._embedders.of(serving.model, serving.dimensions).embed([text]).vectors[0]
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
        self._most = max(CANDIDATES, 2 * question.most)
        # What the planner guesses of a condition on keys is wrong by orders of magnitude.
        connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL jit = off")
        is_past = question.as_of is not None
        chunks = past.chunks_then(serving.build) if is_past else sql.Identifier(table_of(serving.build))
        terms = past.terms_then(serving.build) if is_past else sql.Identifier(terms_of(serving.build))
        documents, parameters = self._allowed(chunks if is_past else None)
        self._names = {
            "chunks": chunks,
            "terms": terms,
            "allowed": sql.SQL("AND document_id IN ({})").format(documents) if question.filters else sql.SQL(""),
        }
        self._parameters: dict[str, Any] = {
            **parameters,
            "workspace_id": workspace_id,
            "build": serving.build,
            "as_of": question.as_of,
            "embedding": vector,
            "candidates": self._most,
        }

    def _allowed(self, chunks_then: sql.Composable | None) -> tuple[sql.Composable, dict[str, Any]]:
        """The documents that the filters leave, and the notes on what they say."""
        filters = self._question.filters
        is_below_database = False
        find = find_indexed if self._question.as_of is None else find_place
        if filters.below:
            place = find(self._connection, self._workspace_id, filters.below)
            filters = replace(filters, below=place.external_id)
            is_below_database = place.kind == "data_source"
        if filters.links_to:
            place = find(self._connection, self._workspace_id, filters.links_to)
            filters = replace(filters, links_to=place.external_id)
        past_key = {"build": self._serving.build, "as_of": self._question.as_of}
        known, self._notes = known_conditions(self._connection, self._workspace_id, filters, past_key, chunks_then)
        return documents_of(filters, known, chunks_then, is_below_database)

    def run(self) -> tuple[list[Hit], dict[str, str], list[str]]:
        if self._question.as_of is not None:
            ((vectors,),) = self._rows(sql.SQL(load_sql("past_total")).format(**self._names), {})
            self._serving = replace(self._serving, vectors=vectors)
        corrections, plan = self._planned()
        self._parameters["vector"] = plan.vector if plan else query_plan.NOTHING
        chunks = self._few_allowed()
        if chunks is None:
            chunks = self._by_words(plan) if plan and self._question.ranking != "dense" else []
            if self._needs_meaning(len(chunks)):
                chunks = [*chunks, *self._by_meaning()]
        scored = self._scored(chunks)
        best = self._best(scored, plan.attainable if plan else 0.0)
        # Twice as many as are wanted, for those that are folded.
        return self._described(best[: 2 * self._question.most]), corrections, self._notes

    def _planned(self) -> tuple[dict[str, str], query_plan.Plan | None]:
        """What to look for, with words that no text has replaced by near ones."""
        terms = dict(self._question.terms)
        counts = self._counts(terms)
        corrections: dict[str, str] = {}
        for word in typos.unknown_words(self._question.text, counts)[: typos.MOST]:
            near = self._rows(load_sql("similar_words"), {"word": word})
            meant = typos.nearest(word, [row[0] for row in near])
            if meant is not None:
                corrections[word] = meant
                more = query_terms(meant)
                terms |= {term: replace(each, weight=each.weight * typos.WEIGHT) for term, each in more.items()}
        if corrections:
            counts = self._counts(terms)
        return corrections, query_plan.plan(terms, self._serving.vectors, counts)

    def _counts(self, terms: Mapping[int, QueryTerm]) -> dict[int, int]:
        keys = {"keys": query_plan.keys_of(terms)}
        if self._question.as_of is None:
            return dict(self._rows(load_sql("counts"), keys))
        return dict(self._rows(sql.SQL(load_sql("past_counts")).format(**self._names), keys))

    def _by_words(self, plan: query_plan.Plan) -> list[int]:
        together = {f"together_{number}": keys for number, keys in enumerate(plan.together)}
        conjunction = sql.SQL(" AND ").join(
            sql.SQL("keys && {}::int[]").format(sql.Placeholder(key)) for key in together
        )
        found: sql.Composable = sql.SQL("keys && %(keys)s::int[]")
        if together:
            found = sql.SQL("({} OR ({}))").format(found, conjunction)
        statement = sql.SQL(load_sql("by_words")).format(**self._names, found=found)
        return [row[0] for row in self._rows(statement, {"keys": plan.keys, **together})]

    def _needs_meaning(self, found: int) -> bool:
        """Is it worth looking by meaning for chunks that words did not find?"""
        if self._vector is None or self._question.ranking == "lexical":
            return False
        if self._question.ranking == "dense" or not model_named(self._serving.model).is_weak:
            return True
        return self._serving.vectors <= SMALL or found < self._question.k

    def _by_meaning(self) -> list[int]:
        if self._question.filters:
            statement = sql.SQL(load_sql("allowed_by_meaning")).format(**self._names)
            return [row[0] for row in self._rows(statement, {"vector": self._vector})]
        if self._question.as_of is None:
            statement = nearest_statement(self._serving.build, self._serving.dimensions, self._serving.ann)
        else:
            statement = sql.SQL(load_sql("past_nearest")).format(**self._names)
        with self._connection.transaction(force_rollback=True):  # what is tuned is for this statement only
            tune(self._connection, self._serving.ann, self._serving.effort)
            return [row[0] for row in self._rows(statement, {"vector": self._vector})]

    def _few_allowed(self) -> list[int] | None:
        """All chunks that a filter leaves, when few enough to be scored; None for many, and without a filter."""
        if not self._question.filters:
            return None
        statement = sql.SQL(load_sql("allowed")).format(**self._names)
        found = [row[0] for row in self._rows(statement, {"candidates": FEW + 1})]
        return found if len(found) <= FEW else None

    def _scored(self, chunks: Sequence[int]) -> list[Scored]:
        terms = self._names["terms"] if self._question.as_of is None else past.words(self._serving.build)
        statement = sql.SQL(load_sql("scores")).format(**{**self._names, "terms": terms})
        return [Scored(*row) for row in self._rows(statement, {"chunks": list(dict.fromkeys(chunks))})]

    def _best(self, scored: Sequence[Scored], attainable: float) -> list[tuple[int, float]]:
        if self._question.ranking == "lexical":
            scored = [each for each in scored if each.lexical > 0]
        if self._question.ranking == "fused" and self._vector is not None:
            if self._question.fusion == "rrf":
                return fuse_by_rank(scored)
            most = max((each.lexical for each in scored), default=0.0)
            is_weak = model_named(self._serving.model).is_weak
            weight = weight_of_meaning(most, attainable, has_cjk(self._question.text), is_weak)
        else:
            weight = 1.0 if self._question.ranking == "dense" and self._vector is not None else 0.0
        return fuse(scored, weight)

    def _described(self, best: Sequence[tuple[int, float]]) -> list[Hit]:
        statement = sql.SQL(load_sql("hits")).format(**self._names)
        with self._connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(
                statement,
                {**self._parameters, "chunks": [chunk for chunk, _ in best], "neighbours": self._question.neighbours},
            )
            rows = {row.pop("document_chunk_id"): row for row in cursor.fetchall()}
        hits = []
        for chunk, score in best:
            if (row := rows.get(chunk)) is not None:
                hits.append(_hit(score, row))
        return hits

    def _rows(self, statement: Any, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, {**self._parameters, **parameters}).fetchall()


def _hit(score: float, row: dict[str, Any]) -> Hit:
    """A row as a hit that can be shown and followed wherever it goes."""
    row["document_id"] = str(row["document_id"])
    row["title"], row["text"] = shown(row["title"] or ""), shown(row["text"])
    for texts in ("heading_path", "before", "after"):
        row[texts] = [shown(text) for text in row[texts]]
    row["url"] = safe_address(row["url"])
    return Hit(score=round(score, 6), link=_link(row["url"], row["heading_path"]), **row)


def _link(url: str | None, headings: Sequence[str]) -> str | None:
    """An address that browsers scroll to the heading: https://wicg.github.io/scroll-to-text-fragment/."""
    if url is None or not headings:
        return url
    return f"{url}#:~:text={quote(headings[-1], safe='')}"
