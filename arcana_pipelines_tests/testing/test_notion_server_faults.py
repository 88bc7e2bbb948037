"""Faults, limits and latency on command, as a client meets them."""

from __future__ import annotations

import time

import httpx
import pytest
from notion_client import APIResponseError

from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld, seed_world, serve
from arcana_pipelines_tests.testing.conftest import VERSION, Api, notion_client, plain_http

CODES = {
    409: "conflict_error",
    500: "internal_server_error",
    502: "bad_gateway",
    503: "service_unavailable",
    504: "gateway_timeout",
    529: "service_overload",
    401: "unauthorized",
    403: "restricted_resource",
    429: "rate_limited",
}


@pytest.mark.parametrize("status", CODES)
def test_each_status_comes_with_its_code_and_then_passes(server: NotionServer, ask: Api, status: int) -> None:
    server.faults.add("GET /v1/users/me", status)
    assert ask.refusal("/users/me") == (status, CODES[status])
    assert ask.get("/users/me")["type"] == "bot"
    assert [entry.status for entry in server.requests] == [status, 200]


def test_faults_wait_their_turn_and_strike_as_often_as_told(server: NotionServer, ask: Api) -> None:
    server.faults.add("search", 500, times=2, skip=1)
    found = [ask.client.post("/search", json={}).status_code for _ in range(5)]
    assert found == [200, 500, 500, 200, 200]
    server.faults.add("search", 503, times=None)
    assert {ask.client.post("/search", json={}).status_code for _ in range(4)} == {503}
    assert ask.client.get("/users/me").status_code == 200
    server.faults.clear()
    assert ask.client.post("/search", json={}).status_code == 200


