"""The stand-in for Freshdesk answers as the facts say that Freshdesk does."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from arcana_pipelines.testing.freshdesk_server import FreshdeskServer, FreshdeskWorld
from arcana_pipelines_tests.testing.conftest import plain_http

ALL = {"updated_since": "1970-01-01T00:00:00Z", "order_by": "updated_at", "order_type": "asc"}


@pytest.fixture
def desk() -> Iterator[FreshdeskServer]:
    with FreshdeskServer() as server:
        yield server


@pytest.fixture
def world(desk: FreshdeskServer) -> FreshdeskWorld:
    return desk.world


@pytest.fixture
def api(desk: FreshdeskServer, world: FreshdeskWorld) -> Iterator[httpx.Client]:
    with plain_http(base_url=f"{desk.url}/api/v2", auth=(world.key, "X")) as client:
        yield client


def test_a_key_with_any_password_is_an_agent_and_another_key_is_nobody(
    desk: FreshdeskServer, world: FreshdeskWorld
) -> None:
    scopes = {}
    for agent in world.agents.values():
        with plain_http(base_url=f"{desk.url}/api/v2", auth=(agent.key, "anything")) as client:
            me = client.get("/agents/me").json()
            scopes[me["contact"]["name"]] = me["ticket_scope"]
    assert scopes == {"Grace Hopper": 1, "이수민": 2, "Linus Weber": 3}
    with plain_http(base_url=f"{desk.url}/api/v2", auth=("wrong", "X")) as client:
        answer = client.get("/agents/me")
    assert answer.status_code == 401
    assert answer.json() == {
        "code": "invalid_credentials",
        "message": "You have to be logged in to perform this action.",
    }


def test_the_list_goes_page_by_page_from_a_time_that_is_included(world: FreshdeskWorld, api: httpx.Client) -> None:
    tickets = []
    for at in range(3):
        tickets.append(world.add_ticket(f"Ticket {at}"))
        world.clock.advance(1)
    answer = api.get("/tickets", params={**ALL, "per_page": 2})
    assert [row["id"] for row in answer.json()] == tickets[:2]
    assert 'rel="next"' in answer.headers["link"]
    last = answer.json()[-1]["updated_at"]
    answer = api.get("/tickets", params={**ALL, "updated_since": last})
    assert [row["id"] for row in answer.json()] == tickets[1:]
    assert "link" not in answer.headers
