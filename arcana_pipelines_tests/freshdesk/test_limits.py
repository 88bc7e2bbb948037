"""How fast the account is asked: credits, limits that answers tell of, pauses, and one count for all processes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import (
    AnswerUnusable,
    PageRejected,
    PageUnavailable,
    RequestInvalid,
    SourcePaused,
    SourceUnavailable,
    TokenRevoked,
)
from arcana_pipelines.sources.client import HURRIED
from arcana_pipelines.sources.freshdesk.api import FIRST_PER_MINUTE, HOURLY, FeatureMissing, FreshdeskApi
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.freshdesk_server import FreshdeskWorld, seed_world
from arcana_pipelines_tests.freshdesk.conftest import Desk, listed
from arcana_pipelines_tests.held_clock import move_clock


def limits(database: Database) -> dict[str, float]:
    """Requests a minute, of the account and of lists of tickets."""
    with database.connection() as connection:
        rows = connection.execute("SELECT credential_hash, per_minute FROM source_limit").fetchall()
    return {"lists" if key.endswith(":tickets") else "account": float(value) for key, value in rows}


def taken(database: Database) -> int:
    """Credits that were counted for the account."""
    with database.connection() as connection:
        row = connection.execute(
            "SELECT coalesce(sum(requests), 0) FROM source_request WHERE credential_hash NOT LIKE '%:tickets'"
        ).fetchone()
    assert row is not None
    return int(row[0])


def impatient(desk: Desk, lists: int = 0) -> FreshdeskApi:
    """An API for one who waits for nobody, as a poll does."""
    api = desk.api(per_minute=FIRST_PER_MINUTE, lists=lists)
    api._patience = HURRIED
    return api


class TestLearning:
    @pytest.mark.parametrize(("plan", "share"), [("trial", 40), ("growth", 160), ("pro", 320), ("enterprise", 560)])
    def test_four_fifths_of_what_answers_say_is_used_whatever_was_begun_with(
        self, desk: Desk, plan: str, share: float
    ) -> None:
        desk.server.set_plan(plan)
        desk.api(per_minute=FIRST_PER_MINUTE).get("agents/me")
        assert limits(desk.database)["account"] == share

    def test_another_plan_is_another_limit(self, desk: Desk) -> None:
        api = desk.api(per_minute=FIRST_PER_MINUTE)
        for plan, share in (("growth", 160), ("enterprise", 560), ("pro", 320)):
            desk.server.set_plan(plan)
            api.get("agents/me")
            assert limits(desk.database)["account"] == share

    def test_no_more_is_asked_for_in_a_minute_than_the_share(self, desk: Desk) -> None:
        desk.server.set_plan("trial")
        api = desk.api(per_minute=FIRST_PER_MINUTE)
        for _ in range(90):
            api.get("agents/me")
        assert api.traffic.throttled == 0 and sum(desk.slept) >= 60

    def test_what_an_include_costs_is_counted(self, desk: Desk) -> None:
        ticket = desk.world.add_ticket("A")
        api = desk.api(per_minute=FIRST_PER_MINUTE)
        api.page("tickets", include="description,requester,stats")
        api.get(f"tickets/{ticket}", include="conversations")
        assert taken(desk.database) == sum(desk.server.credits.values()) == 9

    def test_all_processes_count_together(self, desk: Desk) -> None:
        desk.server.set_plan("trial")
        apis = [desk.api(per_minute=FIRST_PER_MINUTE) for _ in range(3)]
        for number in range(45):
            apis[number % 3].get("agents/me")
        assert sum(api.traffic.throttled for api in apis) == 0 and desk.slept


class TestRefused:
    def test_a_pause_that_is_asked_for_is_made_by_everybody(self, desk: Desk) -> None:
        desk.server.faults.add("429", "agents/me", retry_after=30)
        other = desk.api(per_minute=FIRST_PER_MINUTE)
        with pytest.raises(SourcePaused):
            impatient(desk).get("agents/me")
        other.get("agents/me")
        assert desk.slept == [30]

    def test_a_list_of_tickets_that_is_refused_alone_stops_lists_and_nothing_else(self, desk: Desk) -> None:
        desk.server.set_plan("growth")
        api = desk.api(per_minute=FIRST_PER_MINUTE, lists=100)
        for _ in range(20):
            api.page("tickets")
        move_clock(desk.database, 2)  # a window shrinks once a second at most
        with pytest.raises(SourcePaused):
            impatient(desk, lists=100).page("tickets")
        assert desk.slept == []
        api.get("agents/me")
        assert desk.slept == []
        api.page("tickets")
        assert desk.slept and limits(desk.database)["lists"] == 80

    def test_a_limit_for_an_hour_is_known_once_it_was_met(self, desk: Desk) -> None:
        desk.server.set_plan("garden")
        desk.api(per_minute=FIRST_PER_MINUTE).get("agents/me")
        assert limits(desk.database)["account"] == 2400
        with desk.database.connection() as connection:
            connection.execute("UPDATE source_limit SET reason = %s", [HOURLY])
        desk.api(per_minute=FIRST_PER_MINUTE).get("agents/me")
        assert limits(desk.database)["account"] == 40

    def test_a_pause_too_long_to_sit_out_ends_the_call(self, desk: Desk) -> None:
        desk.server.faults.add("429", retry_after=3599)
        with pytest.raises(SourcePaused, match="3599 s"):
            desk.api().get("agents/me")

    def test_a_feature_that_the_plan_lacks_is_asked_for_once(self, desk: Desk) -> None:
        desk.server.set_plan("growth")
        api = desk.api()
        for ticket in range(1, 4):
            with pytest.raises(FeatureMissing, match="not supported in your plan"):
                api.get(f"tickets/archived/{ticket}", feature="tickets/archived")
        assert len(desk.server.log) == 1


class TestErrors:
    @pytest.mark.parametrize(
        ("kind", "error"),
        [
            ("401", TokenRevoked),
            ("403", PageRejected),
            ("404", PageUnavailable),
            ("require_feature", FeatureMissing),
            ("account_suspended", SourceUnavailable),
            ("500", SourceUnavailable),
            ("502", SourceUnavailable),
            ("504", SourceUnavailable),
            ("html", SourceUnavailable),
            ("empty", SourceUnavailable),
            ("cut", SourceUnavailable),
            ("drop", SourceUnavailable),
        ],
    )
    def test_what_goes_wrong_is_called_what_it_is(self, desk: Desk, kind: str, error: type[Exception]) -> None:
        desk.server.faults.add(kind, times=None)
        with pytest.raises(error) as raised:
            desk.api(patience=1).get("agents/me")
        assert desk.world.key not in str(raised.value)

    def test_what_fails_once_is_tried_again(self, desk: Desk) -> None:
        desk.server.faults.add("502")
        assert desk.api().get("agents/me")["ticket_scope"] == 1
        assert len(desk.server.log) == 2

    def test_a_request_that_is_wrong_is_not_repeated_and_says_which_part_is(self, desk: Desk) -> None:
        with pytest.raises(RequestInvalid, match="page: You cannot access tickets beyond the 300th page"):
            desk.api().page("tickets", page=301)
        assert len(desk.server.log) == 1

    def test_no_content_is_an_empty_list_and_an_empty_answer_is_none(self, desk: Desk) -> None:
        desk.world.add_ticket("A")
        desk.server.faults.add("no_content", "tickets")
        assert desk.api().page("tickets").rows == []
        desk.server.faults.add("empty", "tickets")
        assert len(desk.api().page("tickets").rows) == 1

    def test_a_list_is_no_object_and_an_object_no_list(self, desk: Desk) -> None:
        with pytest.raises(AnswerUnusable):
            desk.api().get("tickets")
        with pytest.raises(AnswerUnusable):
            desk.api().unpaged("agents/me")

    def test_a_key_that_stopped_working_ends_a_listing(self, desk: Desk) -> None:
        desk.world.deactivate_agent(desk.world.agent)
        with pytest.raises(TokenRevoked):
            listed(desk.source())


class TestFirstLoad:
    @pytest.mark.slow
    def test_a_thousand_tickets_cost_two_per_cent_more_than_there_are_lists_and_tickets(
        self, open_desk: Callable[[FreshdeskWorld], Desk]
    ) -> None:
        count = 1000
        desk = open_desk(seed_world(count, files=False))
        desk.settle()
        source = desk.source()
        refs, listing = listed(source)
        for ref in refs.values():
            source.fetch(ref)
        assert listing.complete and len(refs) == count
        assert len(desk.server.log) <= 1.02 * (count / 100 + count)
        assert sum(desk.server.credits.values()) <= 1.1 * count

    def test_what_was_read_of_a_load_that_ended_is_not_asked_for_again(self, desk: Desk) -> None:
        for number in range(5):
            desk.world.add_ticket(f"T {number}")
        refs, first = listed(desk.source())
        desk.settle()
        _, second = listed(desk.source(), Mode.INCREMENTAL, first.cursor)
        assert len(refs) == 5 and second.complete
