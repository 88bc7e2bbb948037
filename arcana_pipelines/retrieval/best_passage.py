"""The part of a found chunk that answers a question best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import dedent

from arcana_pipelines.chunking.headings import Heading
from arcana_pipelines.chunking.passages import passages
from arcana_pipelines.retrieval.highlights import terms_in
from arcana_pipelines.retrieval.results import Passage
from arcana_pipelines.retrieval.scroll_links import stands_earlier
from arcana_pipelines.retrieval.shown import shown

# Beside the cosine similarity of a passage, how much it counts to have all the words of a question.
_WORDS = 0.5
# A passage of fewer characters is read with what follows it: the steps behind "do this:", the next rows of a table.
_ENOUGH = 160


@dataclass(frozen=True, slots=True)
class FoundText:
    """A found chunk as it is stored.

    Attributes:
        title: that of its page.
        text: with what no reader is shown (see `shown`).
        headings: those that are open where it begins.
        is_first: it begins its document.
        near: the similarity of its passages with the question by their number; empty where they have no vectors.
        page: all of its page's text, without the title; None where that is not known.
    """

    title: str
    text: str
    headings: Sequence[Heading]
    is_first: bool
    near: Mapping[int, float] = field(default_factory=dict)
    page: str | None = None

    def best_passage(self, gains: Mapping[int, float]) -> Passage | None:
        """The passage that is nearest and has most of the words; `gains` are what each word of the question counts."""
        most = sum(gains.values()) or 1.0
        parts = passages(self.text, self.title, self.headings, is_first=self.is_first)
        best = max(
            range(len(parts)),
            key=lambda number: (
                self.near.get(number, 0.0)
                + _WORDS * sum(gains[term] for term in terms_in(parts[number].embedded, gains.keys())) / most
            ),
            default=None,
        )
        if best is None:
            return None
        part, *others = parts[best:]
        told, end = part.said, part.end
        for other in others:
            if len(told) >= _ENOUGH or other.headings != part.headings:
                break
            told, end = f"{told}\n{other.said}", other.end
        begin = len(shown(self.text[: part.begin]))
        return Passage(
            begin,
            begin + len(shown(self.text[part.begin : end])),
            [shown(heading) for heading in part.headings],
            # An inner item that is the first line stays as far in as it is, or it would stand beside its parents.
            shown(dedent(told)).strip("\n").rstrip(),
        )

    def below_heading(self, passage: Passage) -> str:
        """The passage's text where its heading alone would lead to an earlier place of the page; else nothing."""
        if not passage.heading_path:
            return ""
        text = shown(self.text)
        page = None if self.page is None else shown(self.page)
        if not stands_earlier(passage.heading_path[-1], shown(self.title), page, text, passage.begin):
            return ""
        return text[passage.begin : passage.end]
