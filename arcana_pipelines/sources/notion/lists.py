"""Lists that are read with GET, page after page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from arcana_pipelines.errors import AnswerUnusable

# Answers without anything new after which a list is taken to have no end. One or two happen: what the connection may
# not see is left out of an answer, and what moves meanwhile is shown twice.
MOST_IDLE = 10
# Of any one list: a hundred items each.
MOST_ANSWERS = 2_000


class Progress:
    """Whether a list that is read answer after answer still brings anything new. `most` is a number of answers."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._idle = 0
        self._cursors: set[str] = set()
        self._items: set[str] = set()

    def next(self, answer: Mapping[str, Any], results: list[dict[str, Any]]) -> str:
        """The cursor to go on with.

        Raises:
            AnswerUnusable: there is none, it was used before, or the list has no end.
        """
        new = {item["id"] for item in results if isinstance(item.get("id"), str)} - self._items
        self._items |= new
        # Items of one property share an id: a full answer of them is news as well.
        self._idle = 0 if new or (results and results[0].get("object") == "property_item") else self._idle + 1
        self._left -= 1
        cursor = answer.get("next_cursor")
        if not isinstance(cursor, str) or not cursor or cursor in self._cursors:
            raise AnswerUnusable("it says there is more but repeats its cursor")
        if self._idle >= MOST_IDLE or self._left <= 0:
            raise AnswerUnusable("it says there is more and more, and brings nothing new")
        self._cursors.add(cursor)
        return cursor


def follow(read: Callable[..., dict[str, Any]], path: str, first: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every answer of a list to its end, from its first one on.

    `read` is a method of an endpoint, with what it is about; `path` names the list in errors.

    Raises:
        AnswerUnusable: it is not a list, or its end cannot be reached. Part of a list is never taken for all of it.
        SourceUnavailable, PageRejected, PageUnavailable, TokenRevoked: see `NotionApi.request`.
    """
    answer = first
    progress = Progress(MOST_ANSWERS)
    while True:
        results = answer.get("results")
        if answer["object"] != "list" or not isinstance(results, list) or len(mappings(results)) < len(results):
            raise AnswerUnusable(f"{path} answered with something other than a list of objects")
        yield answer
        if not answer.get("has_more"):
            return
        try:
            cursor = progress.next(answer, results)
        except AnswerUnusable as error:
            raise AnswerUnusable(f"{path}: {error}") from error
        answer = read(page_size=100, start_cursor=cursor)


def items(read: Callable[..., dict[str, Any]], path: str) -> Iterator[dict[str, Any]]:
    """Every item of a list, to its end (see `follow`)."""
    for answer in follow(read, path, read(page_size=100)):
        yield from answer["results"]


def mappings(results: list[Any]) -> list[dict[str, Any]]:
    """The items of a list that are objects."""
    return [item for item in results if isinstance(item, dict)]
