"""Which documents a search may find."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar, Literal, get_args

from pydantic import ConfigDict

from arcana_pipelines.errors import WrongUse
from arcana_pipelines.retrieval.limits import LONGEST_TOPIC, check_text, moment, told

Kind = Literal["page", "row", "file", "ticket", "notes", "article"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# Those whose properties people see in the source; of a file those of what it hangs on.
WITH_PROPERTIES: tuple[Kind, ...] = ("row", "ticket", "notes", "article")
OPERATORS = (">=", "<=", "!=", "=", "~", ">", "<")
_OPERATOR = re.compile("|".join(OPERATORS))


@dataclass(frozen=True, slots=True)
class PropertyCondition:
    """A condition on a property of a database row or of a ticket; `operator` is one of = != ~ (contains) > < >= <=.

    Numbers, amounts, percentages, dates and check boxes are compared as what they are, all others as text without
    regard to case. A list is equal to each of its items, and a range of dates to each of its days.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: str
    """The property's, or that of the title's column."""

    operator: str
    """One of = != ~ > < >= <=."""

    value: str
    """What a person would type: `1,200`, `50%`, `2026-03-05`, `2026-03`, `yes`; empty for cells that are."""

    written: str | None = field(default=None, compare=False)
    """The whole condition where it was parsed: a name may hold signs that look like an operator."""

    @classmethod
    def parse(cls, text: str) -> PropertyCondition:
        """`Status=Done`, `Cost>=100`, `Owner~Kim`.

        Raises:
            WrongUse: it is none of these, or longer than any.
        """
        check_text("A condition", text)
        condition = next(_readings(text), None)
        if condition is None:
            raise WrongUse(
                f"'{text}' is not a condition: write PROPERTY=VALUE, or with != ~ > < >= <= between the two."
            )
        return condition

    def readings(self) -> list[PropertyCondition]:
        """The conditions that it may be, the one with the shortest name first.

        Raises:
            WrongUse: it is longer than any condition.
        """
        if self.written is None:
            return [self]
        check_text("A condition", self.written)
        return list(_readings(self.written))


def _check_condition(condition: object) -> None:
    if not isinstance(condition, PropertyCondition):
        raise WrongUse(
            f"A condition has to be a PropertyCondition, not {told(condition)}: use PropertyCondition.parse."
        )
    check_text("The name of a property", condition.name)
    check_text("An operator", condition.operator)
    check_text("The value of a condition", condition.value)
    if condition.written is not None:
        check_text("A condition", condition.written)
    if not condition.name.strip():
        raise WrongUse("A condition on a property has no name of a property.")


def _readings(text: str) -> Iterator[PropertyCondition]:
    for operator in _OPERATOR.finditer(text):
        name, value = text[: operator.start()].strip(), text[operator.end() :].strip()
        if name:
            yield PropertyCondition(name, operator.group(), value, text)


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions that all have to hold."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    below: str | None = None
    """A page, by its id, its address in its source or its exact title: it and everything below it, with its files."""

    kinds: Sequence[str] = ()
    """`page`, `row`, `file`, `ticket`, `notes` (private ones of a ticket), `article`; without any, all."""

    properties: Sequence[PropertyCondition] = field(default=())
    """Conditions on properties of database rows and tickets, at most 50. A file is where its page is, and has its
    properties."""

    edited_since: datetime | None = None
    """Edited at that time or later; a time with a zone. Of a file its page's."""

    links_to: str | None = None
    """A page, as in `below`: what links to it."""

    internal: bool | None = None
    """Private notes, their files, and whatever else is internal: `false` leaves them out, `true` finds nothing else.
    They are found by keys with the scope `notes` alone, whatever is asked."""

    topic: str | None = None
    """A topic of the workspace's taxonomy, by its path (`AI/RAG`) or its id: what is about it or about anything below
    it. A path of an earlier version is good, too. Of a file its own topics count, and its page's. They are those of
    today, also where the past is searched."""

    def checked(self) -> Filters:
        """These filters, fit for the database.

        What cannot be meant is refused: an empty text is a forgotten value, and never means every page.

        Raises:
            WrongUse: a page, a topic or a property is not text, or empty, a kind is unknown, or a time has no
                zone.
        """
        for name, page in (("below", self.below), ("links_to", self.links_to)):
            if page is None:
                continue
            check_text(f"The filter {name}", page)
            if not page.strip():
                raise WrongUse(
                    f"The filter {name} is empty: name a page by its id, its address or its title, or leave it out."
                )
        if self.topic is not None:
            check_text("The filter topic", self.topic, LONGEST_TOPIC)
            if not self.topic.strip():
                raise WrongUse("The filter topic is empty: name one by its path, such as AI/RAG, or leave it out.")
        for name, several in (("kinds", self.kinds), ("properties", self.properties)):
            if not isinstance(several, Collection) or isinstance(several, str | bytes):
                raise WrongUse(f"The filter {name} has to be a list, not {told(several)}.")
        for kind in self.kinds:
            if not isinstance(kind, str) or kind not in KINDS:
                raise WrongUse(f"There is no kind {told(kind)}: give a list with one or more of {', '.join(KINDS)}.")
        for condition in self.properties:
            _check_condition(condition)
        if self.internal is not None and not isinstance(self.internal, bool):
            raise WrongUse(f"The filter internal has to be true or false, not {told(self.internal)}.")
        since = self.edited_since
        return self if since is None else replace(self, edited_since=moment("edited_since", since))

    def __bool__(self) -> bool:
        given = (self.below, self.kinds, self.properties, self.edited_since, self.links_to, self.topic)
        return any(given) or self.internal is not None


Limits = tuple[Filters, ...]
"""Filters that hold for whoever searches, each of them, beside what a request asks. Their sequences are tuples."""

WITHOUT_INTERNAL = Filters(internal=False)
"""The limit of whoever may not see private notes. It leaves nearly everything, and is asked so that it takes no longer
for that."""


def checked(filters: object) -> Filters:
    """The filters of a search (see `Filters.checked`); None is none.

    Raises:
        WrongUse: they are not filters, or cannot be meant.
    """
    if filters is None:
        return Filters()
    if not isinstance(filters, Filters):
        raise WrongUse(f"filters has to be a Filters, not {told(filters)}.")
    return filters.checked()
