"""A made-up workspace as Notion exports one: pages in pages and rows of a database, in English and Korean."""

from __future__ import annotations

import csv
import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from random import Random
from urllib.parse import quote

from arcana_pipelines.demo.vocabulary import ENGLISH, KOREAN, Vocabulary

_KOREAN = 0.4
_NESTED = 0.5
_DEEPEST = 4  # a path has to fit into what file systems allow
_ROWS = 0.2
_STATES = ("Not started", "In progress", "Done")


@dataclass(frozen=True, slots=True)
class _Page:
    title: str
    folder: Path
    name: str
    depth: int


def write_export(folder: Path, pages: int, seed: str) -> None:
    """Write an export with so many pages, a fifth of them rows, in place of what `folder` held before.

    The same number and seed give the same files, byte by byte, and more pages the same and further ones.

    Raises:
        OSError: it cannot be written. What was there before is whole, or gone.
    """
    new = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    _Writer(new, seed).write(pages)
    if folder.exists():
        shutil.rmtree(folder)
    new.rename(folder)


class _Writer:
    def __init__(self, root: Path, seed: str) -> None:
        self.root = root
        self.seed = seed
        self.made: list[_Page] = []
        self.rows: list[tuple[str, str, int]] = []
        self.table = f"Projects {self._id('table')}"

    def write(self, pages: int) -> None:
        for at in range(1, pages + 1):
            # Dice of its own for each page, so that a page does not depend on how many there are.
            random = Random(f"{self.seed} {at}")
            words = KOREAN if random.random() < _KOREAN else ENGLISH
            title = f"{random.choice(words.topics)} {at}"
            if random.random() < _ROWS:
                self._row(random, words, title, at)
            else:
                self._page(random, words, title, at)
        if self.rows:
            with (self.root / f"{self.table}_all.csv").open("w", encoding="utf-8-sig", newline="") as file:
                csv.writer(file).writerows([("Name", "Status", "Budget"), *self.rows])

    def _page(self, random: Random, words: Vocabulary, title: str, at: int) -> None:
        folder, depth, linked = self.root, 0, None
        if self.made:
            other = random.choice(self.made)
            linked = other
            if random.random() < _NESTED and other.depth < _DEEPEST:
                folder, depth = other.folder / other.name, other.depth + 1
        page = _Page(title, folder, f"{title} {self._id(at)}", depth)
        folder.mkdir(exist_ok=True)
        body = self._body(random, words)
        if linked is not None:
            way = Path(*[".."] * depth, (linked.folder / f"{linked.name}.md").relative_to(self.root))
            body.append(f"{words.see}[{linked.title}]({quote(way.as_posix())})")
        self._store(page, [f"# {title}", *body])
        self.made.append(page)

    def _row(self, random: Random, words: Vocabulary, title: str, at: int) -> None:
        page = _Page(title, self.root / self.table, f"{title} {self._id(at)}", 1)
        page.folder.mkdir(exist_ok=True)
        state, budget = random.choice(_STATES), random.randrange(1, 500) * 100
        self.rows.append((title, state, budget))
        self._store(page, [f"# {title}", f"Status: {state}\nBudget: {budget}", *self._body(random, words)])

    def _store(self, page: _Page, parts: list[str]) -> None:
        (page.folder / f"{page.name}.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")

    def _body(self, random: Random, words: Vocabulary) -> list[str]:
        sections = []
        for heading in random.sample(words.headings, 3):
            sentences = [_sentence(random, words) for _ in range(random.randrange(3, 7))]
            listed = "\n".join(f"- {_sentence(random, words)}" for _ in range(random.randrange(2, 5)))
            sections += [f"## {heading}", " ".join(sentences), listed]
        return sections

    def _id(self, of: object) -> str:
        return hashlib.sha256(f"{self.seed} {of}".encode()).hexdigest()[:32]


def _sentence(random: Random, words: Vocabulary) -> str:
    return random.choice(words.sentences).format(
        team=random.choice(words.teams),
        thing=random.choice(words.things),
        reason=random.choice(words.reasons),
        day=random.choice(words.days),
        number=random.randrange(2, 9_999),
    )
