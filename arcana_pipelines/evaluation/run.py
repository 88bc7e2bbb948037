"""One evaluation from beginning to end: which build is asked what, and what becomes of the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.evaluation import quality
from arcana_pipelines.evaluation.golden import Question, read_golden
from arcana_pipelines.evaluation.quality import Comparison, Evaluation
from arcana_pipelines.indexes.builds import DEFAULT_INDEX, Build
from arcana_pipelines.indexes.lifecycle import find_builds
from arcana_pipelines.retrieval.fusion import Fusion
from arcana_pipelines.retrieval.reranking.registry import open_reranker
from arcana_pipelines.settings import Settings
from arcana_pipelines.workspaces.workspaces import Workspace


@dataclass(frozen=True, slots=True)
class EvalRequest:
    """What is to be evaluated. It is checked when it is made.

    Attributes:
        golden: a file of golden questions; None asks those that the workspace keeps.
        index: one of the workspace's indexes.
        build: a build of it by its number; None is the one that serves.
        keep: keep the questions of the file, instead of those kept before.
        baseline: make the result the one that later ones are compared with.
        fusion: another way to combine words and meaning is a trial: its result is not stored.
        rerank: so is the reranker of the settings.

    Raises:
        WrongUse: they do not go together.
    """

    golden: bytes | None = None
    index: str = DEFAULT_INDEX
    build: int | None = None
    keep: bool = False
    baseline: bool = False
    fusion: Fusion = "weighted"
    rerank: bool = False

    def __post_init__(self) -> None:
        if self.keep and self.golden is None:
            raise WrongUse("--keep needs a file of golden questions.")
        if self.is_trial and self.baseline:
            raise WrongUse(
                "--baseline is for an index as readers search it: it does not go with --fusion rrf or --rerank."
            )

    @property
    def is_trial(self) -> bool:
        """The index is searched in another way than it is for readers."""
        return self.rerank or self.fusion != "weighted"


@dataclass(frozen=True, slots=True)
class EvalOutcome:
    """What an evaluation found.

    Attributes:
        comparison: with the baseline of the index; None where there is none, or none of its questions was answered now.
        had_baseline: the index had a baseline: without a comparison, that tells other questions from a first
            evaluation.
    """

    request: EvalRequest
    evaluation: Evaluation
    comparison: Comparison | None
    had_baseline: bool

    @property
    def is_below_baseline(self) -> bool:
        """The index has become worse. A trial says nothing of it, and neither does a new baseline."""
        counts = not self.request.baseline and not self.request.is_trial
        return counts and self.comparison is not None and not self.comparison.holds

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**self.evaluation.to_dict(), "baseline": self.comparison.to_dict() if self.comparison else None}


def run(
    connection: Connection,
    settings: Settings,
    workspace: Workspace,
    request: EvalRequest,
    on_asking: Callable[[int], None] = lambda questions: None,
) -> EvalOutcome:
    """Ask a build golden questions, compare the result with the baseline, and store it unless it is a trial.

    Args:
        on_asking: is told how many questions are about to be asked.

    Raises:
        WrongUse: there is no such build, no question or no page that they name, or no reranker is set.
        EmbeddingFailed: the provider does not embed questions.
        RerankingFailed: the reranker does not answer.
    """
    reranker = open_reranker(settings) if request.rerank else None
    if request.rerank and reranker is None:
        raise WrongUse("--rerank needs a reranker: set RERANKER_URL (.env.example explains it).")
    build = _build(connection, workspace, request)
    questions = _kept(connection, workspace) if request.golden is None else read_golden(request.golden)
    on_asking(len(questions))
    evaluation = quality.evaluate(connection, settings, build, questions, request.fusion, reranker)
    if not evaluation.answers:
        raise WrongUse(
            f"The golden questions name no page that is a document of workspace '{workspace.slug}' and says what they "
            "quote of it. `external_id` of a hit of `arcana search --json` is a page's id."
        )
    before = quality.baseline(connection, build)
    comparison = quality.compare(evaluation, before) if before is not None else None
    if not request.is_trial:
        quality.store(connection, evaluation, is_baseline=request.baseline)
    if request.keep:
        quality.save_golden(connection, workspace.workspace_id, questions)
    return EvalOutcome(request, evaluation, comparison, before is not None)


def _build(connection: Connection, workspace: Workspace, request: EvalRequest) -> Build:
    number = request.build
    for build in find_builds(connection, workspace.workspace_id, request.index):
        if build.rag_index_build_id == number or (number is None and build.state == "active"):
            return build
    which = f"build {number}" if number is not None else "build that serves"
    raise WrongUse(f"The index '{request.index}' has no {which}: arcana index list shows those there are.")


def _kept(connection: Connection, workspace: Workspace) -> list[Question]:
    questions = quality.load_golden(connection, workspace.workspace_id)
    if not questions:
        raise WrongUse(
            f"No golden questions are kept for workspace '{workspace.slug}'. Give a file: arcana eval {workspace.slug} "
            f"golden.jsonl --keep (arcana eval {workspace.slug} --suggest > golden.jsonl drafts one)."
        )
    return questions
