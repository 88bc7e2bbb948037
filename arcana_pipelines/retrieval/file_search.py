"""One question to an index in a file: what `SnapshotSearch` reads of PostgreSQL, read of SQLite."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import md5
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import apsw
import numpy as np
from numpy.typing import NDArray

from arcana_pipelines.embedding.protocol import Vectors
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.indexes.index_file.collections import key_term
from arcana_pipelines.indexes.index_file.file import has_files
from arcana_pipelines.lexical import query_plan
from arcana_pipelines.lexical.analysis import QueryTerm
from arcana_pipelines.markdown.characters import clean
from arcana_pipelines.retrieval.filters import Filters
from arcana_pipelines.retrieval.fusion import Scored, nearness
from arcana_pipelines.retrieval.hit_files import MOST_PAGES, as_file
from arcana_pipelines.retrieval.limits import check_text
from arcana_pipelines.retrieval.places import Place, id_in, place_meant
from arcana_pipelines.retrieval.ranked_search import FEW, Meaning, Question, RankedSearch
from arcana_pipelines.retrieval.scroll_links import LONGEST_PAGE
from arcana_pipelines.retrieval.serving import Serving

_FACTS = ("document_id", "external_id", "kind", "title", "url", "path", "version", "last_edited_at")
_SIMILAR = 20
_LEAST_SIMILARITY = 0.3
_MOST_EDITS = 2


@dataclass(frozen=True, slots=True)
class FileCollection:
    """The collection of a file that is searched.

    Attributes:
        number: of its tables.
        workspace: the slug of the workspace that it is of.
        index: the name of the index.
        serving: what it was made by, and how much it has; `published` is when it was changed last.
    """

    number: int
    workspace: str
    index: str
    serving: Serving

    @property
    def workspace_id(self) -> UUID:
        """Another one for other workspaces and indexes: cursors hold for one."""
        return uuid5(NAMESPACE_URL, f"{self.workspace}/{self.index}")


def served_collection(connection: apsw.Connection, index: str | None) -> FileCollection:
    """The collection that serves an index; without a name the only one, or that of the index `default`.

    Raises:
        WrongUse: there is none, or no index of this name.
    """
    rows: list[Any] = connection.execute(
        "SELECT collection_id, workspace, index_name, build, dimensions, made_by, changed_at, "
        "(SELECT count(*) FROM document_chunks k WHERE k.collection_id = c.collection_id) "
        "FROM collections c WHERE alias IS NOT NULL ORDER BY index_name = 'default' DESC, index_name"
    ).fetchall()
    found = [row for row in rows if index in (None, row[2])]
    if not rows:
        raise WrongUse("The file has no index that serves (yet): it is being filled, or nothing was published.")
    if not found:
        raise WrongUse(f"The file has no index '{index}', only {', '.join(row[2] for row in rows)}.")
    number, workspace, name, build, dimensions, made_by, changed_at, vectors = found[0]
    by = json.loads(made_by)
    serving = Serving(
        build, by["model"], dimensions, by["chunker"], by["fingerprint"], "none", 0, vectors,
        datetime.fromisoformat(changed_at),
    )  # fmt: skip
    return FileCollection(number, workspace, name, serving)


class FileSearch(RankedSearch):
    """One question in one read transaction of a file."""

    def __init__(
        self,
        connection: apsw.Connection,
        collection: FileCollection,
        question: Question,
        asked: Meaning | None,
        vocabulary: Callable[[], Sequence[str]],
    ) -> None:
        """Without `asked`, words alone are searched. `vocabulary` are the words of the texts.

        Raises:
            WrongUse: a filter is not one that a file answers, or names a page that is not there.
        """
        super().__init__(collection.workspace_id, collection.serving, question, asked)
        self._connection = connection
        self._collection = collection
        self._vocabulary = vocabulary
        # Unit vectors are compared.
        self._vector = None if asked is None else _unit(asked.numbers)
        self._has_files = has_files(connection)
        self._document_left, self._values = self._documents_left(self._filters)
        self._allowed = self._chunk_allowed()

    def _chunk_allowed(self) -> str:
        """A condition on a chunk `k`: of its document, or of a file with the same bytes."""
        if not self._document_left:
            return ""
        holder = "d.document_id"
        if self._has_files:
            of_document = "f.collection_id = d.collection_id AND f.document_id = d.document_id"
            holder = f"coalesce((SELECT f.copy_of FROM files f WHERE {of_document}), d.document_id)"
        return (
            f"AND k.document_id IN (SELECT {holder} FROM documents d "
            f"WHERE d.collection_id = :collection AND {self._document_left})"
        )

    def _documents_left(self, filters: Filters) -> tuple[str, dict[str, Any]]:
        """A condition on a document `d`, with its parameters; empty without filters."""
        if filters.properties or filters.links_to or filters.internal is not None or filters.topic:
            raise WrongUse(
                "A file is searched with the filters below, kinds and edited_since. Conditions on properties and links "
                "are answered by the workspace's own index, and so are topics: arcana search SLUG."
            )
        if self._request.facets:
            raise WrongUse("A file has no topics: the workspace's own index counts them (arcana search SLUG --facets).")
        conditions = []
        values: dict[str, Any] = {"collection": self._collection.number}
        if filters.kinds:
            conditions.append("d.kind IN (SELECT value FROM json_each(:kinds))")
            values["kinds"] = json.dumps(list(filters.kinds))
        if filters.edited_since:
            conditions.append("julianday(d.last_edited_at) >= julianday(:since)")
            values["since"] = filters.edited_since.isoformat()
        if filters.below:
            # As in documents/sql/paths.sql: the label of the page, or the file, is in the path of all that is below it.
            digest = _digest(self._below(filters.below))
            conditions.append("(instr('.' || d.path || '.', :page) > 0 OR instr('.' || d.path || '.', :file) > 0)")
            values |= {"page": f".p{digest}.", "file": f".f{digest}."}
        return " AND ".join(conditions), values

    def _below(self, asked: str) -> str:
        external_id = id_in(asked.strip())
        if external_id is not None and not places_named(self._connection, self._collection.number, asked):
            # A database is no document; what is below it says so.
            is_there = self._connection.execute(
                "SELECT 1 FROM documents WHERE collection_id = ? AND instr('.' || path || '.', ?) > 0 LIMIT 1",
                (self._collection.number, f".p{_digest(external_id)}."),
            ).get
            if is_there:
                return external_id
        return find_in_file(self._connection, self._collection.number, asked).external_id

    def _counts(self, terms: Mapping[int, QueryTerm]) -> dict[int, int]:
        keys = query_plan.keys_of(terms)
        vocabulary = f"keys_of_{self._collection.number}"
        self._connection.execute(
            f"CREATE VIRTUAL TABLE IF NOT EXISTS temp.{vocabulary} USING "
            f"fts5vocab('main', 'keys_{self._collection.number}', 'row')"
        )
        found: Iterable[Any] = self._connection.execute(
            f"SELECT term, doc FROM temp.{vocabulary} WHERE term IN (SELECT value FROM json_each(?))",
            (json.dumps([key_term(key) for key in keys]),),
        )
        return {int(term, 16): chunks for term, chunks in found}

    def _similar_words(self, word: str) -> list[str]:
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        near = process.extract(word, self._vocabulary(), scorer=OSA.distance, score_cutoff=_MOST_EDITS, limit=None)
        likest = sorted((-_similarity(word, other), other) for other, _, _ in near)
        return [other for similarity, other in likest if -similarity >= _LEAST_SIMILARITY][:_SIMILAR]

    def _may_be_told(self, terms: Mapping[int, QueryTerm]) -> bool:
        return True

    def _without_left_out(self, chunks: Sequence[int]) -> tuple[int, ...]:
        return tuple(chunks)

    def _few_allowed(self) -> list[int] | None:
        if not self._is_filtered:
            return None
        chunks = self._rows(
            f"SELECT chunk_id FROM document_chunks k WHERE collection_id = :collection {self._allowed} LIMIT {FEW + 1}"
        )
        return [chunk for (chunk,) in chunks] if len(chunks) <= FEW else None

    def _by_words(self, plan: query_plan.Plan) -> list[int]:
        found = _any(plan.keys)
        if plan.together:
            found = f"{found} OR ({' AND '.join(f'({_any(group)})' for group in plan.together)})"
        number = self._collection.number
        rows = self._rows(
            f"SELECT k.chunk_id, k.terms, k.weights FROM keys_{number} JOIN document_chunks k "
            f"ON k.vector_id = keys_{number}.rowid WHERE keys_{number} MATCH :found {self._allowed}",
            found=found,
        )
        scores = _lexical([row[1:] for row in rows], plan)
        best = sorted(zip(-scores, (row[0] for row in rows), strict=True))
        return [chunk for _, chunk in best[: self._most]]

    def _by_meaning(self) -> list[int]:
        assert self._vector is not None
        vector = self._vector.astype("<f4").tobytes()
        number = self._collection.number
        if self._is_filtered:
            rows = self._rows(
                f"SELECT chunk_id FROM document_chunks k WHERE collection_id = :collection {self._allowed} "
                "ORDER BY vec_distance_cosine(embedding, :vector) LIMIT :most",
                vector=vector,
                most=self._most,
            )
        else:
            rows = self._rows(
                "SELECT k.chunk_id FROM ("
                f"SELECT vector_id, distance FROM vectors_{number} WHERE embedding MATCH :vector AND k = :most"
                ") near JOIN document_chunks k USING (vector_id) ORDER BY near.distance",
                vector=vector,
                most=self._most,
            )
        return [chunk for (chunk,) in rows]

    def _scored(self, chunks: Sequence[int]) -> list[Scored]:
        rows = self._of_chunks("chunk_id, embedding, passages, terms, weights, language", chunks)
        language = self._asked.language if self._asked else None
        lexical = _lexical([row[3:5] for row in rows], self._plan)
        covered = self._covered([np.frombuffer(row[3] or b"", "<i4").tolist() for row in rows])
        return [
            Scored(
                chunk,
                float(score),
                nearness(self._near_chunk(embedding), self._near_passage(passages), language == spoken),
                language == spoken,
                said,
            )
            for (chunk, embedding, passages, *_, spoken), score, said in zip(rows, lexical, covered, strict=True)
        ]

    def _near_chunk(self, embedding: bytes) -> float:
        return 0.0 if self._vector is None else float(np.frombuffer(embedding, "<f4") @ self._vector)

    def _near_passage(self, passages: bytes | None) -> float | None:
        similarities = self._similarities(passages)
        return max(similarities.values(), default=None)

    def _similarities(self, passages: bytes | None) -> dict[int, float]:
        """Of the passages of a chunk, by their number, as far as they have vectors."""
        if self._vector is None or passages is None:
            return {}
        vectors = np.frombuffer(passages, "<f2").astype(np.float32).reshape(-1, len(self._vector))
        similar = vectors @ self._vector
        return {int(number): float(similar[number]) for number in np.flatnonzero(vectors.any(axis=1))}

    def _documents_of(self, chunks: Sequence[int]) -> dict[int, str]:
        return dict(self._of_chunks("chunk_id, document_id", chunks))

    def _rows_of_hits(self, chunks: Sequence[int]) -> dict[int, dict[str, Any]]:
        found = self._of_chunks("chunk_id, document_id, heading_path, heading_levels, text", chunks)
        documents = self._rows(
            f"SELECT {', '.join(_FACTS)}, CASE WHEN length(text) <= :longest_page THEN text END, chunk_ids "
            "FROM documents WHERE collection_id = :collection "
            "AND document_id IN (SELECT value FROM json_each(:documents))",
            documents=json.dumps(sorted({row[1] for row in found})),
            longest_page=LONGEST_PAGE,
        )
        facts = {row[0]: row for row in documents}
        in_order = {row[0]: json.loads(row[-1]) for row in documents}
        position = {row[0]: in_order[row[1]].index(row[0]) for row in found}
        most = self._request.neighbours
        beside = {
            row[0]: (
                in_order[row[1]][max(0, position[row[0]] - most) : position[row[0]]],
                in_order[row[1]][position[row[0]] + 1 : position[row[0]] + 1 + most],
            )
            for row in found
        }
        wanted = [chunk for before, after in beside.values() for chunk in (*before, *after)]
        text_of = dict(self._of_chunks("chunk_id, text", wanted)) if wanted else {}
        files = self._files([row[0] for row in documents if row[2] == "file"])
        rows = {}
        for chunk, document, heading_path, heading_levels, text in found:
            before, after = beside[chunk]
            row = {
                **dict(zip(_FACTS, facts[document], strict=False)),
                "workspace": self._collection.workspace,
                "heading_path": json.loads(heading_path),
                "heading_levels": json.loads(heading_levels),
                "position": position[chunk],
                "text": text,
                "page_text": facts[document][len(_FACTS)],
                "before": [text_of[each] for each in before],
                "after": [text_of[each] for each in after],
            }
            if document in files:
                row = as_file({**row, "place": _place(files[document], position[chunk])}, files[document])
            rows[chunk] = row
        return rows

    def _files(self, holders: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Of each document with the text of a file the equal files; first the one to be shown."""
        if not holders or not self._has_files:
            return {}
        left = self._document_left or "true"
        found = self._rows(
            f"SELECT coalesce(f.copy_of, f.document_id), {', '.join(f'd.{name}' for name in _FACTS)}, "
            "f.mime_type, f.page_external_id, f.page_title, f.page_url, "
            "(SELECT h.places FROM files h WHERE h.collection_id = f.collection_id "
            "AND h.document_id = coalesce(f.copy_of, f.document_id)) "
            "FROM files f JOIN documents d USING (collection_id, document_id) WHERE f.collection_id = :collection "
            "AND (f.document_id IN (SELECT value FROM json_each(:holders)) "
            "OR f.copy_of IN (SELECT value FROM json_each(:holders))) "
            f"ORDER BY NOT ({left}), f.copy_of IS NOT NULL, d.path",
            holders=json.dumps(list(holders)),
        )
        names = (*_FACTS, "mime_type", "page_external_id", "page_title", "page_url", "places")
        files: dict[str, list[dict[str, Any]]] = {}
        for holder, *values in found:
            file = dict(zip(names, values, strict=True))
            alike = files.setdefault(holder, [])
            if len(alike) <= MOST_PAGES:
                alike.append({**file, "file": {"mime_type": file["mime_type"]}})
        return files

    def _near_passages(self, chunks: Sequence[int]) -> dict[int, dict[int, float]]:
        if self._asked is None or not self._model.compares_passages:
            return {}
        return {
            chunk: self._similarities(passages) for chunk, passages in self._of_chunks("chunk_id, passages", chunks)
        }

    def _of_chunks(self, columns: str, chunks: Sequence[int]) -> list[Any]:
        return self._rows(
            f"SELECT {columns} FROM document_chunks WHERE collection_id = :collection "
            "AND chunk_id IN (SELECT value FROM json_each(:chunks))",
            chunks=json.dumps(list(dict.fromkeys(chunks))),
        )

    def _rows(self, statement: str, **values: Any) -> list[Any]:
        return self._connection.execute(statement, {**self._values, **values}).fetchall()


