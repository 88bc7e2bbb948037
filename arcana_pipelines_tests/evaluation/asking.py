"""Indexes a folder of pages or the sample's tickets, asks natural questions, and measures what a reader sees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from uuid import UUID

from arcana_pipelines.cli.commands.search import SHOWN as ON_A_TERMINAL
from arcana_pipelines.cli.commands.search import SHOWN_TOO as TOO_ON_A_TERMINAL
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.embedding.catalogue import dimensions_of
from arcana_pipelines.evaluation import golden, metrics
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.pipeline import registration
from arcana_pipelines.pipeline.session import workspace_session
from arcana_pipelines.pipeline.sync import SyncRequest, sync
from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.retrieval.excerpts import excerpt, excerpt_too
from arcana_pipelines.retrieval.fusion import Ranking
from arcana_pipelines.retrieval.results import Hit
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.sources.notion_export.catalogue import Catalogue
from arcana_pipelines.sources.notion_export.export import open_export
from arcana_pipelines.workspaces.workspaces import find
from arcana_pipelines_tests.evaluation.question_file import NaturalQuestion, Pages

SLUG, HELPDESK_SLUG = "pages", "tickets"
RANKINGS: dict[str, Ranking] = {"words": "lexical", "meaning": "dense", "fused": "fused"}
ALL = "all"
# Hits asked for, so that there are ten pages among them; a reader sees the first ten.
DEPTH, SHOWN = 50, 10


@dataclass(frozen=True, slots=True)
class Answered:
    """What a search gave for a question.

    Attributes:
        page_rank: that of the first hit of a page that answers, from 1; None: it is not among the ten that are shown.
        answer_rank: that of the first of them whose printed passage has words of the answer, likewise.
        is_refused: nothing was said to be found.
        ndcg: that of pages at ten, as `arcana eval` has it.
        mrr: likewise.
    """

    question: NaturalQuestion
    page_rank: int | None
    answer_rank: int | None
    is_refused: bool
    ndcg: float
    mrr: float


@dataclass(frozen=True, slots=True)
class Measures:
    """Of some answers to questions of one kind.

    Attributes:
        questions: how many there are.
        answerable: how many of them the pages answer.
        with_answer: how many of these say in which words.
        first: the share of the answerable for which the first hit is of a page that answers.
        first_three: the same, one of the first three.
        ndcg: the mean over the answerable.
        mrr: likewise.
        answer_first: the share of `with_answer` for which the first hit shows words of the answer.
        answer_first_three: the same, one of the first three.
        refused_wrongly: the share of the answerable for which nothing was said to be found.
        refused_rightly: the same of the questions that the pages do not answer.
    """

    questions: int
    answerable: int
    with_answer: int
    first: float | None
    first_three: float | None
    ndcg: float | None
    mrr: float | None
    answer_first: float | None
    answer_first_three: float | None
    refused_wrongly: float | None
    refused_rightly: float | None


def measured(answers: Sequence[Answered]) -> Measures:
    """Shares and means; None where there is no question of the kind."""
    known = [each for each in answers if each.question.relevant]
    shown = [each for each in known if each.question.answer]
    unknown = [each for each in answers if not each.question.relevant]
    return Measures(
        len(answers),
        len(known),
        len(shown),
        first=_mean(each.page_rank == 1 for each in known),
        first_three=_mean((each.page_rank or SHOWN) <= 3 for each in known),
        ndcg=_mean(each.ndcg for each in known),
        mrr=_mean(each.mrr for each in known),
        answer_first=_mean(each.answer_rank == 1 for each in shown),
        answer_first_three=_mean((each.answer_rank or SHOWN) <= 3 for each in shown),
        refused_wrongly=_mean(each.is_refused for each in known),
        refused_rightly=_mean(each.is_refused for each in unknown),
    )


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return round(fmean(known), 4) if known else None


def by_pair(answers: Sequence[Answered]) -> dict[str, Measures]:
    """The measures of each pair of languages, in the order of the file, and of all."""
    pairs = dict.fromkeys(each.question.pair for each in answers)
    rows = {pair: measured([each for each in answers if each.question.pair == pair]) for pair in pairs}
    return rows | {ALL: measured(answers)}


class IndexedPages:
    """A folder of pages, or the tickets of the sample, with an index in a database of their own."""

    def __init__(self, database: Database, folder: Path | None, model: str) -> None:
        """Makes the index: `folder` is an export of Notion or any folder of Markdown; None: the sample's helpdesk."""
        index = IndexSettings.of_model(model, dimensions_of(model))
        slug, platform = (HELPDESK_SLUG, "sample_helpdesk") if folder is None else (SLUG, "notion_export")
        config = {} if folder is None else {"path": str(folder.resolve())}
        registration.register(database, slug, platform, index, lambda _: None, lambda _: None, source_config=config)
        with workspace_session(database, slug) as session:
            sync(session, SyncRequest())
        self._database = database
        with database.connection() as connection:
            self._workspace_id = find(connection, slug).workspace_id
            titles = _titles(connection, self._workspace_id)
            # Tickets are named by their numbers.
            paths = {number: number for number in titles} if folder is None else _paths(folder)
            self.pages = Pages(titles, paths | _paths_of_files(connection, self._workspace_id))

    def texts(self, pages: Iterable[str]) -> list[str]:
        """What can be found of pages (properties among it), by their ids."""
        with self._database.connection() as connection:
            rows = connection.execute(
                "SELECT string_agg(k.chunk_content, E'\\n' ORDER BY k.position) FROM document_chunk k "
                "JOIN rag_indexes i ON i.active_build_id = k.rag_index_build_id "
                "JOIN document_content c USING (document_content_id) "
                "WHERE i.workspace_id = %s AND k.deleted_at IS NULL AND c.contents->>'external_id' = ANY(%s) "
                "GROUP BY c.contents->>'external_id'",
                [self._workspace_id, list(pages)],
            ).fetchall()
        return [text for (text,) in rows]

    def chunks(self, names: Iterable[str]) -> frozenset[int]:
        """The `document_chunk_id` of all chunks of pages, by the names that questions use."""
        with self._database.connection() as connection:
            rows = connection.execute(
                "SELECT k.document_chunk_id FROM document_chunk k "
                "JOIN rag_indexes i ON i.active_build_id = k.rag_index_build_id "
                "JOIN document_content c USING (document_content_id) "
                "WHERE i.workspace_id = %s AND k.deleted_at IS NULL AND c.contents->>'external_id' = ANY(%s)",
                [self._workspace_id, [self.pages.named(name) for name in names]],
            ).fetchall()
        return frozenset(chunk for (chunk,) in rows)

    def ask(self, questions: Sequence[NaturalQuestion], ranking: Ranking) -> list[Answered]:
        """Ask every question by one ranking, without a reranker."""
        self.require(questions)
        with self.searcher() as searcher:
            return [self._answered(searcher, question, ranking) for question in questions]

    @contextmanager
    def searcher(self) -> Iterator[ConnectionSearcher]:
        """Searches the pages without a reranker."""
        with self._database.connection() as connection:
            yield ConnectionSearcher(connection, self._database.settings, self._workspace_id)

    def require(self, questions: Sequence[NaturalQuestion]) -> None:
        """Raises SystemExit where a question names what is no page, or several."""
        for question in questions:
            for name in question.relevant:
                try:
                    self.pages.named(name)
                except LookupError as error:
                    raise SystemExit(f"Question {question.id}: {error}. Name it by its path.") from None

    def _answered(self, searcher: ConnectionSearcher, question: NaturalQuestion, ranking: Ranking) -> Answered:
        right = {self.pages.named(name) for name in question.relevant}
        hits = searcher.search(SearchRequest(question.query, DEPTH, ranking=ranking)).hits
        found = [number for number, hit in enumerate(hits[:SHOWN], start=1) if right & pages_of(hit)]
        showing = (number for number in found if shows(hits[number - 1], question.answer))
        measures = {metrics.DECISIVE: 0.0, "mrr@10": 0.0}
        if right:
            judged = golden.Question.model_validate({"query": question.query, "relevant": sorted(right)})
            measures = metrics.measure(golden.gains(judged, hits), judged.ideal)
        return Answered(
            question,
            found[0] if found else None,
            next(showing, None),
            not hits,
            measures[metrics.DECISIVE],
            measures["mrr@10"],
        )


