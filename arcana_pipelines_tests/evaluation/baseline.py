"""What CI holds: the measures of all questions on the sample with the small model, as they were agreed on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from arcana_pipelines import demo
from arcana_pipelines.db.engine import Database
from arcana_pipelines_tests.evaluation.asking import RANKINGS, IndexedPages, measured
from arcana_pipelines_tests.evaluation.question_file import read_questions

HANDBOOK = Path(demo.__file__).parent / "handbook"
_EVALUATION = Path(__file__).parents[2] / "evaluation"
_FOLDER = _EVALUATION / "handbook"
TUNING_SETS = (_FOLDER / "tuning.jsonl", _FOLDER / "natural.jsonl")
HANDBOOK_SETS = (*TUNING_SETS, _FOLDER / "held_out.jsonl")
# Questions that files of pages answer, and no page does.
FILES_SET = _FOLDER / "files.jsonl"
BASELINE = _FOLDER / "baseline.json"
HELPDESK_SET = _EVALUATION / "helpdesk" / "questions.jsonl"
HELPDESK_BASELINE = HELPDESK_SET.with_name("baseline.json")
# Embeds the sample within a second, and is there wherever the tests run.
SMALL_MODEL = "wordllama-l2-supercat"
# A measure may fall by this much.
TOLERANCE = 0.02
_LESS_IS_BETTER = "refused_wrongly"

# None: a set has no question of the kind.
Lines = Mapping[str, Mapping[str, float | None]]


def measure_sets(indexed: IndexedPages, paths: Iterable[Path]) -> dict[str, dict[str, float]]:
    """The measures of each set by each ranking, over all pairs of languages."""
    return {
        f"{path.stem}, {label}": asdict(measured(indexed.ask(read_questions(path), ranking)))
        for path in paths
        for label, ranking in RANKINGS.items()
    }


def baselines(database: Database) -> dict[Path, str]:
    """The files of the baselines with their text, a line for each set and ranking."""
    handbook = measure_sets(IndexedPages(database, HANDBOOK, SMALL_MODEL), (*HANDBOOK_SETS, FILES_SET))
    helpdesk = measure_sets(IndexedPages(database, None, SMALL_MODEL), (HELPDESK_SET,))
    return {BASELINE: _written(handbook), HELPDESK_BASELINE: _written(helpdesk)}


def _written(measures: Mapping[str, Mapping[str, float]]) -> str:
    return "{\n" + ",\n".join(f'"{name}": {json.dumps(each)}' for name, each in measures.items()) + "\n}\n"


def worse(before: Lines, now: Lines) -> list[str]:
    """What fell by more than the tolerance, or was not measured, in sentences."""
    found = []
    for name, measures in before.items():
        for measure, value in measures.items():
            if value is None:
                continue
            reached = now.get(name, {}).get(measure)
            if reached is None:
                found.append(f"{name}: {measure} was {value} and is not measured any more")
                continue
            lost = reached - value if measure == _LESS_IS_BETTER else value - reached
            if lost > TOLERANCE + 1e-9:
                found.append(f"{name}: {measure} was {value} and is {reached}")
    return found