def _place(files: Sequence[Mapping[str, Any]], position: int) -> Any:
    """Where in its file the chunk at a position stands; None where that is not known."""
    places = json.loads(files[0]["places"] or "[]")
    return places[position] if position < len(places) else None


def find_in_file(connection: apsw.Connection, number: int, asked: str) -> Place:
    """The document that `asked` means: by its page's id or address, or its exact title.

    Raises:
        WrongUse: there is none, or several have this title.
    """
    check_text("The page", asked)
    titles = "SELECT title FROM documents WHERE collection_id = ?"
    return place_meant(
        asked.strip(),
        places_named(connection, number, asked),
        lambda: [str(row[0]) for row in connection.execute(titles, (number,))],
    )


def places_named(connection: apsw.Connection, number: int, asked: str) -> list[Place]:
    """The documents of this id or title."""
    asked = asked.strip()
    title, external_id = clean(asked).strip().lower(), id_in(asked)
    found: Iterable[Any] = connection.execute(
        "SELECT external_id, title FROM documents WHERE collection_id = ?", (number,)
    )
    return [
        Place(each, is_container=False, title=named, state="fetched", is_indexed=True)
        for each, named in found
        if each in (asked, external_id) or named.lower() == title
    ]


def _unit(numbers: Sequence[float] | Vectors) -> Vectors:
    vector = np.asarray(numbers, dtype=np.float32)
    return vector / (np.linalg.norm(vector) or np.float32(1))


