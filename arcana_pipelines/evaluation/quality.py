"""How well a build answers golden questions: measured, stored, compared with a baseline, asked before a promotion."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import EmbeddingFailed, RerankingFailed
from arcana_pipelines.evaluation import golden
from arcana_pipelines.evaluation.drafts import Page, draft
from arcana_pipelines.evaluation.golden import Question, Relevant
from arcana_pipelines.evaluation.metrics import DECISIVE, measure, percentile
from arcana_pipelines.indexes.builds import Build, builds_of
from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.retrieval.fusion import Fusion, Ranking
from arcana_pipelines.retrieval.reranking.protocol import Reranker
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

load_sql = statements_beside(__file__)

RANKINGS: tuple[Ranking, ...] = ("fused", "dense", "lexical")
# Chunks asked for, so that there are 50 pages among them.
DEPTH = 200
# So much of the fused nDCG@10 may be lost before a result counts as worse.
TOLERANCE = 0.01
# Answers that are shown to people.
WORST = 10
# Drafts of questions come from so many pages at most.
MOST_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What the measures say of one question.

    Attributes:
        measures: 0 to 1 by the measure's name, for each ranking.
        seconds: what a reader waits for ten fused hits.
    """

    question: Question
    measures: Mapping[Ranking, Mapping[str, float]]
    seconds: float

    @property
    def difference(self) -> float:
        """What fusing gained over the better one of its halves; below 0 it did harm."""
        return self.measures["fused"][DECISIVE] - max(
            self.measures["dense"][DECISIVE], self.measures["lexical"][DECISIVE]
        )


@dataclass(frozen=True)
class Evaluation:
    """What one build answered.

    Attributes:
        build: the one that was asked.
        answers: one a question. A question that names no page of the workspace has none.
        unknown: ids of pages that questions name and the workspace does not have (any more), sorted. They are left out.
        unsaid: passages that questions quote and their pages do not say (any more). They are left out likewise.
    """

    build: Build
    answers: tuple[Answer, ...]
    unknown: tuple[str, ...]
    unsaid: tuple[Relevant, ...] = ()

    def frame(self) -> pd.DataFrame:
        """Every measure of every answer by every ranking, a row each.

        Columns: `question` (its number, from 0), `key` (see `Question.key`), `query`, `ranking`, `measure`, and `value`
        (0 to 1).
        """
        import pandas as pd

        rows = [
            (number, answer.question.key, answer.question.query, ranking, name, value)
            for number, answer in enumerate(self.answers)
            for ranking in RANKINGS
            for name, value in answer.measures[ranking].items()
        ]
        return pd.DataFrame(rows, columns=["question", "key", "query", "ranking", "measure", "value"])

    @cached_property
    def metrics(self) -> dict[str, dict[str, float]]:
        """The means by ranking, and percentiles of the time of a fused search in ms; empty without an answer."""
        if not self.answers:
            return {}
        means = self.frame().groupby(["ranking", "measure"], sort=False)["value"].mean()
        measures: dict[str, dict[str, float]] = {ranking: _rounded(means[ranking]) for ranking in RANKINGS}
        times = [answer.seconds * 1000 for answer in self.answers]
        measures["latency_ms"] = {f"p{percent}": round(percentile(times, percent), 1) for percent in (50, 95, 99)}
        return measures

    @property
    def by_question(self) -> dict[str, float]:
        """The decisive measure of each question, by its key."""
        return {answer.question.key: answer.measures["fused"][DECISIVE] for answer in self.answers}

    @property
    def worst(self) -> list[Answer]:
        """The answers that left most to be wished for; among equals, those first that fusing harmed most."""
        frame = self.frame()
        fused = frame[(frame["measure"] == DECISIVE) & (frame["ranking"] == "fused") & (frame["value"] < 1)]
        fused = fused.assign(difference=[self.answers[number].difference for number in fused["question"]])
        numbers = fused.sort_values(["value", "difference"], kind="stable")["question"].head(WORST)
        return [self.answers[number] for number in numbers]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "index": self.build.index_name,
            "build": self.build.rag_index_build_id,
            "questions": len(self.answers),
            "unknown": list(self.unknown),
            "unsaid": [{"external_id": each.external_id, "passage": each.passage} for each in self.unsaid],
            "metrics": {ranking: self.metrics[ranking] for ranking in RANKINGS if self.metrics},
            "latency_ms": self.metrics.get("latency_ms"),
            "per_query": [
                {
                    "query": answer.question.query,
                    **{ranking: _rounded(answer.measures[ranking]) for ranking in RANKINGS},
                    "difference": round(answer.difference, 4),
                }
                for answer in self.answers
            ],
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """A result and an earlier one, by the decisive measure (fused nDCG@10) on the questions that both answered.

    Attributes:
        questions: how many both answered.
        before: the earlier mean, 0 to 1.
        now: the new mean, 0 to 1.
    """

    questions: int
    before: float
    now: float

    @property
    def holds(self) -> bool:
        """True when nothing was lost, but for the tolerance."""
        return self.now >= self.before - TOLERANCE

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "questions": self.questions,
            "before": round(self.before, 4),
            "now": round(self.now, 4),
            "holds": self.holds,
        }


