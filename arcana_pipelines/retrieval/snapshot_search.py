"""One question in one snapshot of one build: words and meaning, scored and fused."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.rows import dict_row

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.indexes.builds import chunk_table, passage_table, terms_table
from arcana_pipelines.indexes.targets.pgvector.ann import nearest_statement, tuned
from arcana_pipelines.lexical import query_plan
from arcana_pipelines.lexical.analysis import QueryTerm
from arcana_pipelines.observing.traces import traced
from arcana_pipelines.retrieval import past
from arcana_pipelines.retrieval.filtered import OPEN_CHUNK, OPEN_FILE, are_equal, with_text_of
from arcana_pipelines.retrieval.filters import Limits
from arcana_pipelines.retrieval.fusion import Scored, nearness
from arcana_pipelines.retrieval.hit_files import MOST_PAGES, as_file
from arcana_pipelines.retrieval.left import Left
from arcana_pipelines.retrieval.ranked_search import FEW, Found, Meaning, Question, RankedSearch
from arcana_pipelines.retrieval.scroll_links import LONGEST_PAGE
from arcana_pipelines.retrieval.serving import Serving
from arcana_pipelines.retrieval.target_stores import Near

load_sql = statements_beside(__file__)

# Where a filter leaves few of what a target finds, it is asked for more, up to so many.
MOST_NEAR = 16_000


class MoreIsNeeded(Exception):
    """A target has to be asked, for so many chunks: not from here, where a snapshot would wait for it."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class SnapshotSearch(RankedSearch):
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
        super().__init__(workspace_id, serving, question, asked, limits)
        self._connection = connection
        self._near = near
        # What the planner guesses of a condition on keys is wrong by orders of magnitude.
        connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL jit = off")
        is_past = self._request.as_of is not None
        chunks = past.chunks_then(serving.build) if is_past else _by_key(chunk_table(serving.build))
        terms = past.terms_then(serving.build) if is_past else sql.Identifier(terms_table(serving.build))
        versions = past.versions_then() if is_past else sql.SQL("({})").format(sql.SQL(load_sql("versions")))
        self._left = Left(connection, workspace_id, self._filters, limits, serving.build, self._request.as_of)
        self._is_hushed = self._left.is_hushed
        self._notes += self._left.notes
        filtered, limited = self._left.filtered, self._left.limited
        allowed = self._condition([*filtered, *limited])
        seen = self._of_file(limited) if limited or is_past else sql.SQL("f.deleted_at IS NULL")
        if self._left.finds_open_alone:
            allowed, seen = sql.SQL("{} {}").format(allowed, OPEN_CHUNK), sql.SQL("{} AND {}").format(seen, OPEN_FILE)
        self._names = {
            "chunks": chunks,
            "terms": terms,
            "passages": sql.Identifier(passage_table(serving.build)),
            "versions": versions,
            "allowed": allowed,
            "equal": are_equal(is_past),
            "seen": seen,
            "wanted": self._of_file(filtered),
        }
        self._parameters: dict[str, Any] = {
            **self._left.parameters,
            "workspace_id": workspace_id,
            "build": serving.build,
            "as_of": self._request.as_of,
            "embedding": asked.vector if asked else None,
        }

    def _condition(self, left: Sequence[sql.Composable]) -> sql.Composable:
        """A condition on the document of a chunk: all filters leave it, or a file with its text."""
        if not self._left.with_files or not left:
            return sql.SQL(" ").join(sql.SQL("AND document_id IN ({})").format(each) for each in left)
        # Of equal files one has to be left by all filters, and not each filter may leave another one.
        together = sql.SQL(" INTERSECT ").join(sql.SQL("({})").format(each) for each in left)
        return sql.SQL("AND document_id IN ({})").format(with_text_of(together, self._request.as_of is not None))

    def _of_file(self, left: Sequence[sql.Composable]) -> sql.Composable:
        """A condition on a file `f`."""
        each = [sql.SQL("f.document_id IN ({})").format(documents) for documents in left]
        return sql.SQL(" AND ").join(each) if each else sql.SQL("true")

    @traced("search a snapshot")
    def run(self) -> Found:
        """Search."""
        if self._request.as_of is not None:
            ((vectors,),) = self._rows(sql.SQL(load_sql("past_total")).format(**self._names), {})
            self._serving = replace(self._serving, vectors=vectors)
        found = super().run()
        return self._with_facets(found) if "topics" in self._request.facets else found

    def _with_facets(self, found: Found) -> Found:
        from arcana_pipelines.retrieval.topic_facets import count_topics
        from arcana_pipelines.taxonomy.topics import has_topics

        is_past = self._request.as_of is not None
        served = {"build": self._serving.build, "as_of": self._request.as_of}
        facets = count_topics(self._connection, self._workspace_id, self._left, served, is_past)
        if not facets and not has_topics(self._connection, self._workspace_id):
            return replace(
                found, notes=[*found.notes, "This workspace has no active taxonomy: there are no topics to count."]
            )
        return replace(found, facets=facets)

    def _similar_words(self, word: str) -> list[str]:
        return [row[0] for row in self._rows(load_sql("similar_words"), {"word": word})]

    def _may_be_told(self, terms: Mapping[int, QueryTerm]) -> bool:
        """Whether a text that the limits leave has one of these terms, and not another one alone."""
        if not self._limits:
            return True
        statement = sql.SQL(load_sql("allowed_word")).format(**self._names)
        return bool(self._rows(statement, {"keys": _array(query_plan.keys_of(terms))}))

    def _without_left_out(self, chunks: Sequence[int]) -> tuple[int, ...]:
        """Those chunks that limits and filters leave: a cursor can be made up."""
        statement = sql.SQL(load_sql("allowed_chunks")).format(**{**self._names, "terms": self._known_terms()})
        return tuple(row[0] for row in self._rows(statement, {"chunks": _array(chunks)})) if chunks else ()

    def _counts(self, terms: Mapping[int, QueryTerm]) -> dict[int, int]:
        keys = {"keys": _array(query_plan.keys_of(terms))}
        if self._request.as_of is None:
            return dict(self._rows(load_sql("counts"), keys))
        return dict(self._rows(sql.SQL(load_sql("past_counts")).format(**self._names), keys))

    @traced("find by words")
    def _by_words(self, plan: query_plan.Plan) -> list[int]:
        together = {f"together_{number}": _array(keys) for number, keys in enumerate(plan.together)}
        conjunction = sql.SQL(" AND ").join(
            sql.SQL("keys && {}::int[]").format(sql.Placeholder(key)) for key in together
        )
        condition: sql.Composable = sql.SQL("keys && %(keys)s::int[]")
        if together:
            condition = sql.SQL("({} OR ({}))").format(condition, conjunction)
        statement = sql.SQL(load_sql("by_words")).format(**self._names, found=condition)
        return [row[0] for row in self._rows(statement, {"keys": _array(plan.keys), **together})]

    @traced("find by meaning")
    def _by_meaning(self) -> list[int]:
        assert self._asked is not None
        if self._near is not None:
            return self._of_target(self._near)
        vector = {"vector": self._asked.vector}
        if self._is_nearly_all and (near := self._nearly_all_near()) is not None:
            return near
        if self._is_filtered:
            statement = sql.SQL(load_sql("allowed_by_meaning")).format(**self._names)
            return [row[0] for row in self._rows(statement, vector)]
        if self._request.as_of is None:
            statement = nearest_statement(self._serving.build, self._serving.dimensions, self._serving.ann)
        else:
            statement = sql.SQL(load_sql("past_nearest")).format(**self._names)
        with tuned(self._connection, self._serving.ann, self._serving.search_effort):
            return [row[0] for row in self._rows(statement, vector)]

    @property
    def _is_nearly_all(self) -> bool:
        """Whether so much may be found that an approximate index finds it faster than a look at all of it."""
        is_open_alone = self._left.finds_open_alone and not self._left.limited and not self._filters
        return is_open_alone and self._request.as_of is None and self._serving.ann != "none"

    def _nearly_all_near(self) -> list[int] | None:
        """What is open of twice as many as are wanted; None: too little is."""
        assert self._asked is not None
        statement = nearest_statement(self._serving.build, self._serving.dimensions, self._serving.ann)
        asked = 2 * self._most
        with tuned(self._connection, self._serving.ann, self._serving.search_effort):
            rows = self._rows(statement, {"vector": self._asked.vector, "candidates": asked})
        left = set(self._without_left_out([row[0] for row in rows]))
        near = [row[0] for row in rows if row[0] in left]
        return near[: self._most] if len(near) >= self._most or len(rows) < asked else None

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

    @traced("score")
    def _scored(self, chunks: Sequence[int]) -> list[Scored]:
        statement = sql.SQL(load_sql("scores")).format(**{**self._names, "terms": self._known_terms()})
        language = self._asked.language if self._asked else None
        asked = {"asked_terms": query_plan.vector_of(dict.fromkeys(self._asked_terms, 1.0))}
        rows = self._rows(statement, {"chunks": _array(dict.fromkeys(chunks)), **asked}, is_binary=True)
        covered = self._covered([_terms_in(row[-1]) for row in rows])
        return [
            Scored(chunk, lexical, nearness(of_chunk, of_passage, language == spoken), language == spoken, said)
            for (chunk, lexical, of_chunk, of_passage, spoken, _), said in zip(rows, covered, strict=True)
        ]

    def _known_terms(self) -> sql.Composable:
        """The words of chunks that are known already."""
        build = self._serving.build
        return _by_key(terms_table(build)) if self._request.as_of is None else past.words(build)

    def _documents_of(self, chunks: Sequence[int]) -> dict[int, str]:
        statement = sql.SQL(load_sql("documents")).format(**self._names)
        return {chunk: str(document) for chunk, document in self._rows(statement, {"chunks": _array(chunks)})}

    @traced("read hits")
    def _rows_of_hits(self, chunks: Sequence[int]) -> dict[int, dict[str, Any]]:
        with self._connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(
                sql.SQL(load_sql("hits")).format(**self._names),
                {
                    **self._parameters,
                    "chunks": _array(chunks),
                    "neighbours": self._request.neighbours,
                    # They may be none that a limit leaves.
                    "tells_related": not self._left.limited,
                    "open_alone": self._left.finds_open_alone,
                    "longest_page": LONGEST_PAGE,
                },
            )
            rows = {row.pop("document_chunk_id"): row for row in cursor.fetchall()}
        files = self._files({row["document_id"] for row in rows.values() if row["kind"] == "file"})
        return {
            chunk: row if row["kind"] != "file" else as_file(row, files[row["document_id"]])
            for chunk, row in rows.items()
            if row["kind"] != "file" or row["document_id"] in files
        }

    def _files(self, holders: Set[UUID]) -> dict[UUID, list[dict[str, Any]]]:
        """Of each document with the text of a file the equal files that may be seen; first the one to be shown."""
        if not holders:
            return {}
        statement = sql.SQL(load_sql("files")).format(**self._names)
        parameters = {**self._parameters, "holders": list(holders), "most": MOST_PAGES + 1}
        files: dict[UUID, list[dict[str, Any]]] = {}
        with self._connection.cursor(row_factory=dict_row) as cursor:
            for file in cursor.execute(statement, parameters).fetchall():
                files.setdefault(file.pop("holder"), []).append(file)
        return {holder: alike for holder, alike in files.items() if alike[0]["is_wanted"]}

    @traced("compare passages")
    def _near_passages(self, chunks: Sequence[int]) -> dict[int, dict[int, float]]:
        """How near the passages of chunks are, by chunk and number, as far as they have vectors."""
        near: dict[int, dict[int, float]] = {}
        if self._asked is not None and self._model.compares_passages:
            statement = sql.SQL(load_sql("passages")).format(**self._names)
            for chunk, number, similarity in self._rows(statement, {"chunks": _array(chunks)}):
                near.setdefault(chunk, {})[number] = similarity
        return near

    def _rows(self, statement: Any, parameters: Mapping[str, Any], is_binary: bool = False) -> list[tuple[Any, ...]]:
        vector, other_vector = (
            (self._plan.vector, self._plan.other_vector) if self._plan else (query_plan.NOTHING, None)
        )
        by_words = {"vector": vector, "other_vector": other_vector}
        given = {**self._parameters, **by_words, "candidates": self._most, **parameters}
        return self._connection.execute(statement, given, binary=is_binary).fetchall()


def _terms_in(sent: bytes | None) -> Sequence[int]:
    """Terms as they are in what PostgreSQL sends of a sparsevec
    (https://github.com/pgvector/pgvector/blob/master/src/sparsevec.c: sparsevec_send)."""
    return struct.unpack(f">{len(sent) // 4}i", sent) if sent is not None else ()


def _array(numbers: Iterable[int]) -> str:
    """As PostgreSQL reads an array. Of a list psycopg adapts each number by itself, which takes far longer."""
    return f"{{{','.join(map(str, numbers))}}}"


def _by_key(table: str) -> sql.Composable:
    """A build's table for look-ups by chunk; also wants the parameter `build`.

    The keys begin with the build: without it, PostgreSQL before 18 reads the whole index for each chunk.
    """
    return sql.SQL("(SELECT * FROM {} WHERE rag_index_build_id = %(build)s)").format(sql.Identifier(table))
