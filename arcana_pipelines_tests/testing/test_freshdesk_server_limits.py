"""Limits, credits and faults of the stand-in for Freshdesk, as a client meets them."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from arcana_pipelines.testing.freshdesk_server import PLANS, FreshdeskServer
from arcana_pipelines.testing.freshdesk_server.faults import KINDS
from arcana_pipelines_tests.testing.conftest import Tickets

HEADERS = ("X-RateLimit-Total", "X-RateLimit-Remaining", "X-RateLimit-Used-CurrentRequest")


def limits(answer: httpx.Response) -> tuple[str, ...]:
    return tuple(answer.headers[name] for name in HEADERS)


# --- limits ------------------------------------------------------------------------------------------


def test_each_answer_says_in_decimals_what_is_left(desk: FreshdeskServer, tickets: Tickets) -> None:
    desk.set_plan("enterprise")
    assert limits(tickets.client.get("/agents/me")) == ("700.0", "699.0", "1.0")
    assert limits(tickets.client.get("/tickets/99")) == ("700.0", "698.0", "1.0")


@pytest.mark.parametrize(
    ("path", "include", "credits"),
    [
        ("/tickets", "", 1),
        ("/tickets", "description", 3),
        ("/tickets", "description,requester,stats", 7),
        ("/tickets/1", "", 1),
        ("/tickets/1", "conversations", 2),
        ("/tickets/1", "requester,stats", 5),
    ],
)
def test_what_a_request_includes_costs_more(
    desk: FreshdeskServer, tickets: Tickets, path: str, include: str, credits: int
) -> None:
    desk.world.add_ticket("T")
    desk.set_plan("pro")
    answer = tickets.client.get(path, params={"include": include} if include else {})
    assert limits(answer) == ("400.0", f"{400 - credits}.0", f"{credits}.0")
    assert sum(desk.credits.values()) == credits


def test_too_many_credits_wait_for_the_end_of_the_minute(desk: FreshdeskServer, tickets: Tickets) -> None:
    desk.set_plan("trial")
    assert [tickets.status("/agents/me") for _ in range(50)] == [200] * 50
    desk.clock.advance(20.5)
    answer = tickets.client.get("/tickets")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "40")
    assert answer.json() == {"message": "You have exceeded the limit of requests per minute"}
    assert limits(answer) == ("50.0", "0.0", "1.0")
    desk.clock.advance(40)
    assert tickets.status("/tickets") == 200


def test_all_keys_share_the_limit_and_failed_calls_count(desk: FreshdeskServer, tickets: Tickets) -> None:
    desk.set_plan("trial")
    url = f"{desk.url}/api/v2/agents/me"
    assert httpx.get(url, auth=("wrong", "X"), verify=False).status_code == 401
    other = desk.world.agents[desk.world.restricted_agent].key
    assert httpx.get(url, auth=(other, "X"), verify=False).headers["X-RateLimit-Remaining"] == "48.0"
    assert tickets.client.get("/tickets/99").headers["X-RateLimit-Remaining"] == "47.0"


@pytest.mark.parametrize("path", ["/tickets", "/contacts"])
def test_a_list_has_a_limit_of_its_own_that_no_header_tells(desk: FreshdeskServer, tickets: Tickets, path: str) -> None:
    desk.set_plan("growth")
    assert [tickets.status(path) for _ in range(20)] == [200] * 20
    answer = tickets.client.get(path)
    assert (answer.status_code, answer.headers["X-RateLimit-Remaining"]) == (429, "180.0")
    assert tickets.status("/agents/me") == 200


def test_trash_and_spam_count_as_the_list_and_credits_may_count_there(desk: FreshdeskServer, tickets: Tickets) -> None:
    desk.set_plan(replace(PLANS["growth"], lists={"tickets": 5}, lists_count_credits=True))
    assert tickets.status("/tickets", include="description") == 200
    assert tickets.status("/tickets", filter="deleted") == 200
    assert tickets.status("/tickets", filter="spam") == 200
    assert tickets.status("/tickets") == 429


def test_old_plans_count_by_the_hour(desk: FreshdeskServer, tickets: Tickets) -> None:
    desk.set_plan(replace(PLANS["garden"], total=1))
    assert tickets.status("/tickets") == 200
    desk.clock.advance(600)
    answer = tickets.client.get("/tickets")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3000")
    assert answer.json() == {"message": "You have exceeded the limit of requests per hour"}


def test_requests_and_credits_are_counted_by_endpoint(desk: FreshdeskServer, tickets: Tickets) -> None:
    ticket = desk.world.add_ticket("T", attach=[("a.txt", b"a")])
    tickets.get("/tickets", include="description")
    tickets.get(f"/tickets/{ticket}/conversations")
    seen = tickets.get(f"/tickets/{ticket}", include="conversations")
    httpx.get(seen["attachments"][0]["attachment_url"], verify=False)
    tickets.status("/nothing")
    assert desk.requests == {
        "tickets": 1,
        "tickets/conversations": 1,
        "tickets/view": 1,
        "attachment": 1,
        "": 1,
    }
    assert desk.credits == {"tickets": 3, "tickets/conversations": 1, "tickets/view": 2, "attachment": 0, "": 1}
    entry = desk.log[1]
    assert (entry.endpoint, entry.item, entry.status) == ("tickets/conversations", ticket, 200)
    desk.reset_log()
    assert not desk.requests


# --- faults ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("401", 401, "invalid_credentials"),
        ("403", 403, "access_denied"),
        ("500", 500, "internal_error"),
        ("require_feature", 403, "require_feature"),
        ("account_suspended", 403, "account_suspended"),
    ],
)
def test_refusals_come_with_their_code_and_pass(
    desk: FreshdeskServer, tickets: Tickets, kind: str, status: int, code: str
) -> None:
    desk.faults.add(kind)
    answer = tickets.client.get("/agents/me")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert tickets.status("/agents/me") == 200


@pytest.mark.parametrize(
    ("kind", "status", "beginning"),
    [
        ("404", 404, b""),
        ("502", 502, b"<html>"),
        ("503", 503, b"<html>"),
        ("504", 504, b"<html>"),
        ("html", 200, b"<html>"),
        ("empty", 200, b""),
        ("no_content", 204, b""),
    ],
)
def test_answers_that_are_no_json(
    desk: FreshdeskServer, tickets: Tickets, kind: str, status: int, beginning: bytes
) -> None:
    desk.faults.add(kind, "agents/me")
    answer = tickets.client.get("/agents/me")
    assert answer.status_code == status
    assert answer.content.startswith(beginning)
    assert bool(answer.content) == bool(beginning)
    assert tickets.status("/agents/me") == 200


@pytest.mark.parametrize("after", ["7", "0", "3600", None])
def test_a_429_says_how_long_to_wait_or_not(desk: FreshdeskServer, tickets: Tickets, after: str | None) -> None:
    desk.faults.add(429, retry_after=after)
    answer = tickets.client.get("/agents/me")
    assert (answer.status_code, answer.headers.get("Retry-After")) == (429, after)


@pytest.mark.parametrize("kind", ["cut", "drop"])
def test_a_connection_that_ends_too_early(desk: FreshdeskServer, tickets: Tickets, kind: str) -> None:
    desk.faults.add(kind, times=2)
    for _ in range(2):
        with pytest.raises(httpx.TransportError):
            tickets.client.get("/agents/me")
    assert tickets.status("/agents/me") == 200


def test_a_slow_answer_runs_into_the_timeout_and_holds_up_nobody_else(desk: FreshdeskServer, tickets: Tickets) -> None:
    desk.faults.add("slow", "agents/me", seconds=30)
    with pytest.raises(httpx.ReadTimeout):
        tickets.client.get("/agents/me", timeout=0.05)
    assert tickets.status("/agents/me") == 200
    desk.faults.add("slow", seconds=0.01)
    assert tickets.status("/agents/me") == 200


def test_faults_choose_by_endpoint_item_and_turn(desk: FreshdeskServer, tickets: Tickets) -> None:
    one, two = desk.world.add_ticket("One"), desk.world.add_ticket("Two")
    desk.faults.add(500, "tickets/conversations", item=two, times=None)
    desk.faults.add(503, "tickets/view", skip=1, times=2)
    assert tickets.status("/agents/me") == 200
    assert tickets.status(f"/tickets/{one}/conversations") == 200
    assert [tickets.status(f"/tickets/{two}/conversations") for _ in range(2)] == [500, 500]
    assert [tickets.status(f"/tickets/{one}") for _ in range(4)] == [200, 503, 503, 200]
    desk.faults.clear()
    assert tickets.status(f"/tickets/{two}/conversations") == 200


def test_faults_come_by_chance_and_the_same_each_time(desk: FreshdeskServer, tickets: Tickets) -> None:
    seen = []
    for seed in (1, 1, 2):
        desk.faults.clear()
        desk.faults.add(500, times=None, probability=0.5, seed=seed)
        seen.append([tickets.status("/agents/me") for _ in range(20)])
    assert seen[0] == seen[1] != seen[2]
    assert set(seen[0]) == {200, 500}


def test_the_bytes_of_files_fail_as_well(desk: FreshdeskServer, tickets: Tickets) -> None:
    ticket = desk.world.add_ticket("T", attach=[("a.txt", b"0123456789")])
    url = tickets.get(f"/tickets/{ticket}")["attachments"][0]["attachment_url"]
    for kind, status in (("404", 404), ("502", 502), ("html", 200), ("empty", 200)):
        desk.faults.add(kind, "attachment")
        answer = httpx.get(url, verify=False)
        assert (answer.status_code, answer.content == b"0123456789") == (status, False)
    desk.faults.add("cut", "attachment")
    with pytest.raises(httpx.TransportError):
        httpx.get(url, verify=False)
    assert httpx.get(url, verify=False).content == b"0123456789"


def test_a_fault_or_an_endpoint_that_is_none_is_refused(desk: FreshdeskServer) -> None:
    with pytest.raises(ValueError, match="no fault"):
        desk.faults.add("418")
    with pytest.raises(ValueError, match="no endpoint"):
        desk.faults.add(500, "tickets/all")


def test_each_kind_of_fault_has_a_test_here() -> None:
    assert {
        *("401", "403", "404", "429", "500", "502", "503", "504"),
        *("require_feature", "account_suspended", "empty", "no_content", "html", "cut", "drop", "slow"),
    } == KINDS
