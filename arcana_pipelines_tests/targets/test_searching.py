"""Searches ask a target by meaning; words and filters are PostgreSQL's, and it answers where the target cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from arcana_pipelines.errors import WrongUse
from arcana_pipelines.indexes.targets.delivery import deliver
from arcana_pipelines.indexes.targets.registry import location_of, open_store
from arcana_pipelines.indexes.targets.targets import Target, add_target, pause, targets_of
from arcana_pipelines.retrieval import snapshot_search
from arcana_pipelines.retrieval.connection_searcher import STOOD_IN
from arcana_pipelines.retrieval.filters import Filters
from arcana_pipelines.retrieval.results import Results
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.testing.notion_server import NotionWorld
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness

TOPICS = ("vacation", "canteen", "parking", "salary", "heating", "휴가", "구내식당", "주차", "급여", "난방")


@pytest.fixture
def world() -> NotionWorld:
    world = NotionWorld()
    world.numbered = {}  # type: ignore[attr-defined]
    world.handbook = world.add_page("Handbook", blocks="What holds for everybody.")  # type: ignore[attr-defined]
    for number in range(40):
        topic = TOPICS[number % len(TOPICS)]
        parent = world.handbook if number % 2 else None  # type: ignore[attr-defined]
        text = f"Rule {number} of {topic}: " + " ".join(TOPICS[number % 3 :: 3])
        world.numbered[number] = world.add_page(f"{topic} {number}", parent=parent, blocks=text)  # type: ignore[attr-defined]
    world.clock.advance(600)
    return world


class Served:
    """A synced workspace whose index has a SQLite target."""

    def __init__(self, harness: Harness) -> None:
        self.harness, self.database = harness, harness.database
        harness.sync()
        harness.settle()
        harness.sync()
        with self.database.connection() as connection:
            workspace = workspaces.find(connection, harness.slug)
            self.workspace_id = workspace.workspace_id
            place = location_of(self.database.settings, "sqlite", Path(workspace.storage_path), None, "copy")
            add_target(connection, self.workspace_id, "sqlite", place, "copy")

    @property
    def target(self) -> Target:
        with self.database.connection() as connection:
            return targets_of(connection, self.workspace_id)[0]

    def deliver(self) -> None:
        assert deliver(self.database, self.target, seconds=60).error is None

    def search(self, query: str, **options: object) -> Results:
        with self.harness.searcher() as searcher:
            return searcher.search(SearchRequest(query, **options))  # type: ignore[arg-type]


@pytest.fixture
def served(acme: Harness) -> Served:
    return Served(acme)


def found(results: Results) -> list[tuple[str, float]]:
    return [(hit.title, hit.score) for hit in results.hits]


@pytest.mark.parametrize("ranking", ["fused", "dense", "lexical"])
def test_the_same_is_found_in_a_target(served: Served, ranking: str) -> None:
    served.deliver()
    for query in ("days of vacation", "구내식당 메뉴", "heating in winter"):
        ours, theirs = (served.search(query, ranking=ranking, target=name, min_score=0.0) for name in (None, "copy"))
        assert found(ours) == found(theirs) != []
        assert ours.target is None and theirs.target == ("copy" if ranking != "lexical" else None)


def test_filters_are_postgresqls_and_the_target_is_asked_for_more(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.deliver()
    monkeypatch.setattr(snapshot_search, "FEW", 3)
    monkeypatch.setattr("arcana_pipelines.retrieval.connection_searcher.CANDIDATES", 2)
    filters = Filters(below="Handbook")
    ours, theirs = (
        served.search("parking", k=15, ranking="dense", filters=filters, target=name, min_score=0.0)
        for name in ("pgvector", "copy")
    )
    assert found(ours) == found(theirs) and len(ours.hits) == 15


def test_a_target_that_is_behind_shows_nothing_that_is_not_published_any_more(served: Served) -> None:
    served.deliver()
    with served.database.connection() as connection:
        pause(connection, served.target, True)
    world = served.harness.world
    world.trash(world.numbered[2])  # type: ignore[attr-defined]
    world.clock.advance(600)
    served.harness.sync()
    assert "parking 2" not in [title for title, _ in found(served.search("parking", k=40, target="copy"))]


def test_postgresql_answers_while_a_target_is_filled_or_away(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    filling = served.search("vacation", target="copy")
    assert filling.hits and filling.target is None and filling.notes[0].startswith(STOOD_IN)
    served.deliver()
    assert served.search("vacation", target="copy").target == "copy"
    path = Path(served.target.location)
    with served.database.connection() as connection:
        collection = connection.execute("SELECT collection FROM target_collection").fetchone()
    with open_store(served.database.settings, "sqlite", str(path)) as store:
        store.drop(collection[0])  # type: ignore[index]
    away = served.search("vacation", target="copy")
    assert found(away) == found(served.search("vacation")) and away.notes[0].startswith(STOOD_IN)


def test_a_target_that_is_not_there_is_refused(served: Served) -> None:
    with pytest.raises(WrongUse, match="arcana target list"):
        served.search("vacation", target="elsewhere")
