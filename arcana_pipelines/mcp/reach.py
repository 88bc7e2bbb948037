"""What a caller may reach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.retrieval.near import listed
from arcana_pipelines.retrieval.results import Results, TopicFacet
from arcana_pipelines.retrieval.search_request import SearchRequest


@dataclass(frozen=True, slots=True)
class Reach:
    """The workspaces that a caller may use now. What is not among them is not there for the caller.

    Attributes:
        search: slugs of those whose index `default` it may search.
        read: slugs of those whose documents it may read and list.
        company: the caller's, for whom the database is asked; None: the database's user sees no more than it may.
        find: searches the index `default` of one of the workspaces for the caller; None: the database's user finds
            whatever is there.
        topics: the topics of one of the workspaces that are directly below one, or the uppermost, counted as `find`
            finds.
        internal: slugs of those whose private notes it sees, with whatever else is internal; of no concern without a
            company.
    """

    search: tuple[str, ...]
    read: tuple[str, ...]
    company: UUID | None = None
    find: Callable[[str, SearchRequest], Results] | None = None
    internal: tuple[str, ...] = ()
    topics: Callable[[str, str | None], list[TopicFacet]] | None = None

    @classmethod
    def of(cls, slugs: Sequence[str]) -> Reach:
        """The same workspaces for both."""
        return cls(tuple(slugs), tuple(slugs))

    @property
    def all(self) -> list[str]:
        """Those that it may use for anything."""
        return list(dict.fromkeys((*self.search, *self.read)))

    def readable(self, slug: str) -> str:
        """The workspace, which the caller may read.

        Raises:
            WrongUse: it may not, or there is none: both are told alike.
        """
        return _among(slug, self.read)

    def searchable(self, slugs: Sequence[str]) -> tuple[str, ...]:
        """Those workspaces, which the caller may search; all where none is named.

        Raises:
            WrongUse: one it may not, or there is none.
        """
        if not self.search:
            raise WrongUse("There is no workspace here that may be searched.")
        return tuple(dict.fromkeys(_among(slug, self.search) for slug in slugs)) or self.search


def _among(slug: str, slugs: Sequence[str]) -> str:
    if slug not in slugs:
        raise WrongUse(f"There is no workspace of this name here, only {listed(slugs) or 'none that may be read'}.")
    return slug


# Reads something for a company (None: for the database's user), with what is internal or without it.
ReadFor = Callable[[UUID | None, bool, Callable[[Connection], Any]], Any]
# Asked for each request, with the HTTP request that it came in (None over stdio and in memory).
ReachOf = Callable[[Any], Reach]