def test_faults_are_matched_by_method_and_path(server: NotionServer, world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page")
    server.faults.add(rf"GET /v1/pages/{page}/markdown$", 500, times=None)
    assert ask.get(f"/pages/{page}")["id"] == page
    assert ask.refusal(f"/pages/{page}/markdown")[0] == 500


@pytest.mark.parametrize(
    ("form", "header"), [("seconds", "7"), ("date", "Mon, 05 Jan 2026 09:00:07 GMT"), ("missing", None)]
)
def test_a_429_says_when_to_return_in_each_way(server: NotionServer, ask: Api, form: str, header: str | None) -> None:
    reason = "public_api_space_request_rate_limit"
    server.faults.add("", 429, retry_after=7, retry_after_form=form, rate_limit_reason=reason)  # type: ignore[arg-type]
    answer = ask.client.get("/users/me")
    assert answer.headers.get("Retry-After") == header
    data = answer.json()["additional_data"]
    assert data["rate_limit_reason"] == reason
    assert data.get("retry_after") == (None if header is None else "7")


def test_a_page_of_html_and_an_empty_body_come_with_status_200(server: NotionServer, ask: Api) -> None:
    server.faults.add("", "html")
    server.faults.add("", "empty")
    html = ask.client.get("/users/me")
    assert html.status_code == 200
    assert html.text.startswith("<!DOCTYPE html>")
    empty = ask.client.get("/users/me")
    assert (empty.status_code, empty.content) == (200, b"")


def test_a_dropped_connection_has_no_answer(server: NotionServer, ask: Api) -> None:
    server.faults.add("search", "drop", times=3)
    for _ in range(3):
        with pytest.raises(httpx.TransportError):
            ask.client.post("/search", json={})
    assert ask.client.post("/search", json={}).status_code == 200
    assert [entry.status for entry in server.requests] == [0, 0, 0, 200]


def test_a_hanging_answer_runs_into_the_timeout(server: NotionServer, ask: Api) -> None:
    server.faults.add("", "hang", seconds=30)
    with pytest.raises(httpx.ReadTimeout):
        ask.client.get("/users/me", timeout=0.1)
    server.faults.add("", "hang", seconds=0.1)
    started = time.monotonic()
    assert ask.client.get("/users/me").status_code == 200
    assert time.monotonic() - started >= 0.1


def listed(ask: Api, at_most: int = 10) -> tuple[list[str], list[str | None]]:
    ids, cursors, cursor = [], [], None
    for _ in range(at_most):
        answer = ask.post("/search", page_size=2, **({"start_cursor": cursor} if cursor else {}))
        ids += [item["id"] for item in answer["results"]]
        cursor = answer["next_cursor"]
        cursors.append(cursor)
        if not answer["has_more"]:
            break
    return ids, cursors


@pytest.fixture
def seven(world: NotionWorld) -> list[str]:
    return [world.add_page(f"Page {at}") for at in range(7)]


def test_a_cursor_that_repeats_never_ends(server: NotionServer, ask: Api, seven: list[str]) -> None:
    server.faults.add("search", "repeat_cursor", times=None)
    ids, cursors = listed(ask)
    assert (len(ids), len(set(ids))) == (20, 4)
    assert len(set(cursors)) == 1


def test_a_list_can_be_cut_openly_or_silently(server: NotionServer, ask: Api, seven: list[str]) -> None:
    server.faults.add("search", "short", skip=1)
    ids, _ = listed(ask)
    assert len(ids) == 3
    server.faults.add("search", "incomplete", keep=1)
    answer = ask.post("/search")
    assert (len(answer["results"]), answer["has_more"], answer["next_cursor"]) == (1, False, None)
    assert answer["request_status"]["type"] == "incomplete"
    server.faults.add("search", "short", keep=0)
    assert ask.post("/search")["results"] == []


def test_an_unknown_fault_is_a_mistake(server: NotionServer) -> None:
    with pytest.raises(ValueError, match="no fault"):
        server.faults.add("", 418)


def test_a_revoked_or_unknown_token_is_refused_everywhere_but_nowhere(
    server: NotionServer, world: NotionWorld, ask: Api
) -> None:
    for token in ("ntn_wrong", ""):
        answer = ask.client.get("/users/me", headers={"Authorization": f"Bearer {token}".strip()})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    world.tokens.add("ntn_second")
    assert ask.client.get("/users/me", headers={"Authorization": "Bearer ntn_second"}).status_code == 200
    world.tokens.clear()
    assert ask.refusal("/users/me") == (401, "unauthorized")
    assert ask.refusal("/nowhere") == (400, "invalid_request_url")


def test_the_version_must_be_named_and_known(server: NotionServer, world: NotionWorld) -> None:
    headers = {"Authorization": f"Bearer {world.token}"}
    missing = httpx.get(f"{server.base_url}/v1/users/me", headers=headers).json()
    assert (missing["status"], missing["code"]) == (400, "missing_version")
    wrong = httpx.get(f"{server.base_url}/v1/users/me", headers={**headers, "Notion-Version": "2022-06-28"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "validation_error")


def test_a_body_that_is_not_json_is_refused(ask: Api) -> None:
    answer = ask.client.post("/search", content=b"{not json")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json")


def test_the_rate_limit_lets_through_what_it_should(server: NotionServer, world: NotionWorld, ask: Api) -> None:
    server.rate_limit(5, by_world_clock=True)
    found = [ask.client.get("/users/me").status_code for _ in range(7)]
    assert found == [200] * 5 + [429] * 2
    world.clock.advance(20)
    answer = ask.client.get("/users/me")
    assert answer.headers["Retry-After"] == "40"
    assert answer.json()["additional_data"]["rate_limit_reason"] == "public_api_request_rate_limit"
    world.clock.advance(40)
    assert ask.client.get("/users/me").status_code == 200
    server.rate_limit(None)
    assert {ask.client.get("/users/me").status_code for _ in range(10)} == {200}


def test_the_rate_limit_may_run_on_real_time(server: NotionServer, ask: Api) -> None:
    server.rate_limit(2, window_seconds=0.2)
    assert [ask.client.get("/users/me").status_code for _ in range(3)] == [200, 200, 429]
    time.sleep(0.25)
    assert ask.client.get("/users/me").status_code == 200


def test_latency_is_added_to_every_answer(server: NotionServer, ask: Api) -> None:
    server.latency(0.05)
    started = time.monotonic()
    ask.get("/users/me")
    assert time.monotonic() - started >= 0.05


def test_the_log_has_method_path_query_and_body(server: NotionServer, world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page")
    ask.markdown(page)
    ask.post("/search", query="x")
    first, second = server.requests
    assert (first.method, first.path) == ("GET", f"/v1/pages/{page}/markdown")
    assert first.query == {"markdown_version": "v2"}
    assert (second.path, second.body, second.status) == ("/v1/search", {"query": "x"}, 200)
    server.reset_log()
    assert server.requests == []


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr("notion_client.client.time.sleep", waits.append)
    return waits


def test_the_official_client_understands_the_errors(server: NotionServer, no_waiting: list[float]) -> None:
    server.faults.add("", 429, retry_after=3)
    server.faults.add("search", 503)
    with notion_client(server) as client:
        assert client.users.me()["type"] == "bot"
        assert no_waiting == [3.0]
        with pytest.raises(APIResponseError) as raised:
            client.search()
    assert raised.value.status == 503


def test_the_server_is_fast_enough_for_benchmarks() -> None:
    world = seed_world(20, 0)
    page = world.visible_pages()[0]
    with serve(world) as server:
        headers = {"Authorization": f"Bearer {world.token}", "Notion-Version": VERSION}
        with plain_http(base_url=server.base_url, headers=headers) as client:
            client.get(f"/v1/pages/{page}/markdown")
            started = time.perf_counter()
            for _ in range(200):
                client.get(f"/v1/pages/{page}/markdown")
            # httpx takes most of this; a lean client in another process sees thousands a second.
            assert time.perf_counter() - started < 4
