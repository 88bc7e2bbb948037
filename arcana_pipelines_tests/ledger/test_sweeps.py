"""Sweeps: absence is seen sooner than by the audit, within a small share of the requests, and is proven as ever."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from arcana_pipelines.cli.commands import status as status_command
from arcana_pipelines.errors import SourcePaused, SourceUnavailable
from arcana_pipelines.ledger import sweeps
from arcana_pipelines.ledger.freshness import Freshness, freshness
from arcana_pipelines.sources.notion import source as notion_source
from arcana_pipelines.sources.notion.source import NotionSource
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server import NotionWorld
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.testing.notion_server.model.objects import DataSource
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.hours import Hours


@pytest.fixture(autouse=True)
def _answers_of_five(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small worlds have listings of several answers."""
    monkeypatch.setattr(notion_source, "PAGE_SIZE", 5)


@pytest.fixture
def pages(world: NotionWorld) -> list[str]:
    """Twenty pages that were made long ago."""
    made = [
        world.add_page(f"Page {number}", blocks=[blocks.paragraph(f"text {number} of many")]) for number in range(20)
    ]
    world.clock.advance(86_400)
    return made


@pytest.fixture
def hours(acme: Harness, pages: list[str], monkeypatch: pytest.MonkeyPatch) -> Hours:
    """`acme` after its first sync, as the sensor sees it."""
    monkeypatch.setattr("arcana_pipelines.ledger.polling.open_source", lambda *_, **__: acme.source())
    acme.sync(Mode.FULL)
    acme.sync()
    return Hours([acme])


def _fresh(acme: Harness) -> Freshness:
    with acme.database.connection() as connection:
        ((workspace_id,),) = acme.rows("SELECT workspace_id FROM workspace WHERE slug = %s", acme.slug)
        return freshness(connection, workspace_id)


def _sweep(acme: Harness) -> dict[str, Any]:
    ((row,),) = acme.rows(
        "SELECT to_jsonb(s) FROM source_sweep s JOIN workspace w USING (workspace_id) WHERE slug = %s", acme.slug
    )
    assert isinstance(row, dict)
    return row


def _generation(acme: Harness) -> int:
    ((generation,),) = acme.rows("SELECT generation FROM workspace WHERE slug = %s", acme.slug)
    return int(generation)


def test_an_unshared_and_a_deleted_page_leave_the_index_without_an_audit(hours: Hours, pages: list[str]) -> None:
    (acme,) = hours.workspaces
    acme.world.unshare(pages[3])
    acme.world.delete_forever(pages[7])
    minutes = hours.until(lambda: not {pages[3], pages[7]} & acme.published().keys(), 75)
    assert minutes >= 10, "two looks, ten minutes apart"
    acme.assert_matches_world()


