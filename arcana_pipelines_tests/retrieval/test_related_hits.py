"""Hits name the documents that people have related to theirs."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

import pytest

from arcana_pipelines.documents.relations import relate
from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.retrieval.filters import Filters, Limits
from arcana_pipelines.retrieval.results import Hit, RelatedPage
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness


@pytest.fixture
def related(acme: Harness) -> Harness:
    """A policy and its translation, which links to it, too."""
    policy = acme.world.add_page("Vacation policy", blocks="Everyone has thirty days of vacation a year.")
    acme.world.add_page(
        "휴가 규정", blocks=f"모든 직원은 휴가를 받는다. [원문](https://www.notion.so/{policy.replace('-', '')})"
    )
    acme.settle()
    acme.sync()
    with acme.database.connection() as connection, connection.transaction():
        workspace = workspaces.find(connection, "acme").workspace_id
        relate(connection, workspace, _document(acme, "Vacation policy"), _document(acme, "휴가 규정"), "translation")
    return acme


def _document(acme: Harness, title: str) -> UUID:
    ((document,),) = acme.rows("SELECT document_id FROM source_page WHERE title = %s", title)
    return UUID(str(document))


def first(acme: Harness, query: str, limits: Limits = ()) -> Hit:
    with acme.database.connection() as connection:
        workspace = workspaces.find(connection, "acme").workspace_id
        searcher = ConnectionSearcher(connection, acme.database.settings, workspace, limits=limits)
        return searcher.search(SearchRequest(query, 1)).hits[0]


def test_from_both_sides_and_links_that_a_sync_has_found_are_not_among_them(related: Harness) -> None:
    policy, korean = first(related, "thirty days of vacation"), first(related, "모든 직원은 휴가를 받는다")
    assert policy.related == [RelatedPage("translation", korean.document_id, "휴가 규정", korean.url)]
    assert korean.related == [RelatedPage("translation of", policy.document_id, "Vacation policy", policy.url)]
    assert asdict(policy)["related"][0]["how"] == "translation"


def test_they_stay_through_syncs_and_go_with_the_document(related: Harness) -> None:
    related.sync()
    assert first(related, "thirty days of vacation").related
    related.world.trash(first(related, "모든 직원은 휴가를 받는다").external_id)
    related.settle()
    related.sync()
    assert first(related, "thirty days of vacation").related == []


def test_whoever_may_find_some_pages_alone_is_told_of_none(related: Harness) -> None:
    below = first(related, "thirty days of vacation").external_id
    assert first(related, "thirty days of vacation", limits=(Filters(below=below),)).related == []
