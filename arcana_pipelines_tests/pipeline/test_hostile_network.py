"""What goes wrong between us and Notion, kind by kind: nothing is lost, nothing is removed, nobody is flooded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from arcana_pipelines.ledger.freshness import freshness
from arcana_pipelines.ledger.polling import poll, poll_and_record
from arcana_pipelines.sources.client import MAX_ATTEMPTS
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server import NotionWorld, seed_world
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.workspaces import due_for_poll, in_need_of_sync
from arcana_pipelines_tests.conftest import Naps
from arcana_pipelines_tests.harness import Harness


@pytest.fixture
def world() -> NotionWorld:
    world = seed_world(pages=20, rows=6)
    world.clock.advance(600)
    return world


class TestThrottling:
    @pytest.mark.parametrize("form", ["seconds", "date"])
    def test_a_short_pause_is_sat_out_in_full_by_everybody(self, acme: Harness, naps: Naps, form: Any) -> None:
        acme.server.faults.add("", "429", times=3, skip=4, retry_after=5, retry_after_form=form)
        report = acme.sync()
        assert report["listing_complete"] and report["pages"]["quarantined"] == report["pages"]["pending"] == 0
        assert naps.seconds and all(4 <= pause <= 5 for pause in naps.seconds)
        acme.assert_matches_world()

    def test_a_429_without_a_pause_backs_off(self, acme: Harness, naps: Naps) -> None:
        acme.server.faults.add("", "429", times=3, skip=4, retry_after_form="missing")
        assert acme.sync()["listing_complete"]
        assert len(naps.seconds) == 3
        acme.assert_matches_world()

    def test_a_pause_longer_than_a_minute_ends_the_run_early_and_the_rest_is_picked_up_later(
        self, acme: Harness, naps: Naps
    ) -> None:
        acme.server.faults.add("/markdown", "429", times=None, skip=8, retry_after=90)
        report = acme.sync()
        assert report["pages"]["pending"] > 0 and report["pages"]["removed"] == 0
        assert not naps.seconds
        asked = len(acme.server.requests)
        again = acme.sync()
        assert again["notion"]["requests"] == 0 < asked, "the pause is known: nobody asks before it is over"
        assert not again["listing_complete"]
        acme.server.faults.clear()
        acme.sleep_through(90)
        assert acme.sync()["pages"]["pending"] == 0
        acme.assert_matches_world()

    def test_a_blocked_connection_is_not_asked_again(self, acme: Harness) -> None:
        acme.server.faults.add("search", "429", times=None, rate_limit_reason="public_api_request_blocked")
        report = acme.sync()
        assert not report["listing_complete"] and "blocked this connection" in report["problems"][0]
        assert len([request for request in acme.server.requests if request.path.endswith("search")]) <= 2

    def test_a_paused_or_failing_workspace_is_not_looked_at_until_its_time_comes(
        self, acme: Harness, another: Callable[[str], Harness], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        acme.sync()
        acme.settle()
        acme.sync()
        monkeypatch.setenv("NOTION_TOKEN", acme.world.token)
        database = acme.database
        acme.rows("UPDATE workspace SET polled_at = NULL RETURNING 1")
        with database.connection() as connection:
            (workspace,) = due_for_poll(connection, [])
        acme.server.faults.add("search", "429", times=1, retry_after=90)
        settings = database.settings.model_copy(update={"notion_base_url": acme.server.base_url})
        monkeypatch.setattr(database, "settings", settings)
        poll_and_record(database, workspace)
        assert len([r for r in acme.server.requests if r.status == 429]) == 1
        acme.rows("UPDATE workspace SET polled_at = NULL, poll_after = NULL RETURNING 1")
        with database.connection() as connection:
            assert due_for_poll(connection, []) == []
            assert in_need_of_sync(connection) == []
        acme.sleep_through(90)
        with database.connection() as connection:
            assert [row.slug for row in due_for_poll(connection, [])] == ["acme"]


class TestServerErrors:
    # Every kind on one read, and every read with one kind; the others are `long`.
    @pytest.mark.parametrize(
        ("match", "kind"),
        [
            pytest.param(match, kind, marks=[] if "markdown" in match or kind == "503" else [pytest.mark.long])
            for match in ("POST /v1/search", "POST .*/query", "GET .*/markdown")
            for kind in ("409", "500", "502", "503", "504", "529", "html", "empty", "drop")
        ],
    )
    def test_a_passing_error_is_asked_again_on_every_kind_of_read(self, acme: Harness, kind: str, match: str) -> None:
        acme.server.faults.add(match, kind, times=2)
        report = acme.sync()
        assert report["listing_complete"]
        assert report["pages"]["quarantined"] == 0
        acme.assert_matches_world()

    def test_an_answer_that_does_not_come_is_asked_again(self, acme: Harness) -> None:
        acme.server.faults.add("GET .*/markdown", "hang", times=1, seconds=8)
        assert acme.sync()["pages"]["quarantined"] == 0
        acme.assert_matches_world()

    @pytest.mark.parametrize(("kind", "asked"), [("403", 1), ("500", MAX_ATTEMPTS)])
    def test_what_cannot_help_is_not_repeated(self, acme: Harness, kind: str, asked: int) -> None:
        page = acme.world.visible_pages()[2]
        acme.server.faults.add(f"GET /v1/pages/{page}/markdown", kind, times=None)
        acme.server.faults.add(f"GET /v1/blocks/{page}/children", kind, times=None)
        acme.sync()
        tries = [r for r in acme.server.requests if r.path == f"/v1/pages/{page}/markdown"]
        assert len(tries) == asked
        assert acme.page_state(page)[0] == "quarantined"

    def test_a_500_in_the_middle_of_a_pages_children_never_makes_the_page_shorter(self, acme: Harness) -> None:
        page = acme.world.visible_pages()[1]
        acme.world.append_blocks(page, [blocks.paragraph(f"line number {number}") for number in range(450)])
        acme.server.faults.add(f"pages/{page}/markdown", "403", times=None)  # so that its blocks are read
        children = acme.server.faults.add(f"blocks/{page}/children", "500", times=None, skip=2)
        acme.settle()
        acme.sync()
        assert children.hits == MAX_ATTEMPTS
        assert acme.page_state(page)[0] == "quarantined" and page not in acme.published()
        acme.server.faults.clear()
        acme.sync()
        acme.assert_matches_world()


class TestListings:
    @pytest.mark.parametrize(
        ("kind", "mode"),
        [
            pytest.param(kind, mode, marks=[] if mode is Mode.FULL or kind == "incomplete" else [pytest.mark.long])
            for kind in ("incomplete", "repeat_cursor", "html", "empty", "500")
            for mode in Mode
        ],
    )
    def test_what_was_listed_is_indexed_and_the_rest_is_not_taken_for_gone(
        self, acme: Harness, kind: str, mode: Mode
    ) -> None:
        for number in range(120):
            acme.world.add_page(f"Many {number}", blocks=[blocks.paragraph(f"words {number}")])
        acme.settle()
        acme.sync()
        before = set(acme.published())
        fresh = acme.world.add_page("Fresh", blocks=[blocks.paragraph("fresh words")])
        for page in acme.world.visible_pages():
            acme.world.set_title(page, f"{page} renamed")  # so that an incremental listing is long as well
        acme.settle()
        acme.server.faults.add("POST /v1/search", kind, times=None, skip=0 if kind == "repeat_cursor" else 1)
        report = acme.sync(mode)
        assert not report["listing_complete"] and report["problems"]
        assert report["pages"]["removed"] == 0
        assert before <= set(acme.published())
        assert report["pages"]["updated"] > 0 or report["pages"]["enumerated"] == 0
        cursor = acme.rows("SELECT source_cursor FROM workspace")
        acme.server.faults.clear()
        acme.sync()
        acme.assert_matches_world()
        assert fresh in acme.published()
        assert acme.rows("SELECT source_cursor FROM workspace") != cursor, "only a whole listing moves the cursor"

    @pytest.mark.parametrize("mode", list(Mode))
    def test_what_is_listed_twice_is_there_once(self, acme: Harness, mode: Mode) -> None:
        doomed = acme.world.add_page("Doomed", blocks=[blocks.paragraph("words that go")])
        acme.sync()
        acme.world.add_page("Fresh", blocks=[blocks.paragraph("fresh words")])
        acme.world.trash(doomed)
        acme.settle()
        acme.server.faults.add("/search|/query", "twice", times=None)
        assert acme.sync(mode)["listing_complete"]
        acme.sync()
        acme.assert_matches_world()


class TestTimes:
    @pytest.mark.parametrize("skew", [-3600, 3600])
    def test_a_database_clock_an_hour_off_loses_no_edit(self, acme: Harness, skew: int) -> None:
        acme.world.clock.advance(skew)
        acme.sync()
        for _ in range(3):
            page = acme.world.add_page("Fresh", blocks=[blocks.paragraph(f"words {acme.world.clock.now()}")])
            acme.sync()
            assert page in acme.published()
            acme.world.clock.advance(40)
        acme.settle()
        acme.sync()
        acme.assert_matches_world()

    def test_a_clock_that_is_set_back_by_an_hour_puts_no_look_and_no_sync_off(self, acme: Harness) -> None:
        acme.sync()
        acme.settle()
        acme.sync()
        # What was written before is of an hour from now.
        acme.rows(
            "UPDATE workspace SET polled_at = now() + interval '1 hour', poll_after = now() + interval '61 minutes' "
            "RETURNING 1"
        )
        acme.rows("UPDATE sync_generation SET started_at = started_at + interval '1 hour' RETURNING 1")
        with acme.database.connection() as connection:
            (workspace,) = due_for_poll(connection, [])
        source = acme.source()
        assert not poll(acme.database, workspace, source).needed
        acme.rows(
            "UPDATE source_page SET state = 'suspect', next_attempt_at = now() + interval '70 minutes' "
            "WHERE external_id = (SELECT min(external_id) FROM source_page WHERE NOT is_container) RETURNING 1"
        )
        assert poll(acme.database, workspace, source).reason == "missing pages wait for confirmation"
        acme.rows("UPDATE source_page SET state = 'pending' WHERE state = 'suspect' RETURNING 1")
        assert poll(acme.database, workspace, source).reason == "pages wait to be read"
        source.close()

    def test_a_clock_that_is_set_back_lets_nothing_be_seen_that_is_to_come(self, acme: Harness) -> None:
        def seen_to() -> tuple[Any, ...]:
            with acme.database.connection() as connection:
                fresh = freshness(connection, workspaces.find(connection, acme.slug).workspace_id)
            return fresh.absences_seen_to, fresh.edits_seen_to

        acme.sync()
        acme.rows("UPDATE sync_generation SET started_at = started_at + interval '1 hour' RETURNING 1")
        acme.rows("UPDATE workspace SET unchanged_at = now() + interval '1 hour' RETURNING 1")
        acme.rows(
            "INSERT INTO source_sweep (workspace_id, whole_began_at) "
            "SELECT workspace_id, now() + interval '1 hour' FROM workspace RETURNING 1"
        )
        acme.sync()
        ((second,),) = acme.rows("SELECT started_at FROM sync_generation WHERE generation = 2")
        assert seen_to() == (second, second)

    @pytest.mark.parametrize(
        "cursor",
        ["", "nonsense", "{}", "[]", '{"since": null}', '{"since": "2999-01-01T00:00:00+00:00"}', '{"since": 7}'],
    )
    def test_an_odd_cursor_costs_requests_and_no_edit(self, acme: Harness, cursor: str) -> None:
        acme.sync()
        acme.settle()
        page = acme.world.add_page("Fresh", blocks=[blocks.paragraph("fresh words")])
        acme.rows("UPDATE workspace SET source_cursor = %s RETURNING 1", cursor)
        acme.sync()
        acme.settle()
        acme.sync()
        assert page in acme.published()
        acme.assert_matches_world()


class TestSchemaDrift:
    @pytest.fixture
    def database_id(self, acme: Harness) -> str:
        database = acme.world.add_database(
            "Tasks", schema={"Name": "title", "Stage": "select", "Note": "rich_text"}
        ).data_source_id
        for number in range(4):
            acme.world.add_row(
                database, f"Task {number}", {"Stage": "Doing", "Note": f"note {number}"},
                [blocks.paragraph(f"body of task {number} " + "and its long story " * 60)],
            )  # fmt: skip
        return database

    def test_a_renamed_a_removed_and_a_new_property_are_recorded_and_bodies_stay_put(
        self, acme: Harness, database_id: str
    ) -> None:
        acme.settle()
        acme.sync()
        acme.world.rename_property(database_id, "Stage", "Phase")
        acme.world.remove_property(database_id, "Note")
        acme.world.add_property(database_id, "Points", "number")
        acme.settle()
        report = acme.sync(Mode.FULL)
        assert report["pages"]["updated"] == 4
        assert not [r for r in acme.server.requests if "/markdown" in r.path], "no body was read"
        acme.assert_matches_world()
        for (properties,) in acme.rows(
            "SELECT properties FROM source_page WHERE kind = 'row' AND title LIKE 'Task %%'"
        ):
            assert set(properties) == {"Phase", "Points"}


class TestTogether:
    def test_two_runs_of_one_workspace_at_once_end_in_one_truth(self, acme: Harness) -> None:
        failures: list[BaseException] = []

        def run() -> None:
            try:
                acme.sync()
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        acme.assert_matches_world()
        assert acme.rows("SELECT generation FROM workspace") == [(2,)]
        ((stored, distinct),) = acme.rows("SELECT count(*), count(DISTINCT text_hash) FROM embedding_store")
        assert stored == distinct