def pages_of(hit: Hit) -> set[str]:
    """A hit's page, and those that it names for the same text."""
    return {hit.external_id, *(twin.external_id for twin in hit.duplicates)}


def shows(hit: Hit, answers: Iterable[str]) -> bool:
    """Whether a passage that a terminal prints of a hit has one of these."""
    printed = [excerpt(hit, ON_A_TERMINAL)[0], excerpt_too(hit, TOO_ON_A_TERMINAL)[0]]
    return any(golden.holds(passage, answer) for passage in printed for answer in answers)


def _titles(connection: Connection, workspace_id: UUID) -> dict[str, str]:
    rows = connection.execute(
        "SELECT external_id, title FROM source_page WHERE workspace_id = %s AND document_id IS NOT NULL", [workspace_id]
    )
    return dict(rows.fetchall())


def _paths_of_files(connection: Connection, workspace_id: UUID) -> dict[str, str]:
    rows = connection.execute(
        "SELECT file_id, external_id FROM source_file WHERE workspace_id = %s AND document_id IS NOT NULL",
        [workspace_id],
    )
    return dict(rows.fetchall())


def _paths(folder: Path) -> dict[str, str]:
    archive = open_export(folder)
    try:
        pages = Catalogue(archive.files, archive.zips).pages
        return {page.file.path: page.external_id for page in pages.values()}
    finally:
        archive.close()
