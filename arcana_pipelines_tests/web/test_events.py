"""Who listens hears of each publish of what the key sees, and of nothing else."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from arcana_pipelines.keys import keys
from arcana_pipelines.web import events
from arcana_pipelines.web import server as web_server
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.web.conftest import Api, served
from arcana_pipelines_tests.web.test_metrics import told
from arcana_pipelines_tests.web.test_use import eventually

EVENTS = "/v1/events"
STREAM = {"Accept": "text/event-stream"}


@contextmanager
def listening(api: Api, key: str) -> Iterator[Callable[[], dict[str, Any]]]:
    """A stream; calling what is given waits for its next event."""
    with api.with_key(key) as client, client.stream("GET", EVENTS, headers=STREAM) as answer:
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()

        def heard() -> dict[str, Any]:
            data = next(line for line in lines if line.startswith("data: "))
            event: dict[str, Any] = json.loads(data.removeprefix("data: "))
            return event

        yield heard


def edit(acme: Harness, text: str) -> None:
    page = next(iter(acme.published()))
    acme.world.edit_page(page, blocks=text)
    acme.settle()
    acme.sync()


def in_progress(api: Api) -> float | None:
    return api.metrics.registry.get_sample_value("arcana_http_requests_in_progress")


class TestAStream:
    def test_tells_times_as_the_list_does(self, api: Api) -> None:
        made = api.key("search")
        with api.with_key(made.key) as client, listening(api, made.key) as heard:
            assert heard() == client.get(EVENTS).json()["indexes"][0]

    def test_tells_what_is_there_and_then_each_publish(self, api: Api) -> None:
        with listening(api, api.key("search").key) as heard:
            first = heard()
            assert (first["workspace"], first["index"]) == ("acme", "default")
            edit(api.acme, "Everyone has 31 days.")
            assert heard()["version"] > first["version"]

    def test_tells_nothing_of_another_company_or_workspace(self, api: Api) -> None:
        with listening(api, api.key("search", slug="globex").key) as heard:
            assert heard()["workspace"] == "globex"
            edit(api.acme, "Everyone has 31 days.")
            with api.acme.database.connection() as connection:
                connection.execute(
                    "UPDATE rag_indexes SET updated = now() FROM workspace w "
                    "WHERE w.workspace_id = rag_indexes.workspace_id AND w.slug = 'globex'"
                )
            assert heard()["workspace"] == "globex"

    def test_believes_no_message(self, api: Api) -> None:
        with listening(api, api.key("search").key) as heard:
            first = heard()
            company, workspace = api.acme.rows("SELECT company_id, workspace_id FROM workspace WHERE slug = 'acme'")[0]
            forged = {
                "company_id": str(company),
                "workspace_id": str(workspace),
                "index": "default",
                "publish_seq": 999,
            }
            with api.acme.database.connection() as connection:
                for payload in (json.dumps(forged), "no JSON", "[]", '{"company_id": 3}', ""):
                    connection.execute("SELECT pg_notify('arcana_published', %s)", [payload])
            edit(api.acme, "Everyone has 31 days.")
            assert first["version"] < heard()["version"] < 999

    def test_goes_on_after_the_database_ended_its_connection(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(events, "_AWAY_SECONDS", 0.1)
        with listening(api, api.key("search").key) as heard:
            first = heard()
            with api.acme.superuser() as superuser:
                superuser.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE query LIKE 'LISTEN%' AND datname = current_database()"
                )
            edit(api.acme, "Everyone has 31 days.")
            assert heard()["version"] > first["version"]

    def test_ends_after_a_while_so_that_the_key_is_asked_for_again(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(events, "STREAM_SECONDS", 0.3)
        with api.client("search") as client:
            answer = client.get(EVENTS, headers=STREAM)
        assert answer.text.startswith("retry: 3000\n\nevent: index.published\nid: acme/default:")

    def test_says_that_it_is_alive(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(events, "ALIVE_SECONDS", 0.1)
        monkeypatch.setattr(events, "STREAM_SECONDS", 0.5)
        with api.client("search") as client:
            assert ": alive\n\n" in client.get(EVENTS, headers=STREAM).text

    def test_is_refused_where_a_key_has_as_many_as_it_may(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(events, "MOST_OF_KEY", 1)
        key = api.key("search").key
        with listening(api, key) as heard, api.with_key(key) as client:
            heard()
            refused = client.get(EVENTS, headers=STREAM)
            assert refused.status_code == 429 and "streams" in refused.json()["detail"]
        # The server sees a moment later that the first has gone.
        with api.with_key(key) as client:
            deadline = time.monotonic() + 30
            while True:
                with client.stream("GET", EVENTS, headers=STREAM) as answer:
                    if answer.status_code == 200:
                        break
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def test_is_refused_where_many_are_asked_for_at_once(self, api: Api) -> None:
        key = api.key("search").key

        async def ask_all() -> list[int]:
            headers = {"Authorization": f"Bearer {key}", **STREAM}
            async with httpx.AsyncClient(base_url=api.url, headers=headers, verify=False, trust_env=False) as client:
                asked = (client.send(client.build_request("GET", EVENTS), stream=True) for _ in range(20))
                answers = await asyncio.gather(*asked)
                for answer in answers:
                    await answer.aclose()
            return [answer.status_code for answer in answers]

        assert Counter(asyncio.run(ask_all())) == {200: events.MOST_OF_KEY, 429: 20 - events.MOST_OF_KEY}

    def test_of_a_company_leave_room_for_others(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(events, "MOST_OF_COMPANY", 1)
        with listening(api, api.key("search").key) as heard, api.client("search") as client:
            heard()
            assert client.get(EVENTS, headers=STREAM).status_code == 429
            with listening(api, api.key("search", slug="globex").key) as others:
                assert others()["workspace"] == "globex"

    def test_that_nobody_reads_ends_and_leaves_its_place(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(events, "STREAM_SECONDS", 0.5)
        monkeypatch.setattr(events, "ALIVE_SECONDS", 0.1)
        monkeypatch.setattr(events, "_event", lambda publish: f": {'x' * 20_000_000}\n\n")  # more than sockets hold
        with api.with_key(api.key("search").key) as client, client.stream("GET", EVENTS, headers=STREAM) as answer:
            assert answer.status_code == 200
            with eventually() as wait:
                wait(lambda: in_progress(api) == 0)

    def test_counts_as_a_request_that_took_until_it_began(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(events, "STREAM_SECONDS", 3.0)
        with api.client("search") as client:
            client.get(EVENTS, headers=STREAM)
        series = told(api)
        assert series[f'arcana_http_request_seconds_count{{route="{EVENTS}"}}'] == 1
        assert series[f'arcana_http_request_seconds_sum{{route="{EVENTS}"}}'] < 3
        with eventually() as wait:
            written = "SELECT milliseconds FROM api_usage_logs WHERE route = %s"
            wait(lambda: bool(api.acme.rows(written, EVENTS)))
        assert api.acme.rows(written, EVENTS)[0][0] < 3000

    def test_ends_with_its_key(self, api: Api) -> None:
        made = api.key("search")
        with listening(api, made.key) as heard:
            heard()
            with api.acme.database.connection() as connection:
                keys.revoke(connection, made.key_id)
            edit(api.acme, "Everyone has 31 days.")
            with pytest.raises(StopIteration):
                heard()

    def test_ends_with_the_server(self, companies: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(web_server, "STOP_SECONDS", 10_000)  # it would wait so long for what is being answered
        begun, ended = threading.Event(), threading.Event()

        def hear(api: Api) -> None:
            with listening(api, api.key("search").key) as heard:
                heard()
                begun.set()
                with pytest.raises(StopIteration):
                    heard()
            ended.set()

        with served(companies) as api:
            thread = threading.Thread(target=hear, args=[api])
            thread.start()
            assert begun.wait(60)
        thread.join()
        assert ended.is_set()


def test_without_asking_for_a_stream_what_is_there_is_told_at_once(api: Api) -> None:
    with api.client("read") as client:
        there = client.get(EVENTS).json()["indexes"]
    assert [(each["workspace"], each["index"]) for each in there] == [("acme", "default")]
    assert there[0]["version"] > 0


def test_a_key_that_neither_searches_nor_reads_hears_nothing(api: Api) -> None:
    with api.client("sync") as client:
        assert client.get(EVENTS).status_code == client.get(EVENTS, headers=STREAM).status_code == 403
