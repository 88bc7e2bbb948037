"""Drafts of golden questions from titles and headings, for a person to look through."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from arcana_pipelines.chunking.blocks import Part, read_blocks, sentences
from arcana_pipelines.documents.contents import UNTITLED
from arcana_pipelines.evaluation.golden import Question, Relevant, words
from arcana_pipelines.lexical.analysis import has_cjk
from arcana_pipelines.markdown.inline import readable

# Shorter titles and headings say too little. Chinese and Japanese have no spaces, and Korean words say more.
_LEAST_WORDS = 2
_LEAST_CJK_CHARACTERS = 4
_LONGEST_QUERY = 200
# Words of a passage; fewer may stand anywhere on the page.
_LEAST_PASSAGE = 4
_LONGEST_PASSAGE = 30
_ITEM = re.compile(r" *(?:[-*+]|\d+[.)]) +(?:\[[ xX]\] +)?")


@dataclass(frozen=True, slots=True)
class Page:
    """A document as it is now.

    Attributes:
        external_id: the page's id in its source.
        text: in normal form, without the title.
    """

    external_id: str
    title: str
    text: str


def draft(pages: Iterable[Page], limit: int) -> list[Question]:
    """At most `limit` questions, each a title or heading that only one of the pages has.

    What answers it is the first sentence below it. The same pages give the same questions: they are taken by a
    hash, from as many pages as possible, and as many of them have Hangul, kana or ideographs as of all there are.
    """
    drafts = [question for page in pages for question in _drafts(page)]
    named = Counter(_key(question.query) for question in drafts)
    spread = _spread([question for question in drafts if named[_key(question.query)] == 1])
    cjk = [question for question in spread if has_cjk(question.query)]
    other = [question for question in spread if not has_cjk(question.query)]
    wanted = min(limit, len(spread))
    share = round(wanted * len(cjk) / len(spread)) if spread else 0
    chosen = {question.query for question in (*cjk[:share], *other[: wanted - share])}
    return [question for question in spread if question.query in chosen]


def _drafts(page: Page) -> list[Question]:
    """One question for each title and heading of a page that says enough."""
    by_key: dict[str, Question] = {}
    for heading, passage in _sections(page):
        if _says_enough(heading):
            relevant = Relevant(external_id=page.external_id, passage=passage)
            by_key.setdefault(_key(heading), Question(query=heading, relevant=(relevant,)))
    return list(by_key.values())


def _sections(page: Page) -> Iterator[tuple[str, str | None]]:
    """The title and every heading, each with the first sentence between it and the next."""
    heading, passage = page.title if page.title != UNTITLED else "", None
    for block in read_blocks(page.text):
        if block.level:
            yield heading, passage
            heading, passage = readable(block.text.lstrip("# ")), None
        elif passage is None and block.kind in ("text", "list"):
            passage = _first_sentence(block.text)
    yield heading, passage


def _first_sentence(text: str) -> str | None:
    line = readable(_ITEM.sub("", text.split("\n")[0], count=1))
    sentence = " ".join(sentences(Part(line, "", 0))[0].text.split()[:_LONGEST_PASSAGE])
    return sentence if len(words(sentence)) >= _LEAST_PASSAGE else None


def _says_enough(heading: str) -> bool:
    if len(heading) > _LONGEST_QUERY:
        return False
    if has_cjk(heading):
        return sum(map(str.isalpha, heading)) >= _LEAST_CJK_CHARACTERS
    return sum(map(str.isalpha, words(heading))) >= _LEAST_WORDS


def _key(heading: str) -> str:
    return " ".join(words(heading))


def _spread(drafts: Iterable[Question]) -> list[Question]:
    """By a hash, but no page a second time before every page had its turn."""
    taken: Counter[str] = Counter()
    turns: list[tuple[int, Question]] = []
    for question in sorted(drafts, key=lambda each: hashlib.blake2b(each.query.encode()).digest()):
        page = question.relevant[0].external_id
        turns.append((taken[page], question))
        taken[page] += 1
    return [question for _, question in sorted(turns, key=lambda turn: turn[0])]
