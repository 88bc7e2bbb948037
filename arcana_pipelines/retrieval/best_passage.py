"""The parts of a found chunk that answer a question best."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, pairwise
from math import fsum
from textwrap import dedent

from arcana_pipelines.chunking.headings import Heading
from arcana_pipelines.chunking.passages import Passage as Part
from arcana_pipelines.chunking.passages import numbers_of, passages, weight_of
from arcana_pipelines.documents.messages import BY_AGENT
from arcana_pipelines.retrieval.highlights import terms_in
from arcana_pipelines.retrieval.results import Passage
from arcana_pipelines.retrieval.scroll_links import stands_earlier
from arcana_pipelines.retrieval.shown import shown

# Beside the cosine similarity of a passage, how much it counts to have all the words of a question.
_WORDS = 0.5
# What stands above all headings of a page names what the page is about, which is near to every question about it.
_INTRODUCTION = 0.15
# In a ticket the customer's message has the words of the question, and an agent's the answer.
_BY_AGENT = 0.1
# Of what stands beside the best passage, what is behind it is read along rather than what is before.
_BEHIND = 0.06
# What is read along with it (`weight_of`): up to the first whatever stands there; then what fits into the second and is
# at least so much as good.
_SHORT, _MOST, _AS_GOOD = 280, 420, 0.35
# A passage elsewhere in the text is shown, too, where it is at least so much as good, along with less.
_NEARLY_AS_GOOD = 0.85
_SHORT_TOO, _MOST_TOO, _AS_GOOD_TOO = 120, 200, 0.5

_BLANK_LINE = re.compile(r"\n\s*\n")
# A line that a block begins behind or ends before, beside a blank one: below a table's header, and around code.
_EDGE = re.compile(r" *(?:`{3,}|~{3,}).*|\|[ |:-]+\|\s*|\s*")


@dataclass(frozen=True)
class FoundText:
    """A found chunk as it is stored.

    Attributes:
        title: that of its page.
        text: with what no reader is shown (see `shown`).
        headings: those that are open where it begins.
        is_first: it begins its document.
        near: the similarity of its passages with the question by their number; empty where they have no vectors.
        kind: of its page, as `Hit.kind`.
        page: all of its page's text, without the title; None where that is not known.
    """

    title: str
    text: str
    headings: Sequence[Heading]
    is_first: bool
    near: Mapping[int, float] = field(default_factory=dict)
    kind: str = "page"
    page: str | None = None

    @cached_property
    def parts(self) -> list[Part]:
        """Its passages in their order."""
        return passages(self.text, self.title, self.headings, is_first=self.is_first, page=self.page)

    def sections(self) -> list[str]:
        """What stands under the same headings, with these and the title."""
        said: dict[tuple[str, ...], list[str]] = {}
        for part in self.parts:
            said.setdefault(part.headings, []).append(part.embedded)
        return ["\n".join(passages_there) for passages_there in said.values()]

    def best_passages(self, gains: Mapping[int, float]) -> list[Passage]:
        """The passage that is nearest and has most of the words, with what explains it, and another one of the text
        where that is nearly as good; `gains` are what each word of the question counts.

        By words alone there is one: of few words many passages have all.
        """
        parts = self.parts
        # An empty row of a table is as near to a question as the headings above it.
        telling = {number for number, part in enumerate(parts) if _tells(part)}
        if not telling:
            return []
        scores, sections = self._scores(parts, gains), self._sections(parts)

        def is_better(number: int) -> tuple[float, int]:
            return scores[number], -number

        best = max(telling, key=is_better)
        free = set(range(len(parts)))
        first, last = _with_neighbours(parts, sections, scores, best, free, (_SHORT, _MOST, _AS_GOOD))
        found = [self._passage(parts, first, best, last)]
        free -= set(range(first, last + 1))
        told = {(part.headings, part.said) for part in parts[first : last + 1]}
        others = (number for number in free & telling if (parts[number].headings, parts[number].said) not in told)
        other = max(others, key=is_better, default=None)
        if self.near and other is not None and scores[other] >= _NEARLY_AS_GOOD * scores[best] > 0:
            sizes = _SHORT_TOO, _MOST_TOO, _AS_GOOD_TOO
            first, last = _with_neighbours(parts, sections, scores, other, free, sizes)
            found.append(self._passage(parts, first, other, last))
        return found

    def _passage(self, parts: Sequence[Part], first: int, best: int, last: int) -> Passage:
        begin = len(shown(self.text[: parts[first].begin]))
        telling = [part for part in parts[first : last + 1] if _tells(part)]
        text, core = _told([part.said for part in telling], telling.index(parts[best]))
        return Passage(
            begin,
            begin + len(shown(self.text[parts[first].begin : parts[last].end])),
            [shown(heading) for heading in parts[best].headings],
            text,
            core,
            begins_inside=self._goes_on(parts, first - 1),
            ends_inside=self._goes_on(parts, last),
        )

    def _goes_on(self, parts: Sequence[Part], number: int) -> bool:
        """Whether a block goes on behind the passage of this number; -1: what was before the chunk."""
        if number < 0:
            return not self.is_first and self._is_inside(parts[0], at_its_end=False)
        if number == len(parts) - 1:
            return self._is_inside(parts[-1], at_its_end=True)
        return not _BLANK_LINE.search(self.text, parts[number].end, parts[number + 1].begin)

    def _is_inside(self, part: Part, at_its_end: bool) -> bool:
        """Whether more of the part's block stands on the page beyond the chunk; False where that cannot be said."""
        said = self.text[part.begin : part.end]
        if said.startswith("```") and said.count("\n") > 1:  # each chunk has the fences
            said = said.split("\n", 1)[1].rsplit("\n", 1)[0]
        if self.page is None or self.page.count(said) != 1:
            return False
        before, _, behind = self.page.partition(said)
        if at_its_end:
            rest, _, behind = behind.partition("\n")
            return bool(rest.strip()) or _EDGE.fullmatch(behind.partition("\n")[0]) is None
        before, _, rest = before.rpartition("\n")
        return bool(rest.strip()) or _EDGE.fullmatch(before.rpartition("\n")[2]) is None

    def numbered(self) -> tuple[str, Callable[[int], int]]:
        """The text as it is shown, with the numbers of its lists, and where a place of it without them is."""
        text = shown(self.text)
        numbers = numbers_of(text, self.is_first, self.page)
        return numbers.put_into(text), numbers.moved

    def _scores(self, parts: Sequence[Part], gains: Mapping[int, float]) -> list[float]:
        most = sum(gains.values()) or 1.0
        has_headings = any(part.headings for part in parts)

        def score(number: int, part: Part) -> float:
            # Whatever order a set is in: of equals another one would be shown by another process.
            words = fsum(gains[term] for term in terms_in(part.embedded, gains.keys())) / most
            near = self.near.get(number, 0.0)
            if self.near and has_headings and not part.headings:
                near -= _INTRODUCTION
            if self.kind == "ticket" and part.headings and part.headings[0].startswith(BY_AGENT):
                near += _BY_AGENT
            return near + _WORDS * words

        return [score(number, part) for number, part in enumerate(parts)]

    def _sections(self, parts: Sequence[Part]) -> list[int]:
        """Which passages stand under the same heading, and not under two of the same words."""
        between = (self.text[one.end : other.begin].split("\n") for one, other in pairwise(parts))
        return list(accumulate((any(line.startswith("#") for line in lines) for lines in between), initial=0))

    def below_heading(self, passage: Passage) -> str:
        """The passage's text where its heading alone would lead to an earlier place of the page; else nothing."""
        if not passage.heading_path:
            return ""
        text = shown(self.text)
        if not stands_earlier(passage.heading_path[-1], self.title, self.page, text, passage.begin):
            return ""
        return text[passage.begin : passage.end]


