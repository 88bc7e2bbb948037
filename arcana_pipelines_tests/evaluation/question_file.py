"""Files of natural questions, answerable and not: one JSON object a line (evaluation/README.md has the fields)."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator


class NaturalQuestion(BaseModel):
    """A question as a person asks it, and where its answer stands.

    Attributes:
        id: unique in its file.
        query: what is typed.
        language: that of the question, as an ISO 639-1 code.
        page_language: that of the answer; None where the pages have no answer.
        relevant: the pages that answer, by title or by the path of their file; empty where none does.
        answer: words of those pages, as they stand there, of which a good passage shows one.
        kind: what it tries (`natural`, `paraphrase`, `typo`, `word`, `code`, `none`); for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    query: str = Field(min_length=1, max_length=500)
    language: str
    page_language: str | None
    relevant: tuple[str, ...]
    answer: tuple[str, ...] = ()
    kind: str = ""

    @model_validator(mode="after")
    def _is_of_one_mind(self) -> NaturalQuestion:
        if not self.relevant and (self.answer or self.page_language is not None):
            raise ValueError("without a relevant page it has no answer, and its page_language is null")
        if self.relevant and self.page_language is None:
            raise ValueError("it has a relevant page, so page_language says its language")
        return self

    @property
    def pair(self) -> str:
        """The languages of question and answer: `en>ko`."""
        return f"{self.language}>{self.page_language or 'none'}"


def read_questions(path: Path) -> list[NaturalQuestion]:
    """The questions of a file.

    Raises:
        SystemExit: a line is malformed, an id or a question comes twice, or there is none; the message names the line.
    """
    questions: list[NaturalQuestion] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            question = NaturalQuestion.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise SystemExit(f"{path}, line {number}: {'.'.join(map(str, first['loc']))} {first['msg']}") from None
        if any(each.id == question.id or each.query == question.query for each in questions):
            raise SystemExit(f"{path}, line {number}: its id or its question stands in a line before.")
        questions.append(question)
    if not questions:
        raise SystemExit(f"{path}: there are no questions in it.")
    return questions


class Pages:
    """The pages of an index, by the names that questions use."""

    def __init__(self, titles: dict[str, str], paths: dict[str, str]) -> None:
        """`titles` by id; ids by `paths` below the folder of pages."""
        self._titles = {page: _spelled(title) for page, title in titles.items()}
        self._paths = {_spelled(path): page for path, page in paths.items()}

    def named(self, name: str) -> str:
        """The id of the one page with this path, title, or end of a path.

        Raises:
            LookupError: there is none, or several.
        """
        name = _spelled(name)
        if name in self._paths:
            return self._paths[name]
        found = {page for page, title in self._titles.items() if title == name}
        found = found or {page for path, page in self._paths.items() if path.endswith(f"/{name}")}
        if len(found) != 1:
            raise LookupError(f"{len(found) or 'no'} pages are called '{name}'")
        return found.pop()


def _spelled(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip())
