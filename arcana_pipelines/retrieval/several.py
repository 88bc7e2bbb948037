"""One search in several workspaces: each answers by itself, and their hits are put in one order by their scores."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce

from arcana_pipelines.errors import ArcanaError, CursorRefused, DatabaseUnreachable, WrongUse
from arcana_pipelines.retrieval.answering import NEAREST, Answer
from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.retrieval.cursor import DEEPEST
from arcana_pipelines.retrieval.limits import check_text
from arcana_pipelines.retrieval.results import Hit, Results
from arcana_pipelines.retrieval.search_request import SearchRequest

MOST_WORKSPACES = 20
# Stands for the cursor of a workspace that could not be searched: what it has is missing from all that follows.
_LEFT_OUT = "-"
_SHOWN = re.compile(r"1?[0-9]{1,2}")


def checked_workspaces(slugs: Sequence[str]) -> list[str]:
    """Each workspace once.

    Raises:
        WrongUse: there is none, there are too many, or one has a name that no workspace has.
    """
    if isinstance(slugs, str) or not isinstance(slugs, Sequence):
        raise WrongUse("workspaces has to be a list of names.")
    for slug in slugs:
        check_text("The workspace's name", slug)
    different = list(dict.fromkeys(slugs))
    if not 1 <= len(different) <= MOST_WORKSPACES:
        raise WrongUse(f"A search needs 1 to {MOST_WORKSPACES} workspaces, not {len(different)}.")
    return different


def search_workspaces(
    searcher_of: Callable[[str], ConnectionSearcher], slugs: Sequence[str], request: SearchRequest
) -> Results:
    """The best hits of all workspaces. One that cannot be searched is told with the reason.

    `searcher_of` opens the searcher of a workspace; what it raises is such a reason, too.

    Raises:
        ArcanaError: none of them can be searched (the reason of the first); or the database does not answer, or a
            cursor is refused.
    """
    if len(slugs) == 1:
        return searcher_of(slugs[0]).search(request)
    key = hashlib.sha256(json.dumps(list(slugs)).encode()).hexdigest()[:8]
    shown, cursors = _read(request.after, key, slugs)
    answers: dict[str, Answer] = {}
    errors: dict[str, ArcanaError] = {}
    for slug in slugs:
        if request.after is not None and not cursors[slug]:
            continue  # all of it has been shown
        if cursors[slug] == _LEFT_OUT:
            errors[slug] = WrongUse(
                "It could not be searched for an earlier answer, and is left out of those that follow: "
                "search again without the cursor."
            )
            continue
        try:
            answers[slug] = searcher_of(slug).answer(replace(request, after=cursors[slug]))
        except (CursorRefused, DatabaseUnreachable):
            raise
        except ArcanaError as error:
            errors[slug] = error
    if errors and not answers:
        raise next(iter(errors.values()))
    not_searched = {slug: str(error) for slug, error in errors.items()}
    return _merged(answers, not_searched, request.k, shown, key, slugs)


def _merged(
    answers: dict[str, Answer], not_searched: dict[str, str], k: int, shown: int, key: str, slugs: Sequence[str]
) -> Results:
    """The best k hits of several answers; of each as many as come in before the others' better ones."""
    most = min(k, DEEPEST - shown) if shown else k
    order = sorted(
        ((-hit.score, place, slug) for slug, answer in answers.items() for place, hit in enumerate(answer.results.hits))
    )[:most]
    cut = {slug: answer.cut(sum(chosen == slug for _, _, chosen in order)) for slug, answer in answers.items()}
    shown += len(order)
    is_more = any(results.cursor for results in cut.values()) and shown < DEEPEST
    cursors = {slug: results.cursor or "" for slug, results in cut.items()} | dict.fromkeys(not_searched, _LEFT_OUT)
    parts = [cursors.get(slug, "") for slug in slugs]
    return Results(
        hits=[cut[slug].hits[place] for _, place, slug in order],
        seconds=sum(results.seconds for results in cut.values()),
        corrections=reduce(lambda all_of_them, results: results.corrections | all_of_them, cut.values(), {}),
        is_reranked=any(results.is_reranked for results in cut.values()),
        target=next((results.target for results in cut.values() if results.target), None),
        tokens=sum(answer.results.tokens for answer in answers.values()),
        # Workspaces may have different models: what one of them takes for an answer is none of the weak ones.
        least=min((answer.results.least for answer in answers.values()), default=0.0),
        unjudged=next((answer.results.unjudged for answer in answers.values() if answer.results.unjudged), None),
        taken_with=next((answer.results.taken_with for answer in answers.values()), []),
        notes=[f"{slug}: {note}" for slug, results in cut.items() for note in results.notes],
        cursor=".".join((key, str(shown), *parts)) if is_more else None,
        repeated=[hit for results in cut.values() for hit in results.repeated],
        not_searched=not_searched,
        facets=[facet for results in cut.values() for facet in results.facets],
        nearest=[] if order else _best_first([hit for answer in answers.values() for hit in answer.results.nearest]),
    )


def _best_first(hits: Sequence[Hit]) -> list[Hit]:
    return sorted(hits, key=lambda hit: -hit.score)[:NEAREST]


def _read(after: str | None, key: str, slugs: Sequence[str]) -> tuple[int, dict[str, str | None]]:
    """The hits that have been shown, and the cursor of each workspace: empty where all of it has been shown,
    `_LEFT_OUT` where it could not be searched, None at the beginning."""
    if after is None:
        return 0, dict.fromkeys(slugs)
    of_all, *rest = after.split(".")
    if of_all != key or len(rest) != len(slugs) + 1 or _SHOWN.fullmatch(rest[0]) is None:
        raise CursorRefused("This is no cursor of a search in these workspaces. Search again without it.")
    return int(rest[0]), dict(zip(slugs, rest[1:], strict=True))
