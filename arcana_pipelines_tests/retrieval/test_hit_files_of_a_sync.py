"""Hits of files as a sync makes them: found below every page that has them, through every change of these."""

from __future__ import annotations

import zipfile
from io import BytesIO

import pytest

from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.retrieval.filters import Filters
from arcana_pipelines.retrieval.results import Hit
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.retrieval.workspace_named import workspace_named
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.pipeline.test_document_files import Shelf, Shelves

PLAN = "<html><body><h1>Plan</h1><p>The plan of the year is to grow slowly. 천천히 자란다.</p></body></html>"


@pytest.fixture
def shelves(acme: Harness) -> Shelves:
    return Shelves(acme, Shelf())


def found(shelves: Shelves, query: str = "grow slowly", **filters: str) -> list[Hit]:
    with shelves.acme.database.connection() as connection:
        workspace_id = workspace_named(connection, "acme")
        searcher = ConnectionSearcher(connection, shelves.acme.database.settings, workspace_id)
        asked = SearchRequest(query, min_score=0, filters=Filters(kinds=["file"], **filters))  # type: ignore[arg-type]
        return searcher.search(asked).hits


def told(hits: list[Hit]) -> list[tuple[str, str | None, set[str]]]:
    """Of each hit its name, its page, and the other pages."""
    return [
        (
            hit.title,
            hit.file.attached_to.title if hit.file and hit.file.attached_to else None,
            {page.title for page in hit.file.also_in} if hit.file else set(),
        )
        for hit in hits
    ]


def test_equal_files_are_one_hit_that_is_found_below_each_page(shelves: Shelves) -> None:
    for page in ("handbook", "sales", "legal"):
        shelves.shelf.put(page, f"{page}.html", PLAN)
    shelves.sync()
    ((name, page, others),) = told(found(shelves))
    assert name == f"{page.lower()}.html" if page else False
    assert {page, *others} == {"Handbook", "Sales", "Legal"}
    for page in ("handbook", "sales", "legal"):
        rest = {"Handbook", "Sales", "Legal"} - {page.title()}
        assert told(found(shelves, below=page)) == [(f"{page}.html", page.title(), rest)]


def test_the_others_are_found_when_the_one_with_the_text_goes(shelves: Shelves) -> None:
    first = shelves.shelf.put("handbook", "handbook.html", PLAN)
    shelves.sync()
    shelves.shelf.put("sales", "sales.html", PLAN)
    shelves.sync()
    ((then,),) = shelves.acme.rows("SELECT clock_timestamp()")
    shelves.shelf.take_off("handbook", first)
    shelves.sync(Mode.FULL)
    assert told(found(shelves)) == [("sales.html", "Sales", set())]
    assert found(shelves, below="handbook") == []
    with shelves.acme.database.connection() as connection:
        searcher = ConnectionSearcher(connection, shelves.acme.database.settings, workspace_named(connection, "acme"))
        asked = SearchRequest("grow slowly", min_score=0, filters=Filters(below="handbook"), as_of=then)
        assert told(searcher.search(asked).hits)[0] == ("handbook.html", "Handbook", {"Sales"})


def test_a_file_in_a_file_is_below_both(shelves: Shelves) -> None:
    held = BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("plan.html", PLAN)
    shelves.shelf.put("handbook", "papers.zip", held.getvalue())
    shelves.sync()
    for below in ("handbook", "papers.zip"):
        assert told(found(shelves, below=below)) == [("plan.html", "Handbook", set())]
