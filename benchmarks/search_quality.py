"""How well searches answer public sets of questions: `python benchmarks/search_quality.py FOLDER`.

    python benchmarks/search_quality.py FOLDER            # about six minutes on two cores

FOLDER has `cranfield` (corpus.jsonl, queries.jsonl and qrels.tsv, as https://github.com/beir-cellar/beir has its sets)
and `docs-corpus` with a folder of Markdown pages a language, `en` and `ko`. What is missing is said and left out. The
questions of the pages are their titles, and 200 of the headings that no other page has; in Korean every word gets
another particle. The answers come through the product, with the small model. Exit code 1: a target was missed.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from index_build import installation, met, registered_with, run_stages

from arcana_pipelines.db.engine import Database
from arcana_pipelines.evaluation import quality
from arcana_pipelines.evaluation.golden import Question, words
from arcana_pipelines.indexes.builds import builds_of

LEAST_FUSED, LEAST_LEXICAL = 0.52, 0.50
LEAST_RECALL = 0.95
MOST_LOST = 0.005  # by fusing, of the better half
MOST_QUESTIONS = 200  # of a kind

Pages = list[tuple[str, str, str]]

_HEADING = re.compile(r"^(#{1,4}) +(.*?)(?: *\{[^}]*\})? *$")
_PARTICLES = "에서는 으로는 에서 으로 에게 까지 부터 은 는 이 가 을 를 의 에 와 과 도 로".split()
_KOREAN = re.compile(r"[가-힣]{2,}")


def cranfield(folder: Path) -> tuple[Pages, list[Question]]:
    """Documents and questions with their graded answers."""
    grades: dict[str, dict[str, int]] = {}
    with (folder / "qrels.tsv").open() as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            if (grade := int(row["score"])) > 0:
                grades.setdefault(row["query-id"], {})[row["corpus-id"]] = min(grade, 3)
    queries = {each["_id"]: each["text"] for each in _lines(folder / "queries.jsonl")}
    pages = [(each["_id"], each["title"], each["text"]) for each in _lines(folder / "corpus.jsonl")]
    return pages, [
        Question.model_validate({"query": queries[name], "relevant": answers})
        for name, answers in grades.items()
        if name in queries
    ]


def documentation(folder: Path) -> tuple[Pages, list[Question], list[Question]]:
    """Pages, questions by their titles, and by their headings."""
    pages: Pages = []
    headings: list[tuple[str, str]] = []
    for path in sorted(folder.rglob("*.md")):
        lines = [(line, _HEADING.match(line)) for line in path.read_text().splitlines()]
        name, texts = str(path.relative_to(folder)), [found[2] for _, found in lines if found]
        if texts:
            body = "\n".join(f"{found[1]} {found[2]}" if found else line for line, found in lines)
            pages.append((name, texts[0], body))
            headings += [(text, name) for text in texts[1:]]
    changed = random.Random(5)
    return pages, _known(((title, name) for name, title, _ in pages), changed), _known(headings, changed)


def _known(named: Iterator[tuple[str, str]] | list[tuple[str, str]], changed: random.Random) -> list[Question]:
    """A question for each text that names one page only."""
    pairs = [(_with_other_particles(text, changed), text, name) for text, name in dict.fromkeys(named)]
    pairs = [(query, text, name) for query, text, name in pairs if words(query)]
    times, asked = Counter(" ".join(words(text)) for _, text, _ in pairs), Counter(query for query, _, _ in pairs)
    questions = [
        Question.model_validate({"query": query[:500], "relevant": [name]})
        for query, text, name in pairs
        if times[" ".join(words(text))] == 1 and asked[query] == 1
    ]
    return changed.sample(questions, min(MOST_QUESTIONS, len(questions)))


def _with_other_particles(text: str, changed: random.Random) -> str:
    def change(found: re.Match[str]) -> str:
        word = found.group()
        held = next((each for each in _PARTICLES if word.endswith(each) and len(word) > len(each) + 1), "")
        return word.removesuffix(held) + changed.choice([each for each in _PARTICLES if each != held])

    return _KOREAN.sub(change, text)


def _lines(path: Path) -> Iterator[dict[str, str]]:
    with path.open() as lines:
        yield from map(json.loads, lines)


def measure(
    database: Database, slug: str, pages: Pages, sets: dict[str, list[Question]]
) -> dict[str, dict[str, dict[str, float]]]:
    """Index the pages, ask, and print a line a set; the measures of each."""
    workspace_id = registered_with(database, slug, pages)
    run_stages(database, slug)
    measured = {}
    with database.connection() as connection:
        (build,) = builds_of(connection, workspace_id)
        for name, questions in sets.items():
            found = quality.evaluate(connection, database.settings, build, questions).metrics
            cells = [
                f"{found[ranking]['ndcg@10']:.3f} ({found[ranking]['recall@5']:.2f})"
                for ranking in ("dense", "lexical", "fused")
            ]
            print(f"| {name}, {len(questions)} | {' | '.join(cells)} |", flush=True)
            measured[name] = found
    return measured


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the sets are")
    folder = parser.parse_args().folder
    outcomes: list[bool] = []
    measured: dict[str, dict[str, dict[str, float]]] = {}
    with installation() as database:
        print("| nDCG@10 of pages (recall@5) | meaning | words | both |\n| --- | --- | --- | --- |")
        if (folder / "cranfield").is_dir():
            pages, questions = cranfield(folder / "cranfield")
            measured |= measure(database, "cranfield", pages, {"Cranfield": questions})
        for language in ("ko", "en"):
            if (folder / "docs-corpus" / language).is_dir():
                pages, titles, headings = documentation(folder / "docs-corpus" / language)
                sets = {f"{language}: titles": titles, f"{language}: headings": headings}
                measured |= measure(database, language, pages, sets)
    print()
    for name, found in measured.items():
        if name == "Cranfield":
            outcomes.append(met("Cranfield, both", found["fused"]["ndcg@10"], LEAST_FUSED, at_least=True))
            outcomes.append(met("Cranfield, words", found["lexical"]["ndcg@10"], LEAST_LEXICAL, at_least=True))
        if name.startswith("ko"):
            outcomes.append(met(f"{name}, recall@5", found["fused"]["recall@5"], LEAST_RECALL, at_least=True))
        better = max(found["dense"]["ndcg@10"], found["lexical"]["ndcg@10"])
        outcomes.append(met(f"{name}: lost by fusing", better - found["fused"]["ndcg@10"], MOST_LOST))
    for name in ("Cranfield", "ko: titles", "en: titles"):
        if name not in measured:
            print(f"LEFT OUT: there is nothing for '{name}' in {folder}. NOTHING was measured with it.")
    return 0 if outcomes and all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
