"""A search in all workspaces of a caller, however many there are."""

from __future__ import annotations

from collections.abc import Callable

from arcana_pipelines.errors import ArcanaError, DatabaseUnreachable
from arcana_pipelines.retrieval.connection_searcher import NEAREST
from arcana_pipelines.retrieval.results import Hit, Results
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.retrieval.searcher import Searcher
from arcana_pipelines.retrieval.several import MOST_WORKSPACES


def search_all(
    searcher_of: Callable[[tuple[str, ...]], Searcher], slugs: tuple[str, ...], request: SearchRequest
) -> Results:
    """The best hits of all workspaces, which are searched `MOST_WORKSPACES` at a time. The answer has no cursor.

    Raises:
        ArcanaError: none of them can be searched (the reason of the first), or the database does not answer.
    """
    answers: list[Results] = []
    errors: dict[str, ArcanaError] = {}
    for begin in range(0, len(slugs), MOST_WORKSPACES):
        group = slugs[begin : begin + MOST_WORKSPACES]
        try:
            answers.append(searcher_of(group).search(request))
        except DatabaseUnreachable:
            raise
        except ArcanaError as error:
            errors |= dict.fromkeys(group, error)
    if not answers:
        raise next(iter(errors.values()))
    reasons = {slug: str(error) for slug, error in errors.items()}
    hits = _best([hit for answer in answers for hit in answer.hits], request.k)
    return Results(
        hits=hits,
        seconds=sum(answer.seconds for answer in answers),
        corrections={word: meant for answer in answers for word, meant in answer.corrections.items()},
        notes=[note for answer in answers for note in answer.notes],
        not_searched=reasons | {slug: why for answer in answers for slug, why in answer.not_searched.items()},
        nearest=[] if hits else _best([hit for answer in answers for hit in answer.nearest], NEAREST),
    )


def _best(hits: list[Hit], most: int) -> list[Hit]:
    return sorted(hits, key=lambda hit: -hit.score)[:most]
