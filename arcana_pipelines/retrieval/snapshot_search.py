"""One question in one snapshot of one build: words and meaning, scored and fused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import sql
from psycopg.rows import dict_row

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.embedding.catalogue import Model, model_named
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.indexes.builds import chunk_table, passage_table, terms_table
from arcana_pipelines.indexes.targets.pgvector.ann import nearest_statement, tune
from arcana_pipelines.lexical import query_plan, typos
from arcana_pipelines.lexical.analysis import LEAST, QueryTerm, has_cjk, query_terms
from arcana_pipelines.retrieval import past
from arcana_pipelines.retrieval.best_passage import FoundText
from arcana_pipelines.retrieval.conditions import known_conditions
from arcana_pipelines.retrieval.cursor import DEEPEST, Cursor, microseconds, question_hash
from arcana_pipelines.retrieval.filtered import documents_of
from arcana_pipelines.retrieval.filters import Filters, Limits
from arcana_pipelines.retrieval.folding import Folded, fold
from arcana_pipelines.retrieval.follow_ups import Context
from arcana_pipelines.retrieval.fusion import Scored, fuse, fuse_as_they_are, fuse_by_rank, nearness, weight_of_meaning
from arcana_pipelines.retrieval.highlights import terms_of
from arcana_pipelines.retrieval.hit_of_row import hit_of, text_of
from arcana_pipelines.retrieval.places import find_indexed, find_place
from arcana_pipelines.retrieval.relevance import Calibration, calibration_of, evidence
from arcana_pipelines.retrieval.results import Hit
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.retrieval.serving import Serving
from arcana_pipelines.retrieval.target_stores import Near

load_sql = statements_beside(__file__)

CANDIDATES = 100
# Further answers come out of as many as one search for all of them looks at.
FURTHER_CANDIDATES = 2 * DEEPEST
# Where many of them are of one page, or repeat each other, so many are looked at before fewer hits are given.
MOST_CANDIDATES = 1_600
# With the local model, meaning re-orders what words found; above this size it looks further only for lack of words.
SMALL = 8_000
# In an index of fewer chunks whatever is nearest is found.
TOO_FEW = 50
# So many chunks behind a filter are all scored.
FEW = 2_000
# Where a filter leaves few of what a target finds, it is asked for more, up to so many.
MOST_NEAR = 16_000

_NO_DOCUMENT = sql.SQL("SELECT NULL::uuid WHERE false")
# To who may find some documents alone a page or a value that others have is told as one that is not there.
_NOTHING_LEFT = "Nothing that may be found here meets the filters: a page, a property or a value may not be there."


@dataclass(frozen=True, slots=True)
class Question:
    """A request made ready.

    Attributes:
        request: as it was given.
        text: the query without spaces around it.
        terms: the terms of it that are looked for, by their number; without one nothing is searched.
        most: hits to find; of these the reranker chooses the best k.
        after: what has been shown of the answer.
        context: the earlier questions that take part; None: none does.
    """

    request: SearchRequest
    text: str
    terms: Mapping[int, QueryTerm]
    most: int
    after: Cursor | None = None
    context: Context | None = None

    @property
    def parts(self) -> tuple[tuple[str, float], ...]:
        """The texts whose words are looked for, each with what they count, the question itself first."""
        return ((self.text, 1.0), *(self.context.earlier if self.context else ()))


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a question means to a model.

    Attributes:
        vector: its vector as PostgreSQL reads it, without what it says of the language where the model's means are
            known.
        numbers: the same, as targets take it.
        language: the language of the question; None where it is not known.
        tokens: of the question, as the model counts them.
    """

    vector: str
    numbers: NDArray[np.float32]
    language: str | None = None
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What a question finds in a snapshot.

    Attributes:
        folded: hits best first, each text once.
        chunks: the `document_chunk_id` of each, and of what repeats it, by its document and position.
        before: what had been shown; None where nothing was searched.
        texts: of each hit, by its document and position, the text as it is stored.
        gains: what each term of the question counts, by its number.
        marked: the numbers of the terms that are worth marking, those of corrected words among them.
        corrections: words that no text has, with what was searched instead.
        notes: what to know of the filters, in sentences.
        least: when the best hit's score is below it, nothing is said to be found; 0 where scores are not calibrated.
        tokens: of the question, as the model counts them.
        target: the target that was asked by meaning; None: PostgreSQL was.
    """

    folded: Folded = field(default_factory=Folded)
    chunks: Mapping[tuple[str, int], int] = field(default_factory=dict)
    before: Cursor | None = None
    texts: dict[tuple[str, int], FoundText] = field(default_factory=dict)
    gains: Mapping[int, float] = field(default_factory=dict)
    marked: Set[int] = frozenset()
    corrections: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    least: float = 0.0
    tokens: int = 0
    target: str | None = None

    def cursor_after(self, hits: Sequence[Hit]) -> str | None:
        """The cursor for what comes after these hits; None where nothing does, or as many as may be have been shown."""
        is_more = self.folded.is_more or len(hits) < len(self.folded.hits)
        if self.before is None or not is_more:
            return None
        ours = {(hit.document_id, hit.position) for hit in hits}
        named = list(self.folded.repeating)
        for hit, alike in zip(self.folded.hits, self.folded.alike, strict=True):
            if (hit.document_id, hit.position) in ours:
                named += alike
        further = self.before.further(
            (self.chunks[key] for key in ours),
            (self.chunks[hit.document_id, hit.position] for hit in named),
        )
        return further.text if len(further.shown) < DEEPEST else None


class MoreIsNeeded(Exception):
    """A target has to be asked, for so many chunks: not from here, where a snapshot would wait for it."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