def evaluate(
    connection: Connection,
    settings: Settings,
    build: Build,
    questions: Sequence[Question],
    fusion: Fusion = "weighted",
    reranker: Reranker | None = None,
) -> Evaluation:
    """Ask a build every question by every ranking; stores nothing.

    What the settings say of a reranker does not matter here: an index is judged by itself.

    Raises:
        EmbeddingFailed: the provider does not embed questions, so that meaning cannot be judged.
        RerankingFailed: the reranker does not answer, so that it cannot be judged.
    """
    relevant = [each for question in questions for each in question.relevant]
    named = {each.external_id for each in relevant}
    quoted = {each.external_id for each in relevant if each.passage is not None}
    key = {"workspace_id": build.workspace_id, "pages": list(named), "quoted": list(quoted)}
    known = dict(connection.execute(load_sql("known_pages"), key).fetchall())
    searcher = ConnectionSearcher(connection, settings, build.workspace_id, build.rag_index_build_id, reranker=reranker)
    asked = filter(None, (question.among(known) for question in questions))
    unsaid = [each for each in relevant if each.external_id in known and not each.stands_in(known)]
    answers = tuple(_answer(searcher, question, build.index_name, fusion, reranker is not None) for question in asked)
    return Evaluation(build, answers, tuple(sorted(named - known.keys())), tuple(unsaid))


def _answer(
    searcher: ConnectionSearcher, question: Question, index: str, fusion: Fusion, with_reranker: bool
) -> Answer:
    # The order is measured, whether or not a reader would be told that nothing was found.
    first = SearchRequest(question.query, fusion=fusion, min_score=0.0, index=index)
    results = {ranking: searcher.search(replace(first, k=DEPTH, ranking=ranking)) for ranking in RANKINGS}
    hits_of = {ranking: each.hits for ranking, each in results.items()}
    if hits_of["fused"] and with_reranker and not results["fused"].is_reranked:
        raise RerankingFailed(
            "The reranker does not answer (the log says why), so it cannot be judged. Evaluate again when it does."
        )
    if hits_of["fused"] and not hits_of["dense"]:
        raise EmbeddingFailed(
            "The embedding provider does not embed the golden questions, so only words were searched. "
            "Evaluate again when it answers."
        )
    seconds = searcher.search(first).seconds
    measures = {ranking: measure(golden.gains(question, hits), question.ideal) for ranking, hits in hits_of.items()}
    return Answer(question, measures, seconds)


def compare(evaluation: Evaluation, before: Mapping[str, float]) -> Comparison | None:
    """Compare with a result's `by_question`; None when no question was answered in both."""
    import pandas as pd

    now = pd.DataFrame(evaluation.by_question.items(), columns=["key", "now"])
    both = now.merge(pd.DataFrame(before.items(), columns=["key", "before"]), on="key")
    if both.empty:
        return None
    return Comparison(len(both), float(both["before"].mean()), float(both["now"].mean()))


def baseline(connection: Connection, build: Build) -> dict[str, float] | None:
    """The `by_question` of the result that is the baseline of a build's index."""
    row = connection.execute(
        "SELECT by_question FROM retrieval_quality WHERE rag_index_id = %s AND is_baseline", [build.rag_index_id]
    ).fetchone()
    return None if row is None else dict(row[0])


