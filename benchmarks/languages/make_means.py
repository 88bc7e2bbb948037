"""Make the means of a model's vectors in each language: `python benchmarks/languages/make_means.py MODEL`.

Each line of `questions.jsonl` and `statements.jsonl` says the same in several languages; not every line is in all. The
mean of a language is that of English over all lines, and how far the language's vectors are from the English ones on
the lines that have both: so the means differ by language and not by what was said.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from arcana_pipelines.embedding.catalogue import dimensions_of, model_named
from arcana_pipelines.embedding.protocol import Embedder, Vectors
from arcana_pipelines.embedding.registry import open_embedder
from arcana_pipelines.settings import load_settings

HERE = Path(__file__).parent
MEANS = HERE.parents[1] / "arcana_pipelines" / "embedding" / "means"


def means(embedder: Embedder, name: str, prefix: str, languages: Sequence[str]) -> Vectors:
    """One row a language, of unit vectors' means."""
    lines = [json.loads(line) for line in (HERE / f"{name}.jsonl").read_text().splitlines()]
    english = embedder.embed([prefix + line["en"] for line in lines]).vectors
    rows = []
    for language in languages:
        there = [at for at, line in enumerate(lines) if language in line]
        spoken = embedder.embed([prefix + lines[at][language] for at in there]).vectors
        rows.append(english.mean(0) + (spoken - english[there]).mean(0))
    return np.stack(rows)


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    model = model_named(parser.parse_args().model)
    embedder = open_embedder(load_settings(), model.name, dimensions_of(model.name))
    languages = list(json.loads((HERE / "statements.jsonl").open().readline()))
    np.savez_compressed(
        MEANS / f"{model.name}.npz",
        languages=np.array(languages),
        passages=means(embedder, "statements", model.passage_prefix, languages).astype(np.float16),
        questions=means(embedder, "questions", model.question_prefix, languages).astype(np.float16),
    )


if __name__ == "__main__":
    main()
