"""Teach the multilingual model which passage answers which question: `python benchmarks/tuning/train.py`.

`pairs/` has passages as a company's pages have them, each with two questions in English and two in Korean that it
answers; one file an organisation, one object a line. What is learned is a small change of each matrix, a product of two
narrow ones, which the model adds when it is loaded (`arcana_pipelines/multilingual_e5/learned.npz`).

Needs `pip install jax optax` beside the weights, 5 GB, and half an hour on two quiet cores.

Hu et al.: LoRA: Low-Rank Adaptation of Large Language Models. 2021, https://arxiv.org/abs/2106.09685. The loss: van den
Oord, Li, Vinyals: Representation Learning with Contrastive Predictive Coding. 2018, https://arxiv.org/abs/1807.03748.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from arcana_pipelines.embedding.catalogue import E5_MODEL, model_named
from arcana_pipelines.embedding.language_means import means_of
from arcana_pipelines.multilingual_e5.learned import FILE, MATRICES
from arcana_pipelines.multilingual_e5.tokenizer import Tokenizer
from arcana_pipelines.multilingual_e5.weights import Weights, unpacked
from arcana_pipelines.multilingual_e5.weights_file import checked_weights

HERE = Path(__file__).parent
LANGUAGES = HERE.parent / "languages"
RANK = 8
# Passages of one organisation that are told from each other at once, and questions of each.
TOGETHER, ASKED = 24, 2
# Tokens that are read of a question and of a passage: nearly all of nearly all.
QUESTION, PASSAGE = 28, 80
TEMPERATURE = 0.05
# How near a passage is that is as likely the answer as not, how fast the odds change with it, and what it weighs that
# they are right: how near the nearest one is has to tell a question that nothing answers.
EVEN, ODDS, SURE = 0.4, 15, 0.5
# What it costs to move a vector away from where the model had it; and texts in other languages that are held so.
STAY, HELD = 2.0, 8
STEP = 1e-3

Tree = Any
_QUERY, _PASSAGE = model_named(E5_MODEL).question_prefix, model_named(E5_MODEL).passage_prefix
_MEANS = means_of(E5_MODEL)
assert _MEANS is not None


@dataclass(frozen=True)
class Pair:
    """A passage with its questions.

    Attributes:
        organisation: the name of its file.
        language: of the passage.
        passage: below its title and heading, as it is embedded.
        questions: each with its language.
    """

    organisation: str
    language: str
    passage: str
    questions: list[tuple[str, str]]


def read_pairs(folder: Path) -> list[Pair]:
    """All of a folder, by file and line."""
    pairs = []
    for file in sorted(folder.glob("*.jsonl")):
        for line in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
            headings = " > ".join(filter(None, (line["title"], line["heading"])))
            questions = [(language, asked) for language in ("en", "ko") for asked in line[language]]
            pairs.append(Pair(file.stem, line["lang"], f"{headings}\n{line['text']}", questions))
    return pairs


class Bert:
    """The model as `multilingual_e5.model` has it, so that JAX can derive it."""

    def __init__(self) -> None:
        weights = Weights(checked_weights())
        pieces = weights.pieces
        self._marks = pieces.first, pieces.last
        self._tokenizer = Tokenizer(pieces)
        self._words = weights.blocks("emb.word", weights.width)
        kinds = weights.floats("emb.type")[: weights.width]
        self._places = weights.floats("emb.pos").reshape(-1, weights.width) + kinds
        self.heads, self.width, self.layers = weights.heads, weights.width, weights.layers
        self._norm = jnp.asarray(weights.floats("emb.ln.w")), jnp.asarray(weights.floats("emb.ln.b"))
        self._layers = [self._layer(weights, number) for number in range(weights.layers)]

    def _layer(self, weights: Weights, number: int) -> dict[str, jax.Array]:
        layer = {}
        for name in MATRICES:
            columns = weights.inner if name == "fo" else weights.width
            layer[f"{name}.w"] = jnp.asarray(unpacked(weights.blocks(f"l{number}.{name}.w", columns)).T)
            layer[f"{name}.b"] = jnp.asarray(weights.floats(f"l{number}.{name}.b"))
        for name in ("aln.w", "aln.b", "oln.w", "oln.b"):
            layer[name] = jnp.asarray(weights.floats(f"l{number}.{name}"))
        return layer

    def nothing_learned(self, seed: int) -> Tree:
        """The narrow matrices, whose products are zero."""
        key, learned = jax.random.PRNGKey(seed), {}
        for number, layer in enumerate(self._layers):
            for name in MATRICES:
                key, own = jax.random.split(key)
                rows, columns = layer[f"{name}.w"].shape
                narrow = jax.random.normal(own, (rows, RANK)) / rows**0.5
                learned[f"{number}.{name}"] = narrow, jnp.zeros((RANK, columns))
        return learned

    def read(self, texts: Sequence[str], most: int) -> tuple[np.ndarray, np.ndarray]:
        """The rows of their tokens, of shape (texts, most, width), and which of these are there."""
        rows = np.zeros((len(texts), most, self.width), np.float32)
        there = np.zeros((len(texts), most), np.float32)
        for at, text in enumerate(texts):
            tokens = [self._marks[0], *self._tokenizer.tokens(text, most - 2), self._marks[1]]
            rows[at, : len(tokens)] = unpacked(self._words[tokens]) + self._places[: len(tokens)]
            there[at, : len(tokens)] = 1
        return rows, there

    def vectors(self, learned: Tree, rows: jax.Array, there: jax.Array) -> jax.Array:
        """Unit vectors, of shape (texts, width)."""
        texts, tokens, _ = rows.shape
        unseen = (1 - there)[:, None, None, :] * -1e9
        size = self.width // self.heads
        rows = _normed(rows, *self._norm)
        for number, layer in enumerate(self._layers):

            def through(rows: jax.Array, name: str, number: int = number, layer: Any = layer) -> jax.Array:
                one, other = learned[f"{number}.{name}"]
                return rows @ layer[f"{name}.w"] + layer[f"{name}.b"] + rows @ one @ other

            def by_head(rows: jax.Array) -> jax.Array:
                return rows.reshape(texts, tokens, self.heads, size).transpose(0, 2, 1, 3)

            queries, keys, values = (by_head(through(rows, name)) for name in "qkv")
            weights = jax.nn.softmax(queries @ keys.transpose(0, 1, 3, 2) * size**-0.5 + unseen)
            seen = (weights @ values).transpose(0, 2, 1, 3).reshape(texts, tokens, self.width)
            rows = _normed(through(seen, "ao") + rows, layer["aln.w"], layer["aln.b"])
            inner = jax.nn.gelu(through(rows, "fi"), approximate=False)
            rows = _normed(through(inner, "fo") + rows, layer["oln.w"], layer["oln.b"])
        return _at_unit_length((rows * there[..., None]).sum(1) / there.sum(1)[:, None])


def _normed(rows: jax.Array, scale: jax.Array, shift: jax.Array) -> jax.Array:
    rows = rows - rows.mean(-1, keepdims=True)
    return rows / jnp.sqrt((rows * rows).mean(-1, keepdims=True) + 1e-12) * scale + shift


def _at_unit_length(rows: jax.Array) -> jax.Array:
    return rows / jnp.linalg.norm(rows, axis=1, keepdims=True)


def _without_language(vectors: jax.Array, means: np.ndarray) -> jax.Array:
    nearest = jnp.argmax(vectors @ _at_unit_length(jnp.asarray(means)).T, 1)
    return _at_unit_length(vectors - jnp.asarray(means)[nearest])


class Training:
    """One run over pairs."""

    def __init__(self, bert: Bert, pairs: Sequence[Pair], steps: int, seed: int) -> None:
        self._bert, self._pairs, self._random = bert, pairs, random.Random(seed)
        self._nothing = bert.nothing_learned(seed)
        self.learned = self._nothing
        rate = optax.warmup_cosine_decay_schedule(0, STEP, steps // 10 + 1, steps, STEP / 20)
        self._optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=0.01))
        self._state = self._optimizer.init(self.learned)
        self._vectors = jax.jit(bert.vectors)
        self._passages = self.embed([_PASSAGE + pair.passage for pair in pairs], PASSAGE)
        asked = self.embed([_QUERY + asked for pair in pairs for _, asked in pair.questions], QUESTION)
        self._questions = asked.reshape(len(pairs), -1, bert.width)
        lines = [
            (prefix, json.loads(line))
            for prefix, name in ((_QUERY, "questions"), (_PASSAGE, "statements"))
            for line in (LANGUAGES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        ]
        self._others = [prefix + text for prefix, line in lines for text in line.values()]
        self._held = self.embed(self._others, QUESTION)
        self._taken = jax.jit(self._step)

    def embed(self, texts: Sequence[str], most: int) -> np.ndarray:
        """Vectors of texts with what was learned until now."""
        made = []
        for begin in range(0, len(texts), 32):
            some = list(texts[begin : begin + 32])
            filled = [*some, *[some[-1]] * (32 - len(some))]  # each new shape is compiled anew
            made.append(np.asarray(self._vectors(self.learned, *self._bert.read(filled, most)))[: len(some)])
        return np.concatenate(made)

    def _batches(self) -> Iterator[list[int]]:
        """Pairs that are told from each other, of one organisation as far as it has so many; each pair once a round."""
        by_organisation: dict[str, list[int]] = {}
        for at, pair in enumerate(self._pairs):
            by_organisation.setdefault(pair.organisation, []).append(at)
        waiting: list[int] = []
        while True:
            groups = []
            for own in by_organisation.values():
                mixed = self._random.sample(own, len(own))
                groups += [mixed[begin : begin + TOGETHER] for begin in range(0, len(mixed), TOGETHER)]
            self._random.shuffle(groups)
            waiting += [at for group in groups for at in group]
            while len(waiting) >= TOGETHER:
                yield waiting[:TOGETHER]
                waiting = waiting[TOGETHER:]

    def run(self, steps: int, told: Callable[[int], None]) -> None:
        """Take so many steps."""
        since, losses = time.monotonic(), []
        for number, batch in enumerate(islice(self._batches(), steps), start=1):
            losses.append(self._learn(batch))
            if number % 20 == 0 or number == steps:
                parts = " ".join(f"{part:.3f}" for part in np.mean(losses[-20:], axis=0))
                print(f"{number} of {steps}: {parts} ({time.monotonic() - since:.0f} s)", flush=True)
            if number % (steps // 4) == 0 or number == steps:
                told(number)

    def _learn(self, batch: Sequence[int]) -> list[float]:
        pairs = [self._pairs[at] for at in batch]
        asked = [(at, of, k) for k, at in enumerate(batch) for of in self._random.sample(range(4), ASKED)]
        questions = [self._pairs[at].questions[of][1] for at, of, _ in asked]
        others = [self._random.randrange(len(self._others)) for _ in range(HELD)]
        self.learned, self._state, parts = self._taken(
            self.learned,
            self._state,
            self._bert.read([_QUERY + text for text in questions], QUESTION),
            self._bert.read([_PASSAGE + pair.passage for pair in pairs], PASSAGE),
            self._bert.read([self._others[at] for at in others], QUESTION),
            np.array([k for _, _, k in asked]),
            (np.stack([self._questions[at, of] for at, of, _ in asked]), self._passages[batch], self._held[others]),
        )
        return [float(part) for part in parts]

    def _step(self, learned: Tree, state: Tree, *batch: Any) -> tuple[Tree, Tree, Tree]:
        (_, parts), gradient = jax.value_and_grad(self._loss, has_aux=True)(learned, *batch)
        change, state = self._optimizer.update(gradient, state, learned)
        return optax.apply_updates(learned, change), state, parts

    def _loss(self, learned: Tree, asked: Any, said: Any, others: Any, right: Any, before: Any) -> Any:
        """Each question has to be near to its passage, less so to the others, and all vectors to where they were."""
        questions, passages, held = (self._bert.vectors(learned, *each) for each in (asked, said, others))
        near = _without_language(questions, _MEANS.questions) @ _without_language(passages, _MEANS.passages).T
        told = optax.softmax_cross_entropy_with_integer_labels(near / TEMPERATURE, right).mean()
        answers = right[:, None] == jnp.arange(near.shape[1])
        sure = optax.sigmoid_binary_cross_entropy(ODDS * (near - EVEN), answers).sum(1).mean()
        vectors = zip((questions, passages, held), before, strict=True)
        moved = sum((1 - (new * old).sum(1)).mean() for new, old in vectors)
        return told + SURE * sure + STAY * moved, (told, sure, moved, (near.argmax(1) == right).mean())


def found(training: Training, pairs: Sequence[Pair]) -> str:
    """How well the questions of pairs find their passage among all of these."""
    passages = training.embed([_PASSAGE + pair.passage for pair in pairs], PASSAGE)
    asked = [(at, _QUERY + text) for at, pair in enumerate(pairs) for _, text in pair.questions]
    questions = training.embed([text for _, text in asked], QUESTION)
    said = _MEANS.of_passages(passages)[0]
    near = np.stack([_MEANS.of_question(question)[0] for question in questions]) @ said.T
    right = np.array([at for at, _ in asked])
    ranks = 1 + (near > near[np.arange(len(right)), right][:, None]).sum(1)
    return f"first {np.mean(ranks == 1):.3f}, among three {np.mean(ranks <= 3):.3f}, MRR {np.mean(1 / ranks):.3f}"


def main() -> None:
    """Train, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=float, default=5, help="how often each passage is seen")
    parser.add_argument("--without", nargs="*", default=[], metavar="NAME", help="organisations that are tried instead")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pairs", type=Path, default=HERE / "pairs")
    parser.add_argument("--to", type=Path, default=FILE)
    given = parser.parse_args()
    every = read_pairs(given.pairs)
    pairs = [pair for pair in every if pair.organisation not in given.without]
    tried = [pair for pair in every if pair.organisation in given.without]
    steps = round(given.rounds * len(pairs) / TOGETHER)
    print(f"{len(pairs)} passages, {steps} steps", flush=True)
    training = Training(Bert(), pairs, steps, given.seed)

    def told(number: int) -> None:
        if tried:
            print(f"{number}: {found(training, tried)}", flush=True)
        write(training.learned, given.to)

    told(0)
    training.run(steps, told)


def write(learned: Tree, file: Path) -> None:
    """As the model reads it: half the precision, which changes a vector by less than its 4 bits do."""
    parts = {f"{name}.{side}": each for name, pair in learned.items() for side, each in zip("ab", pair, strict=True)}
    np.savez(file, **{name: np.asarray(each, np.float16) for name, each in parts.items()})


if __name__ == "__main__":
    main()