def store(connection: Connection, evaluation: Evaluation, is_baseline: bool = False) -> None:
    """Keep a result with its build, perhaps as the new baseline of the index."""
    result = {
        "rag_index_id": evaluation.build.rag_index_id,
        "build": evaluation.build.rag_index_build_id,
        "questions": len(evaluation.answers),
        "metrics": Jsonb(evaluation.metrics),
        "by_question": Jsonb(evaluation.by_question),
        "is_baseline": is_baseline,
    }
    with connection.transaction():
        if is_baseline:
            connection.execute(
                "UPDATE retrieval_quality SET is_baseline = false WHERE rag_index_id = %s AND is_baseline",
                [evaluation.build.rag_index_id],
            )
        connection.execute(load_sql("store"), result)


def evaluate_serving(
    connection: Connection, settings: Settings, workspace_id: UUID
) -> list[tuple[Evaluation, Comparison | None]]:
    """Ask the serving build of every index the kept questions, store the results, compare them with the baselines.

    Empty where no question is about a page of the workspace.

    Raises:
        EmbeddingFailed: the provider does not embed questions.
    """
    questions = load_golden(connection, workspace_id)
    evaluated = []
    for build in builds_of(connection, workspace_id) if questions else []:
        if build.state == "active":
            evaluation = evaluate(connection, settings, build, questions)
            if evaluation.answers:
                before = baseline(connection, build)
                evaluated.append((evaluation, compare(evaluation, before) if before else None))
                store(connection, evaluation)
    return evaluated


def gate(
    connection: Connection, settings: Settings, build: Build, on_asking: Callable[[int], None] = lambda questions: None
) -> list[str]:
    """What speaks against letting a build serve: it answers the kept questions worse than the one that serves.

    Both are asked now, so that the same pages and the same release answer. Both results are stored. Empty
    when there is nothing to compare. `on_asking` is told how many questions each is about to be asked.

    Raises:
        EmbeddingFailed: the provider does not embed questions.
    """
    questions = load_golden(connection, build.workspace_id)
    builds = builds_of(connection, build.workspace_id, build.index_name)
    serving = next((each for each in builds if each.state == "active"), None)
    if not questions or serving is None or serving.rag_index_build_id == build.rag_index_build_id:
        return []
    on_asking(len(questions))
    before, now = (evaluate(connection, settings, each, questions) for each in (serving, build))
    comparison = compare(now, before.by_question)
    if comparison is None:
        return []
    store(connection, before)
    store(connection, now)
    if comparison.holds:
        return []
    return [
        f"its {DECISIVE} on {comparison.questions} golden questions is {comparison.now:.3f}; the build that serves has "
        f"{comparison.before:.3f}"
    ]


def save_golden(connection: Connection, workspace_id: UUID, questions: Sequence[Question]) -> None:
    """Make these the golden questions of a workspace, instead of those kept before."""
    connection.execute(
        load_sql("save_golden"),
        {"workspace_id": workspace_id, "questions": json.dumps(golden.to_dicts(questions))},
    )


def load_golden(connection: Connection, workspace_id: UUID) -> list[Question]:
    """The kept golden questions of a workspace."""
    rows = connection.execute(
        "SELECT query, relevant FROM golden_question WHERE workspace_id = %s ORDER BY query", [workspace_id]
    ).fetchall()
    return [Question(query=query, relevant=relevant) for query, relevant in rows]


def asked_workspaces(connection: Connection) -> set[str]:
    """The slugs of the workspaces that keep golden questions."""
    rows = connection.execute("SELECT DISTINCT slug FROM golden_question JOIN workspace USING (workspace_id)")
    return {slug for (slug,) in rows}


def suggest(connection: Connection, workspace_id: UUID, limit: int) -> list[Question]:
    """Drafts of golden questions from the titles and headings of a workspace's documents as they are now."""
    with connection.transaction(), connection.cursor("quality_documents", row_factory=class_row(Page)) as cursor:
        cursor.execute(load_sql("documents"), {"workspace_id": workspace_id, "most": MOST_PAGES})
        return draft(cursor, limit)


def suggest_from_feedback(connection: Connection, workspace_id: UUID, limit: int) -> list[Question]:
    """Drafts of golden questions that readers asked, with the pages that helped them; none that is golden already.

    A page's grade is how often it helped more than it did not, 3 at most.
    """
    rows = connection.execute(load_sql("feedback_drafts"), {"workspace_id": workspace_id, "most": limit}).fetchall()
    return [
        Question(
            query=query,
            relevant=tuple(Relevant(external_id=page, grade=grade) for page, grade in zip(pages, grades, strict=True)),
        )
        for query, pages, grades in rows
        if golden.words(query)
    ]


def _rounded(measures: Mapping[str, float] | pd.Series[float]) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in measures.items()}
