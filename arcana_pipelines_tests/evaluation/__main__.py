"""How well searches answer natural questions, as one table: `make eval`.

    python -m arcana_pipelines_tests.evaluation                                 # all sets, on the sample
    python -m arcana_pipelines_tests.evaluation --model wordllama-l2-supercat
    python -m arcana_pipelines_tests.evaluation --questions FILE --pages FOLDER # your own
    python -m arcana_pipelines_tests.evaluation --update-baseline               # what CI compares with

docs/evaluation.md says what the columns mean, evaluation/README.md how questions are written.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from arcana_pipelines.db.engine import Database
from arcana_pipelines.embedding.catalogue import is_known
from arcana_pipelines.embedding.registry import model_of
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.postgres import database_server
from arcana_pipelines_tests.evaluation.asking import RANKINGS, IndexedPages, Measures, by_pair
from arcana_pipelines_tests.evaluation.baseline import (
    FILES_SET,
    HANDBOOK,
    HANDBOOK_SETS,
    HELPDESK_SET,
    baselines,
)
from arcana_pipelines_tests.evaluation.question_file import NaturalQuestion, read_questions

_COLUMNS = (
    ("asked", 5),
    ("right page first", 16),
    ("in three", 10),
    ("nDCG@10", 8),
    ("MRR@10", 7),
    ("answer shown first", 18),
    ("in three", 10),
    ("refused rightly", 15),
    ("wrongly", 9),
)


@contextmanager
def own_database() -> Iterator[Database]:
    """A database for this alone, on a server that is stopped in the end; models are chosen by the environment."""
    with (
        tempfile.TemporaryDirectory() as home,
        database_server(f"eval-{os.getpid()}") as server,
        server.database() as url,
        closing(Database(Settings(arcana_home=Path(home), database_url=SecretStr(url)))) as database,  # type: ignore[call-arg]
    ):
        yield database


def table(name: str, ranking: str, rows: dict[str, Measures]) -> Iterator[str]:
    """A set's lines for one ranking."""
    for pair, each in rows.items():
        unknown = each.questions - each.answerable
        cells = (
            str(each.questions),
            _share(each.first, each.answerable),
            _share(each.first_three, each.answerable),
            _number(each.ndcg),
            _number(each.mrr),
            _share(each.answer_first, each.with_answer),
            _share(each.answer_first_three, each.with_answer),
            _share(each.refused_rightly, unknown),
            _share(each.refused_wrongly, each.answerable),
        )
        yield _line(name, ranking, pair, cells)


def _line(name: str, ranking: str, pair: str, cells: Sequence[str]) -> str:
    shown = "  ".join(cell.rjust(width) for cell, (_, width) in zip(cells, _COLUMNS, strict=True))
    return f"{name:<12} {ranking:<8} {pair:<8} {shown}"


def _share(share: float | None, of: int) -> str:
    return "-" if share is None else f"{round(share * of)} ({share:.0%})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="of the index (default: that of new indexes)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write measures and ranks there")
    parser.add_argument("--questions", type=Path, nargs="+", metavar="FILE", help="other questions")
    parser.add_argument(
        "--pages", type=Path, metavar="FOLDER", help="what they are about: Markdown, or Notion's export"
    )
    parser.add_argument("--update-baseline", action="store_true", help="write what CI compares with; nothing else")
    given = parser.parse_args()
    if bool(given.questions) != bool(given.pages):
        parser.error("--questions and --pages belong together: the one is about the other.")
    if given.update_baseline and (given.model or given.questions or given.json):
        parser.error("--update-baseline stands alone: the baseline is of the sample and the small model.")
    if given.model and not is_known(given.model):
        parser.error(f"no model '{given.model}' is known.")
    try:
        sets = {path.stem: read_questions(path) for path in given.questions or (*HANDBOOK_SETS, FILES_SET)}
        with own_database() as database:
            if given.update_baseline:
                for path, text in baselines(database).items():
                    path.write_text(text, encoding="utf-8")
                    print(f"Written: {path}")
                return
            model = given.model or model_of(database.settings)[0]
            found = measure(database, given.pages or HANDBOOK, sets, model)
            if not given.pages:
                of_tickets = measure(database, None, {"helpdesk": read_questions(HELPDESK_SET)}, model)
                found["sets"] |= of_tickets["sets"]
        if given.json:
            given.json.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    except (ArcanaError, OSError) as error:
        raise SystemExit(str(error)) from error


def measure(
    database: Database, folder: Path | None, sets: Mapping[str, Sequence[NaturalQuestion]], model: str
) -> dict[str, Any]:
    """Index (see `IndexedPages`), ask and print; JSON-ready."""
    indexed = IndexedPages(database, folder, model)
    for questions in sets.values():
        indexed.require(questions)
    found: dict[str, Any] = {"model": model, "sets": {}}
    print(f"{'Tickets of the sample' if folder is None else f'Pages of {folder.name}'}, model {model}\n")
    print(_line("set", "ranking", "pair", [title for title, _ in _COLUMNS]))
    for name, questions in sets.items():
        found["sets"][name] = {}
        for label, ranking in RANKINGS.items():
            answers = indexed.ask(questions, ranking)
            rows = by_pair(answers)
            print("", *table(name, label, rows), sep="\n", flush=True)
            found["sets"][name][label] = {
                "measures": {pair: asdict(each) for pair, each in rows.items()},
                "questions": [
                    {"id": each.question.id, "page_rank": each.page_rank, "answer_rank": each.answer_rank}
                    | {"refused": each.is_refused, "ndcg@10": round(each.ndcg, 4)}
                    for each in answers
                ],
            }
    return found


if __name__ == "__main__":
    main()
