"""A search in all workspaces of a caller, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from arcana_pipelines.errors import ArcanaError, DatabaseUnreachable
from arcana_pipelines.retrieval.answering import NEAREST
from arcana_pipelines.retrieval.results import Hit, Results


def search_all(search: Callable[[str], Results], slugs: Sequence[str], most: int) -> Results:
    """The best hits of all workspaces, each of which is searched by itself. The answer has no cursor.

    Raises:
        ArcanaError: none of them can be searched (the reason of the first), or the database does not answer.
    """
    answers: dict[str, Results] = {}
    errors: dict[str, ArcanaError] = {}
    for slug in slugs:
        try:
            answers[slug] = search(slug)
        except DatabaseUnreachable:
            raise
        except ArcanaError as error:
            errors[slug] = error
    if not answers:
        raise next(iter(errors.values()))
    hits = _best([hit for answer in answers.values() for hit in answer.hits], most)
    return Results(
        hits=hits,
        seconds=sum(answer.seconds for answer in answers.values()),
        corrections={word: meant for answer in answers.values() for word, meant in answer.corrections.items()},
        target=next((answer.target for answer in answers.values() if answer.target), None),
        notes=[
            f"{slug}: {note}" if len(slugs) > 1 else note for slug, answer in answers.items() for note in answer.notes
        ],
        not_searched={slug: str(error) for slug, error in errors.items()},
        nearest=[] if hits else _best([hit for answer in answers.values() for hit in answer.nearest], NEAREST),
    )


def _best(hits: list[Hit], most: int) -> list[Hit]:
    return sorted(hits, key=lambda hit: -hit.score)[:most]
