"""What a visitor has asked, as the form of the search has it and as its address says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from arcana_pipelines.errors import WrongUse
from arcana_pipelines.retrieval.filters import Filters, PropertyCondition
from arcana_pipelines.retrieval.limits import told
from arcana_pipelines.retrieval.search_request import SearchRequest

PAGES = 10
# The page shows the first one; the other is on keyboards.
_BETWEEN = re.compile(" [›>] ")


@dataclass(frozen=True, slots=True)
class Asked:
    """The fields, as they were typed; empty where nothing was."""

    workspace: str
    query: str
    kind: str
    below: str
    since: str
    where: str
    topic: str
    after: str

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Asked:
        """Those of an address."""
        given = {name: parameters.get(name, "").strip() for name in cls.__slots__}
        return cls(**{**given, "topic": topic_typed(given["topic"])})

    @property
    def has_filters(self) -> bool:
        """Whether some pages are left out, by what the form alone shows: a topic stands above the results, too."""
        return any((self.kind, self.below, self.since, self.where))

    def address(self, **changed: str) -> str:
        """The search again, with other values in some fields."""
        fields = {name: getattr(self, name) for name in self.__slots__} | changed
        return "/?" + urlencode({name: value for name, value in fields.items() if value})

    def request(self, index: str, counts_topics: bool = False) -> SearchRequest:
        """The search, and on its first page how many documents there are of each topic.

        Raises:
            WrongUse: a field cannot be meant.
        """
        filters = Filters(
            below=self.below or None,
            kinds=(self.kind,) if self.kind else (),
            properties=[PropertyCondition.parse(self.where)] if self.where else (),
            edited_since=_day(self.since) if self.since else None,
            topic=self.topic or None,
        )
        return SearchRequest(
            self.query, PAGES, filters=filters, per_document=True, index=index, after=self.after or None,
            facets=("topics",) if counts_topics and not self.after else (),
        )  # fmt: skip


def topic_typed(text: str) -> str:
    """A topic as a person types it: with the signs between names that the page shows, too (`로봇 › 배터리`)."""
    names = _BETWEEN.split(text)
    return text if "/" in text or len(names) == 1 else "/".join(names)


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise WrongUse(f"{told(text)} is not a day: write it as 2026-02-01.") from error
