"""What a search is asked: one value for Python, the command line, evaluation, and whatever serves searches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, TypedDict, get_args

from pydantic import ConfigDict, Field, TypeAdapter

from arcana_pipelines.errors import WrongUse
from arcana_pipelines.retrieval.filters import Filters, checked
from arcana_pipelines.retrieval.fusion import Fusion, Ranking
from arcana_pipelines.retrieval.limits import (
    LONGEST_CURSOR,
    LONGEST_QUERY,
    LONGEST_VALUE,
    MOST_EARLIER,
    MOST_HITS,
    MOST_NEIGHBOURS,
    check_text,
    moment,
    told,
)

Facet = Literal["topics"]


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One question to one index of a workspace. It is checked when it is made.

    Raises:
        WrongUse: a value is of another type, length or size than it can have, a filter cannot be meant, or a time has
            no zone.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    query: Annotated[str, Field(max_length=LONGEST_QUERY)]
    """What a reader would type, at most 4,000 characters. Without a word in it there are no hits."""

    k: Annotated[int, Field(ge=1, le=MOST_HITS)] = 10
    """Hits, 1 to 1,000. Pages that repeat a text are named in its hit and do not count."""

    _: KW_ONLY

    ranking: Ranking = "fused"
    """By words and meaning (`fused`); for comparison by meaning (`dense`) or by words (`lexical`) alone."""

    fusion: Fusion = "weighted"
    """How words and meaning are combined: by their scores (`weighted`), or by their ranks (`rrf`)."""

    filters: Filters | None = None
    """Which pages may be found; without it all may."""

    neighbours: Annotated[int, Field(ge=0, le=MOST_NEIGHBOURS)] = 0
    """Chunks before each hit, and as many after it, that come with it: 0 to 100."""

    per_document: bool = False
    """At most one hit a document, its best chunk, with how many others of it were found."""

    min_score: Annotated[float, Field(ge=0, le=1)] | None = None
    """When no hit has this score, 0 to 1, nothing is said to be found (see `Results.nearest`); 0: any will do. Without
    it, what the score of the index's model says of questions without an answer (docs/searching.md)."""

    as_of: datetime | None = None
    """A past time with a zone: what was found then, in the versions of that time. Without it, what is found now."""

    index: Annotated[str, Field(max_length=LONGEST_VALUE)] | None = None
    """The name of one of the workspace's indexes; without it the searcher's own, which is `default` unless it was
    made for another."""

    after: Annotated[str, Field(max_length=LONGEST_CURSOR)] | None = None
    """The `cursor` of an answer to the same request: what comes after it. Up to 200 hits can be had of one request.
    `k` and `neighbours` may be others."""

    earlier: Annotated[tuple[Annotated[str, Field(max_length=LONGEST_QUERY)], ...], Field(max_length=MOST_EARLIER)] = ()
    """The questions that were asked before in the same conversation, oldest first, at most 20. They take part where the
    query leans on them: "and in Berlin?". `Results.taken_with` says which did."""

    target: Annotated[str, Field(max_length=LONGEST_VALUE)] | None = None
    """The name of a target of the index that is asked by meaning; `pgvector`: PostgreSQL. Without it, the store that
    the index is served from. Words and filters are PostgreSQL's, and so is a search of the past."""

    facets: Annotated[tuple[Facet, ...], Field(max_length=1)] = ()
    """What is counted beside the hits: `topics` (see `Results.facets`)."""

    def __post_init__(self) -> None:
        check_text("The query", self.query, LONGEST_QUERY)
        _check_number("k", self.k, 1, MOST_HITS)
        _check_number("neighbours", self.neighbours, 0, MOST_NEIGHBOURS)
        _check_word("ranking", self.ranking, get_args(Ranking))
        _check_word("fusion", self.fusion, get_args(Fusion))
        if not isinstance(self.per_document, bool):
            raise WrongUse(f"per_document is True or False, not {told(self.per_document)}.")
        _check_share("min_score", self.min_score)
        if self.index is not None:
            check_text("The name of the index", self.index)
        if self.target is not None:
            check_text("The name of the target", self.target)
        if self.after is not None:
            check_text("The cursor", self.after, LONGEST_CURSOR)
        # Frozen for everyone else: a request holds its times in UTC.
        if self.earlier:
            object.__setattr__(self, "earlier", _checked_earlier(self.earlier))
        if self.facets:
            object.__setattr__(self, "facets", _checked_facets(self.facets))
        if self.filters is not None:
            object.__setattr__(self, "filters", checked(self.filters))
        if self.as_of is not None:
            object.__setattr__(self, "as_of", moment("as_of", self.as_of))

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """The JSON schema of a request, with every field's meaning, range and default."""
        return TypeAdapter(cls).json_schema()


class SearchOptions(TypedDict, total=False):
    """The fields of a `SearchRequest` that may be given by name where a request is made on the way."""

    ranking: Ranking
    fusion: Fusion
    filters: Filters | None
    neighbours: int
    per_document: bool
    min_score: float | None
    as_of: datetime | None
    index: str | None
    after: str | None
    earlier: tuple[str, ...]
    target: str | None
    facets: tuple[Facet, ...]


def request_of(query: SearchRequest | str, k: int | None, options: SearchOptions) -> SearchRequest:
    """A request as it is, or one made of a query and of what else was given.

    Raises:
        WrongUse: something was given beside a request, or a value cannot be (see `SearchRequest`).
    """
    if not isinstance(query, SearchRequest):
        return SearchRequest(query, **options) if k is None else SearchRequest(query, k, **options)
    if k is not None or options:
        raise WrongUse("A SearchRequest says everything itself: give it alone, or a query with its options.")
    return query


def _checked_earlier(earlier: object) -> tuple[str, ...]:
    if isinstance(earlier, str) or not isinstance(earlier, Sequence):
        raise WrongUse(f"earlier has to be a list of questions, not {told(earlier)}.")
    if len(earlier) > MOST_EARLIER:
        raise WrongUse(f"earlier holds {len(earlier):,} questions; at most {MOST_EARLIER} are allowed: give the last.")
    for question in earlier:
        check_text("An earlier question", question, LONGEST_QUERY)
    return tuple(earlier)


def _checked_facets(facets: object) -> tuple[Facet, ...]:
    if isinstance(facets, str) or not isinstance(facets, Sequence):
        raise WrongUse(f"facets has to be a list, not {told(facets)}.")
    for facet in facets:
        _check_word("facet", facet, get_args(Facet))
    return tuple(dict.fromkeys(facets))


def _check_number(name: str, value: object, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise WrongUse(f"A search needs {name} of at least {least} and at most {most}, not {told(value)}.")


def _check_share(name: str, value: object) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None and not (is_number and 0 <= value <= 1):  # type: ignore[operator]
        raise WrongUse(f"A search needs {name} of at least 0 and at most 1, not {told(value)}.")


def _check_word(name: str, value: object, known: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in known:
        raise WrongUse(f"There is no {name} {told(value)}, only {', '.join(known)}.")
