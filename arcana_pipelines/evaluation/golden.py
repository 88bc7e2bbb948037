"""Golden questions: what a search should find, as pages and quoted passages, so that it outlives every chunk.

A file holds one JSON object a line: `{"query": …, "relevant": [{"external_id": …, "passage": …, "grade": 1…3}]}`.
`relevant` may also be a list of ids, or ids with their grades (`{"id": 2}`). A file is named by its
page: `<page id>/plan.pdf`.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, ValidationError, field_validator

from arcana_pipelines.errors import WrongUse
from arcana_pipelines.markdown.characters import clean
from arcana_pipelines.markdown.normalise import normalise
from arcana_pipelines.retrieval.results import Hit

_WORD = re.compile(r"[^\W_]+")
# Fewer words in a row may be anywhere.
_LEAST_RUN = 4


def words(text: str) -> list[str]:
    """The words of a text in normal form, without case and typographic variants."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def _canonical(external_id: str) -> str:
    """Ids of pages come with and without dashes, a file may follow; any other id stays as it is."""
    page, slash, file = external_id.strip().partition("/")
    try:
        return f"{UUID(page)}{slash}{file}"
    except ValueError:
        return external_id.strip()


def _with_words(text: str) -> str:
    text = clean(text).strip()
    if not words(text):
        raise ValueError("it has no word in it")
    return text


_Text = Annotated[str, AfterValidator(_with_words)]
_PageId = Annotated[str, Field(min_length=1), AfterValidator(clean), AfterValidator(_canonical)]
_Grade = Annotated[StrictInt, Field(ge=1, le=3)]


class Relevant(BaseModel):
    """A page that answers a question.

    Attributes:
        external_id: the page's id in its source, a UUID in its canonical spelling; of a file its own id, or that of a
            page it hangs on with its name: `<page id>/plan.pdf`.
        passage: only the text that says this answers it; None: any of the page's does.
        grade: how well it answers, 1 to 3 (best).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    external_id: _PageId
    passage: _Text | None = None
    grade: _Grade = 1

    def stands_in(self, pages: Mapping[str, str]) -> bool:
        """Whether its page, of these texts by their pages' ids, says the passage; True without one."""
        return self.passage is None or holds(pages[self.external_id], self.passage)


class Question(BaseModel):
    """A query and what answers it.

    Attributes:
        query: at most 500 characters, a word among them.
        relevant: one page or more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: Annotated[_Text, Field(max_length=500)]
    relevant: Annotated[tuple[Relevant, ...], Field(min_length=1)]

    @field_validator("relevant", mode="before")
    @classmethod
    def _in_long_form(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return tuple({"external_id": page, "grade": grade} for page, grade in value.items())
        if isinstance(value, list):
            return tuple({"external_id": item} if isinstance(item, str) else item for item in value)
        return value

    @property
    def key(self) -> str:
        """Differs when the query, or anything that is said to answer it, differs."""
        return hashlib.blake2b(self.model_dump_json().encode(), digest_size=8).hexdigest()

    @property
    def ideal(self) -> list[int]:
        """The grades of its pages, best first."""
        grades: dict[str, int] = {}
        for each in self.relevant:
            grades[each.external_id] = max(each.grade, grades.get(each.external_id, 0))
        return sorted(grades.values(), reverse=True)

    def among(self, pages: Mapping[str, str]) -> Question | None:
        """The same question about these pages alone, by their texts; None when nothing that answers it is there."""
        relevant = tuple(each for each in self.relevant if each.external_id in pages and each.stands_in(pages))
        return self.model_copy(update={"relevant": relevant}) if relevant else None


def read_golden(data: bytes) -> list[Question]:
    """The questions of a golden file (UTF-8); blank lines are skipped.

    Raises:
        WrongUse: a line is malformed, two ask the same, or there is none. The message names the line.
    """
    questions: list[Question] = []
    asked: dict[str, int] = {}
    for number, line in _lines(data):
        try:
            question = Question.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise WrongUse(
                f"Line {number} of the golden questions cannot be used: {place + ': ' if place else ''}{first['msg']}."
            ) from error
        if question.query in asked:
            raise WrongUse(f"Line {number} of the golden questions asks the same as line {asked[question.query]}.")
        asked[question.query] = number
        questions.append(question)
    if not questions:
        raise WrongUse('There are no golden questions in it. A line is {"query": "…", "relevant": ["<page id>"]}.')
    return questions


def _lines(data: bytes) -> Iterator[tuple[int, str]]:
    # Not splitlines(): a text may hold U+2028, which ends no line of JSON.
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            text = line.decode().strip()
        except UnicodeDecodeError as error:
            raise WrongUse(f"Line {number} of the golden questions is not UTF-8.") from error
        if text:
            yield number, text


def gains(question: Question, hits: Iterable[Hit]) -> list[int]:
    """The grades of what a search found, in its order; 0 is irrelevant.

    Each page counts once, at its first hit that answers. Where only a passage answers, the page's hits without it
    count as one more, irrelevant page. Pages that a hit names for the same text stand right behind it.
    """
    wanted: dict[str, list[Relevant]] = {}
    for each in question.relevant:
        wanted.setdefault(each.external_id, []).append(each)
    grades: dict[tuple[str, bool], int] = {}
    for hit in hits:
        for page in (_named(hit, wanted), *(twin.external_id for twin in hit.duplicates)):
            grade = _grade(hit.text, wanted.get(page, ()))
            grades.setdefault((page, grade > 0), grade)
    return list(grades.values())


def _named(hit: Hit, wanted: Mapping[str, object]) -> str:
    """What a hit is called where it is wanted: a file by its page and name, else anything by its id."""
    pages = [hit.file.attached_to, *hit.file.also_in] if hit.file else []
    names = (f"{page.external_id}/{hit.title}" for page in pages if page is not None)
    return next((name for name in names if name in wanted), hit.external_id)


def _grade(text: str, wanted: Iterable[Relevant]) -> int:
    answers = (each.grade for each in wanted if each.passage is None or holds(text, each.passage))
    return max(answers, default=0)


def holds(text: str, passage: str) -> bool:
    """Whether a chunk's text shows a passage: all of it, or in a row half the words of the shorter one.

    So a passage is found although another chunker cut it in two, or its Markdown, case or spaces differ. It may be
    quoted in any dialect of Markdown that sources have, or as plain text.
    """
    quoted, shown = _quoted(passage), words(text)
    if " ".join(quoted) in " ".join(shown):
        return True
    shared = SequenceMatcher(None, shown, quoted, autojunk=False).find_longest_match().size
    return shared >= max(_LEAST_RUN, min(len(shown), len(quoted)) / 2)


@lru_cache(1_000)
def _quoted(passage: str) -> tuple[str, ...]:
    return tuple(words(normalise(passage).text) or words(passage))


def to_dicts(questions: Iterable[Question]) -> list[Mapping[str, Any]]:
    """Questions as JSON-ready objects."""
    return [question.model_dump(exclude_none=True) for question in questions]