class Asked:
    """What sweeps ask, by kind; something may happen before or after each listing request."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.listings: list[str | None] = []
        self.looks: list[str] = []
        self.before: Callable[[int], None] = lambda number: None
        self.after: Callable[[int], None] = lambda number: None
        list_some, look = NotionSource.sweep, sweeps._look

        def listing(source: NotionSource, container: str | None, place: str | None) -> Any:
            self.listings.append(container)
            self.before(len(self.listings))
            shown = list_some(source, container, place)
            self.after(len(self.listings))
            return shown

        def looking(database: Any, source: NotionSource, sweep: Any) -> Any:
            confirm = source.confirm
            source.confirm = lambda page: (self.looks.append(page), confirm(page))[1]  # type: ignore[method-assign]
            return look(database, source, sweep)

        monkeypatch.setattr(NotionSource, "sweep", listing)
        monkeypatch.setattr(sweeps, "_look", looking)

    @property
    def total(self) -> int:
        return len(self.listings) + len(self.looks)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


def test_a_sweep_without_absences_asks_for_the_listing_and_for_nothing_else(hours: Hours, asked: Asked) -> None:
    (acme,) = hours.workspaces
    generation = _generation(acme)
    hours.go_on(60)
    assert 3 * 4 <= asked.total <= 4 * 4, "twenty pages in answers of five, once in a quarter of an hour"
    assert not asked.looks and _generation(acme) == generation


@pytest.mark.parametrize(
    ("kind", "at"),
    [
        pytest.param(kind, at, marks=[] if at == 2 or kind in ("incomplete", "500") else [pytest.mark.long])
        for kind in ("incomplete", "repeat_cursor", "short", "403", "500", "html", "empty", "drop", "429")
        for at in (1, 2, 4)
    ],
)
def test_a_listing_that_is_cut_short_removes_nothing(hours: Hours, asked: Asked, kind: str, at: int) -> None:
    (acme,) = hours.workspaces
    generation = _generation(acme)

    def spoil(number: int) -> None:
        acme.server.faults.clear()
        if number % 4 == at % 4 or kind == "repeat_cursor":
            acme.server.faults.add("POST /v1/search", kind, times=None, keep=0)

    asked.before, asked.after = spoil, lambda number: acme.server.faults.clear()
    hours.go_on(120)
    assert asked.listings
    assert len(acme.published()) == 20 and _generation(acme) == generation
    assert acme.rows("SELECT count(*) FROM source_page WHERE state <> 'unchanged'") == [(0,)]


def test_search_that_shows_no_more_than_it_likes_proves_nothing_and_is_asked_ever_more_rarely(
    hours: Hours, asked: Asked
) -> None:
    (acme,) = hours.workspaces
    acme.world.search_result_limit = 10
    hours.go_on(60)
    first = asked.total
    assert "incomplete" in (_fresh(acme).problem or "")
    hours.go_on(240)
    assert asked.total - first < 2 * first
    assert not asked.looks and len(acme.published()) == 20
    acme.world.search_result_limit = None
    hours.until(lambda: _fresh(acme).problem is None, 400)


def test_an_empty_listing_is_taken_for_a_failure(hours: Hours, asked: Asked, pages: list[str]) -> None:
    (acme,) = hours.workspaces
    for page in pages:
        acme.world.unshare(page)
    hours.go_on(40)
    assert _fresh(acme).problem == "no page at all was listed"
    assert not asked.looks and len(acme.published()) == 20


@pytest.mark.parametrize("dies", ["before it is asked", "before it is noted"])
@pytest.mark.parametrize("at", [1, 3, 4])
def test_a_sweep_goes_on_in_another_process_after_a_crash(
    hours: Hours, asked: Asked, pages: list[str], at: int, dies: str
) -> None:
    (acme,) = hours.workspaces
    acme.world.delete_forever(pages[7])

    def die(number: int) -> None:
        if number == at:
            raise MemoryError("the process ends here")

    if dies == "before it is asked":
        asked.before = die
    else:
        asked.after = die
    with pytest.raises(MemoryError):
        hours.go_on(60)
    began = _sweep(acme)["began_at"]
    hours.until(lambda: _sweep(acme)["began_at"] is None, 60)
    assert began is not None and len(asked.listings) == 5, "four answers, one of them twice"
    assert asked.looks == [pages[7]]
    hours.until(lambda: pages[7] not in acme.published(), 30)


def test_a_page_that_is_made_during_a_sweep_is_not_missed(hours: Hours, asked: Asked) -> None:
    (acme,) = hours.workspaces
    made: list[str] = []
    asked.after = lambda number: made.append(acme.world.add_page(f"New {number}")) if number in (2, 3) else None
    hours.go_on(60)
    assert len(made) == 2 and set(made) <= acme.published().keys()
    assert not asked.looks
    acme.assert_matches_world()


def test_pages_that_are_edited_or_moved_during_a_sweep_are_not_missed(
    hours: Hours, asked: Asked, pages: list[str]
) -> None:
    """The order of the listing changes under it: what was edited is at its front."""
    (acme,) = hours.workspaces

    def work(number: int) -> None:
        acme.world.append_blocks(pages[number], [blocks.paragraph(f"more {number}")])
        acme.world.append_blocks(pages[19 - number], [blocks.paragraph(f"more {number}")])
        acme.world.move(pages[number + 8], pages[0])

    asked.after = lambda number: work(number) if number < 4 else None
    hours.go_on(90)
    assert not asked.looks
    assert acme.rows("SELECT count(*) FROM source_page WHERE state <> 'unchanged'") == [(0,)]
    acme.assert_matches_world()


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 6))])
def test_whatever_people_do_during_sweeps_all_absences_are_found_without_an_audit(
    hours: Hours, asked: Asked, pages: list[str], seed: int
) -> None:
    (acme,) = hours.workspaces
    chance, world = random.Random(seed), acme.world
    alive = list(pages)

    def work(number: int) -> None:
        page = chance.choice(alive)
        what = chance.choice(["edit", "edit", "move", "make", "unshare", "delete", "trash"])
        if what == "edit":
            world.append_blocks(page, [blocks.paragraph(f"more {number}")])
        elif what == "make":
            alive.append(world.add_page(f"New {number}", blocks=[blocks.paragraph(f"new {number}")]))
        elif what == "move":
            world.move(page, None)
            world.share(page)
        elif len(alive) > 8:
            alive.remove(page)
            {"unshare": world.unshare, "delete": world.delete_forever, "trash": world.trash}[what](page)

    asked.after = work
    hours.go_on(120)
    asked.after = lambda number: None
    hours.go_on(75)
    assert set(acme.published()) == set(alive)
    acme.assert_matches_world()


class TestRows:
    """Search shows most rows; a container of which it shows too few is listed itself."""

    @pytest.fixture
    def table(self, world: NotionWorld, pages: list[str]) -> list[str]:
        source = world.add_database("Tasks").data_source_id
        rows = []
        for number in range(12):
            rows.append(world.add_row(source, f"Task {number}"))
            world.clock.advance(60)
        world.clock.advance(86_400)
        return [source, *rows]

    @pytest.fixture
    def hours(self, table: list[str], hours: Hours) -> Hours:
        return hours

    def _hide(self, acme: Harness, hidden: Callable[[dict[str, Any]], bool]) -> None:
        def change(path: str, body: dict[str, Any]) -> dict[str, Any]:
            if path != "POST /v1/search":
                return body
            return {**body, "results": [item for item in body["results"] if not hidden(item)]}

        acme.server.alter(change)

    def test_rows_that_search_shows_cost_no_query(self, hours: Hours, asked: Asked, table: list[str]) -> None:
        (acme,) = hours.workspaces
        acme.world.delete_forever(table[5])
        hours.until(lambda: table[5] not in acme.published(), 75)
        assert set(asked.listings) == {None}
        acme.assert_matches_world()

    def test_rows_that_search_does_not_show_are_listed_by_their_database(
        self, hours: Hours, asked: Asked, table: list[str]
    ) -> None:
        (acme,) = hours.workspaces
        self._hide(acme, lambda item: "data_source_id" in item.get("parent", {}))
        hours.go_on(30)
        assert asked.listings.count(table[0]) >= 3 and not asked.looks, "twelve rows in answers of five"
        acme.world.delete_forever(table[5])
        hours.until(lambda: table[5] not in acme.published(), 75)
        assert set(asked.looks) == {table[5]}
        acme.assert_matches_world()

    def test_a_database_that_is_unshared_takes_its_rows_along(
        self, hours: Hours, asked: Asked, table: list[str]
    ) -> None:
        (acme,) = hours.workspaces
        database = acme.world.node(table[0], DataSource).parent.id
        assert database is not None
        acme.world.unshare(database)
        hours.until(lambda: not set(table) & acme.published().keys(), 75)
        acme.assert_matches_world()

    def test_rows_beyond_the_limit_of_a_query_are_windowed(self, hours: Hours, asked: Asked, table: list[str]) -> None:
        (acme,) = hours.workspaces
        self._hide(acme, lambda item: "data_source_id" in item.get("parent", {}))
        acme.world.query_result_limit = 7
        hours.go_on(40)
        assert _fresh(acme).whole_ended_at is not None and not asked.looks


def test_two_workspaces_of_one_token_divide_its_share(
    hours: Hours, asked: Asked, world: NotionWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    (acme,) = hours.workspaces
    monkeypatch.setattr(acme.database, "settings", acme.database.settings.model_copy(update={"sweep_share": 0.002}))
    beta = Harness.register(acme.database, world, acme.server, "beta")
    beta.sync(Mode.FULL)
    hours.workspaces.append(beta)
    hours.go_on(30)
    before = asked.total
    hours.go_on(180)
    share = 0.002 * sweeps.DEFAULT_PER_MINUTE * 180
    assert 0.7 * share < asked.total - before <= share + 5, "five that were not asked before may be made up for"
    # Neither waits for the other: both have begun a sweep of late.
    for each in (acme, beta):
        assert each.rows(
            "SELECT whole_began_at > now() - interval '1 hour' FROM source_sweep JOIN workspace USING (workspace_id) "
            "WHERE slug = %s",
            each.slug,
        ) == [(True,)]


def test_a_share_of_nothing_asks_nothing(hours: Hours, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    (acme,) = hours.workspaces
    monkeypatch.setattr(acme.database, "settings", acme.database.settings.model_copy(update={"sweep_share": 0.0}))
    hours.go_on(60)
    assert asked.total == 0 and acme.rows("SELECT 1 FROM source_sweep") == []


def test_with_a_new_token_nothing_is_swept_before_a_sync_has_found_whose_it_is(
    hours: Hours, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NotionSource, "credential", lambda source: "another")
    hours.go_on(30)
    assert asked.total == 0


def test_a_page_that_no_listing_shows_is_looked_at_twice_and_then_left_to_the_audit(
    hours: Hours, asked: Asked, pages: list[str]
) -> None:
    (acme,) = hours.workspaces
    generation, hidden = _generation(acme), pages[4]

    def change(path: str, body: dict[str, Any]) -> dict[str, Any]:
        results = body.get("results", [])
        return {**body, "results": [item for item in results if item["id"] != hidden]} if results else body

    acme.server.alter(change)
    hours.go_on(120)
    assert asked.looks == [hidden, hidden] and _generation(acme) == generation
    assert _fresh(acme).unlisted == 1 and _fresh(acme).problem is None
    acme.server.alter(None)
    hours.go_on(30)
    assert _fresh(acme).unlisted == 0
    acme.world.delete_forever(hidden)
    hours.until(lambda: hidden not in acme.published(), 75)


def test_many_pages_that_are_gone_together_are_not_all_looked_at_before_a_sync_does(
    hours: Hours, asked: Asked, world: NotionWorld
) -> None:
    (acme,) = hours.workspaces
    root = world.add_page("Root")
    below = [world.add_page(f"Below {number}", parent=root) for number in range(35)]
    world.clock.advance(86_400)
    acme.sync(Mode.FULL)
    world.unshare(root)
    hours.until(lambda: not {root, *below} & acme.published().keys(), 75)
    assert len(asked.looks) == sweeps.ENOUGH_LOOKS
    acme.assert_matches_world()


def test_more_than_the_cap_waits_for_a_person(hours: Hours, asked: Asked, world: NotionWorld) -> None:
    (acme,) = hours.workspaces
    root = world.add_page("Root")
    for number in range(60):
        world.add_page(f"Below {number}", parent=root)
    world.clock.advance(86_400)
    acme.sync(Mode.FULL)
    world.unshare(root)
    hours.go_on(75)
    assert len(acme.published()) == 81
    assert acme.rows("SELECT max((counters->>'waiting_removals')::int) FROM sync_generation") == [(61,)]


def test_a_listing_of_everything_makes_a_running_sweep_begin_anew(hours: Hours, asked: Asked) -> None:
    (acme,) = hours.workspaces
    hours.until(lambda: len(asked.listings) == 2, 10)
    began = _sweep(acme)["began_at"]
    acme.sync(Mode.AUDIT)
    hours.until(lambda: _sweep(acme)["began_at"] != began, 5)
    hours.until(lambda: _sweep(acme)["began_at"] is None, 10)
    assert len(asked.listings) == 2 + 4


def test_a_source_that_is_away_for_a_while_is_asked_from_the_same_place(hours: Hours, asked: Asked) -> None:
    (acme,) = hours.workspaces

    def away(number: int) -> None:
        if 3 <= number <= 5:
            raise SourceUnavailable("away")

    asked.before = away
    hours.until(lambda: _fresh(acme).whole_ended_at is not None, 30)
    assert len(asked.listings) == 4 + 3 and _fresh(acme).problem is None


def test_a_token_that_others_use_up_does_not_end_a_sweep(hours: Hours, asked: Asked) -> None:
    (acme,) = hours.workspaces

    def paused(number: int) -> None:
        if 3 <= number <= 30:
            raise SourcePaused("others are first")

    asked.before = paused
    hours.until(lambda: _fresh(acme).whole_ended_at is not None, 60)
    assert len(asked.listings) == 4 + 28


def test_a_page_that_cannot_be_looked_at_is_not_taken_for_gone(hours: Hours, asked: Asked, pages: list[str]) -> None:
    (acme,) = hours.workspaces
    acme.world.delete_forever(pages[3])
    acme.server.faults.add(f"GET /v1/pages/{pages[3]}", "403", times=None)
    hours.go_on(75)
    assert pages[3] in acme.published() and _fresh(acme).unlisted == 1
    assert len(asked.looks) == 2 * sweeps.MOST_FAILED_LOOKS


def test_a_suspect_gets_its_second_look_ten_minutes_after_the_first(hours: Hours, pages: list[str]) -> None:
    (acme,) = hours.workspaces
    acme.world.delete_forever(pages[2])
    hours.until(lambda: acme.page_state(pages[2])[0] == "suspect", 40)
    minutes = hours.until(lambda: acme.page_state(pages[2])[0] == "tombstoned", 15)
    assert 9.5 <= minutes <= 11


def test_a_page_that_is_back_before_its_second_look_stays(hours: Hours, pages: list[str]) -> None:
    (acme,) = hours.workspaces
    acme.world.unshare(pages[2])
    hours.until(lambda: acme.page_state(pages[2])[0] == "suspect", 40)
    acme.world.share(pages[2])
    hours.go_on(60)
    assert acme.page_state(pages[2])[0] == "unchanged" and pages[2] in acme.published()
    generation = _generation(acme)
    hours.go_on(30)
    assert _generation(acme) == generation


def test_what_is_seen_up_to_when_is_told(hours: Hours, asked: Asked) -> None:
    (acme,) = hours.workspaces
    hours.go_on(60)
    ages = acme.rows(
        "SELECT extract(epoch FROM now() - %s)::float, extract(epoch FROM now() - %s)::float",
        _fresh(acme).absences_seen_to,
        _fresh(acme).edits_seen_to,
    )
    ((absences, edits),) = ages
    assert 0 < absences <= 20 * 60 and 0 <= edits <= 60


def test_a_sync_itself_asks_two_requests_however_much_a_sweep_would_like_to(hours: Hours, asked: Asked) -> None:
    (acme,) = hours.workspaces
    hours.pass_by(3600)
    assert acme.sync()["notion"]["requests"] == 2
    assert asked.total == 0


def test_status_says_in_words_up_to_when_everything_was_seen(
    hours: Hours, monkeypatch: pytest.MonkeyPatch, asked: Asked
) -> None:
    (acme,) = hours.workspaces
    monkeypatch.setattr(status_command, "open_database", lambda: acme.database)
    hours.until(lambda: len(asked.listings) == 2, 10)
    said = CliRunner().invoke(status_command.command, ["acme"]).output
    assert re.search(r"edits seen up to \d{4}-.*, absences up to \d{4}-", said), said
    assert re.search(r"a sweep for absences is under way since .*: 2 requests", said)
    acme.world.search_result_limit = 3
    hours.until(lambda: _fresh(acme).problem is not None, 60)
    said = CliRunner().invoke(status_command.command, ["acme"]).output
    assert "the last sweep for absences proved nothing: search is incomplete" in " ".join(said.split())