def _lexical(rows: Sequence[tuple[bytes | None, bytes | None]], plan: query_plan.Plan | None) -> NDArray[np.float64]:
    """BM25 of each row, in the language of the question or the other one, as it has more."""
    if plan is None or not rows:
        return np.zeros(len(rows))
    own = _gained(rows, plan.gains)
    return np.maximum(own, _gained(rows, plan.other_gains)) if plan.other_gains else own


def _gained(rows: Sequence[tuple[bytes | None, bytes | None]], by_term: Mapping[int, float]) -> NDArray[np.float64]:
    """What the terms that each row has gain, times their weights."""
    gains = np.array(sorted(by_term.items()))
    terms = np.frombuffer(b"".join(row[0] or b"" for row in rows), "<i4")
    weights = np.frombuffer(b"".join(row[1] or b"" for row in rows), "<f4")
    row_of_term = np.repeat(np.arange(len(rows)), [len(row[0] or b"") // 4 for row in rows])
    at = np.minimum(np.searchsorted(gains[:, 0], terms), len(gains) - 1)
    is_asked = gains[at, 0] == terms
    gained = weights[is_asked] * gains[at[is_asked], 1]
    return np.bincount(row_of_term[is_asked], gained, minlength=len(rows)).astype(np.float64)


def _any(keys: Sequence[int]) -> str:
    return " OR ".join(map(key_term, keys))


def _digest(external_id: str) -> str:
    return md5(external_id.encode(), usedforsecurity=False).hexdigest()[:16]


def _similarity(one: str, other: str) -> float:
    """As `similarity` of PostgreSQL's pg_trgm (https://www.postgresql.org/docs/current/pgtrgm.html)."""
    ours, theirs = _trigrams(one), _trigrams(other)
    return len(ours & theirs) / len(ours | theirs)


def _trigrams(word: str) -> set[str]:
    padded = f"  {word} "
    return {padded[at : at + 3] for at in range(len(padded) - 2)}
