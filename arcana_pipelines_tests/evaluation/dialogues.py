"""How well searches answer questions that go on from others, as one table.

    python -m arcana_pipelines_tests.evaluation.dialogues [--model NAME]

Dialogues stand in `evaluation/handbook/dialogues_tuning.jsonl`, by which the method was chosen, and
`dialogues_held_out.jsonl`, which were written when it was. Each question but a dialogue's first is asked alone, and
with those before it. Behind them stand the questions that tuning may read, each asked alone and after two questions
about something else: what a change of subject loses.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from arcana_pipelines.db.engine import Database
from arcana_pipelines.embedding.registry import model_of
from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines_tests.evaluation.__main__ import own_database
from arcana_pipelines_tests.evaluation.asking import DEPTH, IndexedPages, pages_of, shows
from arcana_pipelines_tests.evaluation.baseline import BASELINE, HANDBOOK, TUNING_SETS
from arcana_pipelines_tests.evaluation.question_file import read_questions

HALVES = {half: BASELINE.with_name(f"dialogues_{half}.jsonl") for half in ("tuning", "held_out")}
FOLLOW_UP, CHANGE = "follow-up", "change"


class Turn(BaseModel):
    """A question of a dialogue.

    Attributes:
        query: what is typed.
        kind: the first of its dialogue, one that goes on, or one about something else.
        relevant: the pages that answer.
        answer: words of the answer, as those of questions; none: what is shown is not looked at.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: str
    kind: Literal["first", "follow-up", "change"]
    relevant: tuple[str, ...] = Field(min_length=1)
    answer: tuple[str, ...] = ()


class Dialogue(BaseModel):
    """Questions that one person asks one after another."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    language: Literal["en", "ko"]
    turns: tuple[Turn, ...] = Field(min_length=2, max_length=4)


@dataclass(frozen=True, slots=True)
class Ranked:
    """The rank of the first hit of a right page, from 1; None: it is not among the first 50, or there was no hit.

    Attributes:
        shown: whether the passage that the first hit shows, with the turns before, has words of the answer; None: it is
            not known which those are.
    """

    alone: int | None
    with_turns: int | None
    shown: bool | None = None


def read_dialogues(path: Path) -> list[Dialogue]:
    """The dialogues of a file, one a line."""
    return [Dialogue.model_validate_json(line) for line in path.read_text(encoding="utf-8").splitlines()]


def ask(indexed: IndexedPages, dialogues: Sequence[Dialogue], kind: str) -> list[Ranked]:
    """The ranks of all questions of a kind."""
    with indexed.searcher() as searcher:
        return [
            Ranked(
                _rank(indexed, searcher, turn, ()),
                _rank(indexed, searcher, turn, before),
                _is_shown(searcher, turn, before) if turn.answer else None,
            )
            for turn, before in _turns(dialogues)
            if turn.kind == kind
        ]


def _turns(dialogues: Sequence[Dialogue]) -> Iterator[tuple[Turn, tuple[str, ...]]]:
    for dialogue in dialogues:
        for number, turn in enumerate(dialogue.turns):
            yield turn, tuple(each.query for each in dialogue.turns[:number])


def _rank(indexed: IndexedPages, searcher: ConnectionSearcher, turn: Turn, before: tuple[str, ...]) -> int | None:
    right = {indexed.pages.named(name) for name in turn.relevant}
    hits = searcher.search(SearchRequest(turn.query, DEPTH, earlier=before)).hits
    return next((rank for rank, hit in enumerate(hits, start=1) if right & pages_of(hit)), None)


def _is_shown(searcher: ConnectionSearcher, turn: Turn, before: tuple[str, ...]) -> bool:
    hits = searcher.search(SearchRequest(turn.query, 1, earlier=before)).hits
    return any(shows(hit, turn.answer) for hit in hits)


def _after_others(indexed: IndexedPages) -> tuple[list[Ranked], tuple[int, int, int]]:
    """Questions with an answer, ranked; of those without one how many are refused alone and with turns, and all."""
    contexts = cycle(tuple(turn.query for turn in dialogue.turns[:2]) for dialogue in read_dialogues(HALVES["tuning"]))
    questions = [question for path in TUNING_SETS for question in read_questions(path)]
    ranked, alone, with_turns = [], 0, 0
    with indexed.searcher() as searcher:
        for question in questions:
            before = next(contexts)
            if question.relevant:
                turn = Turn(query=question.query, kind=CHANGE, relevant=question.relevant)
                ranked.append(Ranked(_rank(indexed, searcher, turn, ()), _rank(indexed, searcher, turn, before)))
            else:
                alone += not searcher.search(SearchRequest(question.query)).hits
                with_turns += not searcher.search(SearchRequest(question.query, earlier=before)).hits
    return ranked, (alone, with_turns, len(questions) - len(ranked))


def line(name: str, kind: str, ranked: Sequence[Ranked]) -> str:
    """A row of the table."""
    cells = (_measured([each.alone for each in ranked]), _measured([each.with_turns for each in ranked]))
    known = [each.shown for each in ranked if each.shown is not None]
    shown = f"{sum(known)} of {len(known)}" if known else "-"
    return f"{name:<10} {kind:<10} {len(ranked):>5}  {cells[0]:<32} {cells[1]:<32} {shown}"


def _measured(ranks: Sequence[int | None]) -> str:
    known = [rank for rank in ranks if rank is not None]
    return (
        f"{sum(rank == 1 for rank in known):>3} first {sum(rank <= 3 for rank in known):>3} in three  "
        f"MRR {sum(1 / rank for rank in known) / len(ranks):.3f}"
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="of the index (default: that of new indexes)")
    given = parser.parse_args()
    with own_database() as database:
        _print(database, given.model or model_of(database.settings)[0])


def _print(database: Database, model: str) -> None:
    indexed = IndexedPages(database, HANDBOOK, model)
    print(f"Pages of {HANDBOOK.name}, model {model}\n")
    print(f"{'set':<10} {'kind':<10} {'asked':>5}  {'alone':<32} {'with the turns before':<32} answer shown first")
    for name, path in HALVES.items():
        for kind in (FOLLOW_UP, CHANGE):
            print(line(name, kind, ask(indexed, read_dialogues(path), kind)))
    ranked, (alone, with_turns, unknown) = _after_others(indexed)
    print(line("natural", CHANGE, ranked))
    print(f"\nOf {unknown} questions without an answer {alone} are refused alone, {with_turns} after two others.")


if __name__ == "__main__":
    main()