def wants_meaning(model: Model, vectors: int, request: SearchRequest) -> bool:
    """Whether an index of so many vectors is searched by meaning whatever words find."""
    return request.ranking != "lexical" and (request.ranking == "dense" or not model.is_weak or vectors <= SMALL)


class SnapshotSearch:
    """One question in one snapshot of one build."""

    def __init__(
        self,
        connection: Connection,
        workspace_id: UUID,
        serving: Serving,
        question: Question,
        asked: Meaning | None,
        limits: Limits = (),
        near: Near | None = None,
    ) -> None:
        """Within a read-only transaction of one snapshot. Without `asked`, words alone are searched.

        `near` is what a target finds; None: PostgreSQL looks itself.

        Documents that one of the `limits` leaves out are as if they were not there.
        """
        self._connection = connection
        self._workspace_id = workspace_id
        self._serving = serving
        self._question = question
        self._request = question.request
        self._filters = question.request.filters or Filters()
        self._limits = limits
        self._is_filtered = bool(self._filters or limits)
        self._notes: list[str] = []
        self._asked = asked
        self._near = near
        self._model = model_named(serving.model)
        self._most = FURTHER_CANDIDATES if question.after else max(CANDIDATES, 2 * question.most)
        self._shown = question.after.shown if question.after else ()
        self._named = question.after.named if question.after else ()
        # What the planner guesses of a condition on keys is wrong by orders of magnitude.
        connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL jit = off")
        is_past = self._request.as_of is not None
        chunks = past.chunks_then(serving.build) if is_past else _by_key(chunk_table(serving.build))
        terms = past.terms_then(serving.build) if is_past else sql.Identifier(terms_table(serving.build))
        versions = past.versions_then() if is_past else sql.SQL("({})").format(sql.SQL(load_sql("versions")))
        allowed, parameters = self._allowed(versions if is_past else None)
        self._names = {
            "chunks": chunks,
            "terms": terms,
            "passages": sql.Identifier(passage_table(serving.build)),
            "versions": versions,
            "allowed": allowed,
        }
        self._parameters: dict[str, Any] = {
            **parameters,
            "workspace_id": workspace_id,
            "build": serving.build,
            "as_of": self._request.as_of,
            "embedding": asked.vector if asked else None,
            "candidates": self._most,
        }

    def _allowed(self, versions_then: sql.Composable | None) -> tuple[sql.Composable, dict[str, Any]]:
        """A condition on the document of a chunk: all filters leave it, those of the request and the limits.

        Of the past the limits leave what they left then and leave today.
        """
        wanted = [(self._filters, versions_then)] if self._filters else []
        times = (None,) if versions_then is None else (versions_then, None)
        wanted += [(limit, then) for limit in self._limits for then in times]
        conditions: list[sql.Composable] = []
        parameters: dict[str, Any] = {}
        for number, (filters, then) in enumerate(wanted):
            try:
                documents, values = self._documents(filters, then, f"f{number}_")
            except WrongUse:
                if not self._limits:
                    raise
                documents, values = _NO_DOCUMENT, {}
            conditions.append(sql.SQL("AND document_id IN ({})").format(documents))
            parameters |= values
        return sql.SQL(" ").join(conditions), parameters

    def _documents(
        self, filters: Filters, versions_then: sql.Composable | None, key: str
    ) -> tuple[sql.Composable, dict[str, Any]]:
        """The documents that filters leave; what they say is noted."""
        is_below_database = False
        find = find_indexed if self._request.as_of is None else find_place
        if filters.below:
            place = find(self._connection, self._workspace_id, filters.below)
            filters = replace(filters, below=place.external_id)
            is_below_database = place.is_container
        if filters.links_to:
            place = find(self._connection, self._workspace_id, filters.links_to)
            filters = replace(filters, links_to=place.external_id)
        past_key = {"build": self._serving.build, "as_of": self._request.as_of}
        known, notes = known_conditions(self._connection, self._workspace_id, filters, past_key, versions_then)
        self._notes += notes
        return documents_of(filters, known, versions_then, is_below_database, key)

    def run(self) -> Found:
        """Search."""
        if self._request.as_of is not None:
            ((vectors,),) = self._rows(sql.SQL(load_sql("past_total")).format(**self._names), {})
            self._serving = replace(self._serving, vectors=vectors)
        corrections, plan = self._planned()
        self._parameters["vector"] = plan.vector if plan else query_plan.NOTHING
        marked = terms_of(
            " ".join((*(text for text, share in self._question.parts if share > LEAST), *corrections.values()))
        )
        ranking = self._request.ranking if self._asked is not None else "lexical"
        calibration = calibration_of(self._serving.model, ranking, self._request.fusion)
        # Who filters has said what is relevant; and among a few texts nobody can say which words tell anything.
        refuses = not self._filters and self._serving.vectors >= TOO_FEW and not self._serving.is_outdated
        least = calibration.least if calibration and refuses else 0.0
        few = self._few_allowed()
        if self._limits:
            if few is not None and len(few) < TOO_FEW:
                least = 0.0
            self._notes = [_NOTHING_LEFT] if few == [] else []
            self._shown, self._named = self._without_left_out(self._shown), self._without_left_out(self._named)
        while True:
            chunks, are_all = (few, True) if few is not None else self._candidates(plan)
            best = self._best(self._scored(chunks), plan.attainable if plan else 0.0, calibration)
            best, others = self._one_a_document(best) if self._request.per_document else (best, {})
            given = {*self._shown, *self._named}
            texts: dict[tuple[str, int], FoundText] = {}
            known: dict[tuple[str, int], int] = {}
            before = list(self._hits([(chunk, 0.0) for chunk in self._shown], {}, {}, {}))
            hits = self._hits([each for each in best if each[0] not in given], others, texts, known)
            folded = fold(hits, self._question.most, marked, before)
            if folded.is_more or are_all or self._most >= MOST_CANDIDATES:
                gains = plan.gains if plan else {}
                return Found(folded, known, self._before(), texts, gains, marked, corrections, self._notes, least)
            self._most = self._parameters["candidates"] = min(4 * self._most, MOST_CANDIDATES)

    def _before(self) -> Cursor:
        """What has been shown, of this question, build and publish."""
        return self._question.after or Cursor(
            question_hash(self._request, self._workspace_id, self._limits),
            self._serving.build,
            microseconds(self._serving.published),
        )

    def _candidates(self, plan: query_plan.Plan | None) -> tuple[list[int], bool]:
        """Chunks to score, and whether a search for more of them would find none."""
        chunks = self._by_words(plan) if plan and self._request.ranking != "dense" else []
        are_all = len(chunks) < self._most
        if self._needs_meaning(len(chunks)):
            near = self._by_meaning()
            are_all = are_all and len(near) < self._most
            chunks = [*chunks, *near]
        return chunks, are_all

    def _planned(self) -> tuple[dict[str, str], query_plan.Plan | None]:
        """What to look for, with words that no text has replaced by near ones."""
        terms = dict(self._question.terms)
        counts = self._counts(terms)
        corrections: dict[str, str] = {}
        unknown: dict[str, float] = {}
        for text, share in self._question.parts:
            unknown = dict.fromkeys(typos.unknown_words(text, counts), share) | unknown
        for word, share in list(unknown.items())[: typos.MOST]:
            near = self._rows(load_sql("similar_words"), {"word": word})
            meant = typos.nearest(word, [row[0] for row in near])
            if meant is not None and self._may_be_told(meant):
                corrections[word] = meant
                more = query_terms(meant)
                terms |= {term: replace(each, weight=each.weight * typos.WEIGHT * share) for term, each in more.items()}
        if corrections:
            counts = self._counts(terms)
        return corrections, query_plan.plan(terms, self._serving.vectors, counts)

    def _may_be_told(self, word: str) -> bool:
        """Whether a text that the limits leave has the word, and not another one alone."""
        if not self._limits:
            return True
        statement = sql.SQL(load_sql("allowed_word")).format(**self._names)
        return bool(self._rows(statement, {"keys": query_plan.keys_of(query_terms(word))}))

    def _without_left_out(self, chunks: Sequence[int]) -> tuple[int, ...]:
        """Those chunks that limits and filters leave: a cursor can be made up."""
        statement = sql.SQL(load_sql("allowed_chunks")).format(**{**self._names, "terms": self._known_terms()})
        return tuple(row[0] for row in self._rows(statement, {"chunks": list(chunks)})) if chunks else ()

    def _counts(self, terms: Mapping[int, QueryTerm]) -> dict[int, int]:
        keys = {"keys": query_plan.keys_of(terms)}
        if self._request.as_of is None:
            return dict(self._rows(load_sql("counts"), keys))
        return dict(self._rows(sql.SQL(load_sql("past_counts")).format(**self._names), keys))

    def _by_words(self, plan: query_plan.Plan) -> list[int]:
        together = {f"together_{number}": keys for number, keys in enumerate(plan.together)}
        conjunction = sql.SQL(" AND ").join(
            sql.SQL("keys && {}::int[]").format(sql.Placeholder(key)) for key in together
        )
        condition: sql.Composable = sql.SQL("keys && %(keys)s::int[]")
        if together:
            condition = sql.SQL("({} OR ({}))").format(condition, conjunction)
        statement = sql.SQL(load_sql("by_words")).format(**self._names, found=condition)
        return [row[0] for row in self._rows(statement, {"keys": plan.keys, **together})]

    def _needs_meaning(self, by_words: int) -> bool:
        """Is it worth looking by meaning for chunks that words did not find?"""
        if self._asked is None or self._request.ranking == "lexical":
            return False
        return wants_meaning(self._model, self._serving.vectors, self._request) or by_words < self._request.k

    def _by_meaning(self) -> list[int]:
        assert self._asked is not None
        if self._near is not None:
            return self._of_target(self._near)
        vector = {"vector": self._asked.vector}
        if self._is_filtered:
            statement = sql.SQL(load_sql("allowed_by_meaning")).format(**self._names)
            return [row[0] for row in self._rows(statement, vector)]
        if self._request.as_of is None:
            statement = nearest_statement(self._serving.build, self._serving.dimensions, self._serving.ann)
        else:
            statement = sql.SQL(load_sql("past_nearest")).format(**self._names)
        with self._connection.transaction(force_rollback=True):  # what is tuned is for this statement only
            tune(self._connection, self._serving.ann, self._serving.search_effort)
            return [row[0] for row in self._rows(statement, vector)]

    def _of_target(self, near: Near) -> list[int]:
        """What a target found that may be found; of what is not published any more nothing is scored.

        Raises:
            MoreIsNeeded: that are too few.
        """
        chunks = near.chunks
        if self._is_filtered:
            left = set(self._without_left_out(chunks))
            chunks = tuple(chunk for chunk in chunks if chunk in left)
        if len(chunks) < self._most and not near.are_all and near.limit < MOST_NEAR:
            raise MoreIsNeeded(min(MOST_NEAR, max(4 * near.limit, self._most)))
        return list(chunks[: self._most])

    def _few_allowed(self) -> list[int] | None:
        """All chunks that a filter leaves, when few enough to be scored; None for many, and without a filter."""
        if not self._is_filtered:
            return None
        statement = sql.SQL(load_sql("allowed")).format(**self._names)
        chunks = [row[0] for row in self._rows(statement, {"candidates": FEW + 1})]
        return chunks if len(chunks) <= FEW else None

    def _scored(self, chunks: Sequence[int]) -> list[Scored]:
        statement = sql.SQL(load_sql("scores")).format(**{**self._names, "terms": self._known_terms()})
        language = self._asked.language if self._asked else None
        return [
            Scored(chunk, lexical, nearness(of_chunk, of_passage, language == spoken), language == spoken)
            for chunk, lexical, of_chunk, of_passage, spoken in self._rows(
                statement, {"chunks": list(dict.fromkeys(chunks))}
            )
        ]

    def _known_terms(self) -> sql.Composable:
        """The words of chunks that are known already."""
        build = self._serving.build
        return _by_key(terms_table(build)) if self._request.as_of is None else past.words(build)

    def _best(
        self, scored: Sequence[Scored], attainable: float, calibration: Calibration | None
    ) -> list[tuple[int, float]]:
        """The candidates with what they are worth to a reader, best first."""
        best = self._fused(scored, attainable)
        return best if calibration is None else calibration.scores(best, evidence(best, scored, attainable))

    def _fused(self, scored: Sequence[Scored], attainable: float) -> list[tuple[int, float]]:
        if self._request.ranking == "lexical":
            scored = [each for each in scored if each.lexical > 0]
        if self._request.ranking == "fused" and self._asked is not None:
            if self._request.fusion == "rrf":
                return fuse_by_rank(scored)
            if self._model.compares_passages:
                return fuse_as_they_are(scored, attainable)
            most = max((each.lexical for each in scored), default=0.0)
            is_weak = model_named(self._serving.model).is_weak
            weight = weight_of_meaning(most, attainable, has_cjk(self._question.text), is_weak)
        else:
            weight = 1.0 if self._request.ranking == "dense" and self._asked is not None else 0.0
        return fuse(scored, weight)

    def _one_a_document(self, best: Sequence[tuple[int, float]]) -> tuple[list[tuple[int, float]], dict[int, int]]:
        """The best chunk of each document, and by its id how many others of the document score half as much."""
        statement = sql.SQL(load_sql("documents")).format(**self._names)
        chunks = [*(chunk for chunk, _ in best), *self._shown, *self._named]
        document_of = dict(self._rows(statement, {"chunks": chunks}))
        given = {document_of.get(chunk) for chunk in (*self._shown, *self._named)}
        firsts: dict[UUID, tuple[int, float]] = {}
        others: dict[int, int] = {}
        for chunk, score in best:
            document = document_of.get(chunk)
            if document is None or document in given:
                continue
            first, most = firsts.setdefault(document, (chunk, score))
            if chunk != first and score >= most / 2:
                others[first] = others.get(first, 0) + 1
        return list(firsts.values()), others

    def _hits(
        self,
        best: Sequence[tuple[int, float]],
        others: Mapping[int, int],
        texts: dict[tuple[str, int], FoundText],
        known: dict[tuple[str, int], int],
    ) -> Iterator[Hit]:
        """Hits of chunks, best first; what is stored of each is put into `texts`, its id into `known`.

        So many are read at a time as twice the hits that are wanted: that is enough where few repeat each other.
        """
        for begin in range(0, len(best), 2 * self._question.most):
            some = best[begin : begin + 2 * self._question.most]
            chunks = [chunk for chunk, _ in some]
            near = self._near_passages(chunks)
            with self._connection.cursor(row_factory=dict_row) as cursor:
                cursor.execute(
                    sql.SQL(load_sql("hits")).format(**self._names),
                    {**self._parameters, "chunks": chunks, "neighbours": self._request.neighbours},
                )
                rows = {row.pop("document_chunk_id"): row for row in cursor.fetchall()}
            for chunk, score in some:
                if (row := rows.get(chunk)) is not None:
                    text = text_of(row, near.get(chunk, {}))
                    hit = replace(hit_of(score, row), other_chunks=others.get(chunk, 0))
                    texts[hit.document_id, hit.position] = text
                    known[hit.document_id, hit.position] = chunk
                    yield hit

    def _near_passages(self, chunks: Sequence[int]) -> dict[int, dict[int, float]]:
        """How near the passages of chunks are, by chunk and number, as far as they have vectors."""
        near: dict[int, dict[int, float]] = {}
        if self._asked is not None and self._model.compares_passages:
            statement = sql.SQL(load_sql("passages")).format(**self._names)
            for chunk, number, similarity in self._rows(statement, {"chunks": list(chunks)}):
                near.setdefault(chunk, {})[number] = similarity
        return near

    def _rows(self, statement: Any, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, {**self._parameters, **parameters}).fetchall()


def _by_key(table: str) -> sql.Composable:
    """A build's table for look-ups by chunk; also wants the parameter `build`.

    The keys begin with the build: without it, PostgreSQL before 18 reads the whole index for each chunk.
    """
    return sql.SQL("(SELECT * FROM {} WHERE rag_index_build_id = %(build)s)").format(sql.Identifier(table))