def _tells(part: Part) -> bool:
    """Whether there is anything in it to read."""
    return bool(shown(part.said).strip())


def _with_neighbours(
    parts: Sequence[Part],
    sections: Sequence[int],
    scores: Sequence[float],
    best: int,
    free: Set[int],
    sizes: tuple[int, int, float],
) -> tuple[int, int]:
    """The first and the last of the free passages under the same headings that are read along with the best one.

    The sentence before the best one often has the subject, and a remark below a table or a list is nearer to a question
    than the row that answers it. So they are taken from both sides, the better one first.
    """
    first = last = best
    short, most, as_good = sizes
    size = weight_of(parts[best].said)
    while True:
        beside = [(first - 1, 0.0), (last + 1, _BEHIND)]
        near = [
            (scores[number] + more, number)
            for number, more in beside
            if number in free and sections[number] == sections[best]
        ]
        fitting = [
            (score, number)
            for score, number in near
            if size < short or (size + weight_of(parts[number].said) <= most and score >= as_good * scores[best])
        ]
        if not fitting:
            return first, last
        _, number = max(fitting)
        size += weight_of(parts[number].said)
        first, last = min(first, number), max(last, number)


def _told(said: Sequence[str], best: int) -> tuple[str, tuple[int, int]]:
    """What a reader is shown of some passages, with where the best of them stands in it."""
    # An inner item that is the first line stays as far in as it is, or it would stand beside its parents.
    lines = shown(dedent("\n".join(said))).split("\n")
    ends = list(accumulate(each.count("\n") + 1 for each in said))
    before = lines[: ends[best - 1]] if best else []
    text = "\n".join(lines).rstrip()
    begin = len("\n".join([*before, ""]))
    return text, (begin, min(len("\n".join(lines[: ends[best]])), len(text)))
