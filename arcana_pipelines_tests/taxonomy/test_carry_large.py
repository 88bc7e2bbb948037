"""A taxonomy of 30,931 nodes from version to version: every topic is accounted for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines_tests.taxonomy.grown import Grown
from arcana_pipelines_tests.taxonomy.library import Library, assign_at_random, is_balanced

DOCUMENTS = 20_000


@pytest.fixture
def library(database: Database) -> Iterator[Library]:
    with closing(Library(database)) as library:
        yield library


@pytest.mark.long
def test_every_topic_of_a_large_taxonomy_is_carried_queued_or_ended_with_a_reason(library: Library) -> None:
    grown = Grown()
    assert library.draft(*grown.rows.values()).changes == {"add": 30_931}
    library.promote("1.0.0")
    assign_at_random(library, DOCUMENTS)
    before = library.all_rows("1.0.0")

    draft = library.draft(*grown.changed(renames=500, moves=100, splits=40, merges=40))
    assert (draft.changes["rename"], draft.changes["move"]) == (500, 100)
    assert (draft.changes["merge"], draft.changes["split"]) == (80, 80)
    assert draft.missing == []
    report = library.promote("1.1.0")

    assert is_balanced(report)
    assert (report.assignments, report.documents) == (len(before), DOCUMENTS)
    assert min(report.carried, report.merged_into, report.queued) > 0
    waiting = library.connection.execute(
        "SELECT count(DISTINCT doc_id), bool_and(reason IS NOT NULL) FROM doc_taxonomy "
        "WHERE version = '1.1.0' AND hitl_required AND reason LIKE 'split of %'"
    ).fetchone()
    assert waiting is not None and waiting[0] > 0 and waiting[1]
    assert len(library.all_rows("1.1.0")) == report.after + report.ended

    assert library.roll_back().left == 0
    assert library.all_rows("1.0.0") == before
