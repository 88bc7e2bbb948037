"""Servers that share a Valkey tell each other of changes; what somebody else says there wakes nobody."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from arcana_pipelines.caching.caches import Tenant
from arcana_pipelines.caching.channel import Channel
from arcana_pipelines.caching.redis import RedisStore, client_of
from arcana_pipelines.web import events
from arcana_pipelines_tests.caching.test_caches import settings_of
from arcana_pipelines_tests.caching.valkey import Valkey
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.web.conftest import Api, served
from arcana_pipelines_tests.web.test_events import edit, listening

ACME = Tenant(UUID(int=1), "notion", UUID(int=2))
GLOBEX = Tenant(UUID(int=3), "notion", UUID(int=4))
INDEX = UUID(int=5)


class Heard:
    """Somebody who listens, in a thread of its own."""

    def __init__(self, channel: Channel) -> None:
        self._is_over, self._has_news = threading.Event(), threading.Condition()
        self._told: list[UUID | None] = []
        self._thread = threading.Thread(target=channel.listen, args=[self._is_over, self._hear])
        self._thread.start()

    def _hear(self, company_id: UUID | None) -> None:
        with self._has_news:
            self._told.append(company_id)
            self._has_news.notify_all()

    def next(self) -> UUID | None:
        """Whose change was told next; None: some may have been missed."""
        with self._has_news:
            assert self._has_news.wait_for(lambda: bool(self._told), timeout=30)
            return self._told.pop(0)

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()


@pytest.fixture
def stores(valkey: Valkey) -> Iterator[list[RedisStore]]:
    stores = [RedisStore(client_of(settings_of(valkey)), b"secret") for _ in range(2)]
    yield stores
    for store in stores:
        store.close()


@pytest.fixture
def servers(valkey: Valkey, stores: list[RedisStore]) -> list[Channel]:
    return [Channel(store, b"secret", lambda: client_of(settings_of(valkey))) for store in stores]


@pytest.fixture
def one(servers: list[Channel]) -> Channel:
    return servers[0]


@pytest.fixture
def heard(servers: list[Channel]) -> Iterator[Heard]:
    """What another server hears, from now on."""
    heard = Heard(servers[1])
    assert heard.next() is None
    yield heard
    heard.stop()


class TestAMessage:
    def test_says_whose_index_has_changed_and_is_of_ids_and_numbers(
        self, valkey: Valkey, one: Channel, heard: Heard
    ) -> None:
        with valkey.client().pubsub() as program:
            program.psubscribe(f"{ACME.company_id}:*")
            program.get_message(timeout=5)
            one.announce(ACME, INDEX, 17)
            assert heard.next() == ACME.company_id
            told = program.get_message(timeout=5)
        assert told is not None
        assert told["channel"].decode() == f"{ACME.company_id}:notion:v1:{ACME.workspace_id}:published"
        said = json.loads(told["data"])
        assert len(said.pop("signature")) == 64 and said == {"index_id": str(INDEX), "version": 17}

    def test_is_sent_once_however_many_servers_have_heard_of_the_change(
        self, servers: list[Channel], valkey: Valkey, heard: Heard
    ) -> None:
        with valkey.client().pubsub(ignore_subscribe_messages=True) as program:
            program.psubscribe("*")
            for server in servers * 2:
                server.announce(ACME, INDEX, 17)
            servers[0].announce(ACME, INDEX, 18)
            versions = []
            while versions[-1:] != [18]:
                if (told := program.get_message(timeout=5)) is not None:
                    versions.append(json.loads(told["data"])["version"])
        assert versions == [17, 18]

    def test_of_somebody_else_is_heard_by_nobody(
        self, valkey: Valkey, stores: list[RedisStore], one: Channel, heard: Heard
    ) -> None:
        client = valkey.client()
        with client.pubsub(ignore_subscribe_messages=True) as spy:
            spy.psubscribe("*")
            one.announce(ACME, INDEX, 17)
            assert heard.next() == ACME.company_id
            real = None
            while real is None:
                real = spy.get_message(timeout=5)
        said = json.loads(real["data"])
        ours, theirs = ACME.prefix + "published", GLOBEX.prefix + "published"
        for channel, data in (
            (theirs, real["data"]),  # another's message on a foreign channel
            (ours, real["data"]),  # said again
            (ours, json.dumps({**said, "version": 18})),
            (ours, json.dumps({**said, "index_id": str(uuid4())})),
            (ours, json.dumps({"index_id": str(INDEX), "version": 18})),
            (ours, json.dumps({**said, "signature": 7})),
            (ours, b"x" * 2000), (ours, b"\xff"), (ours, b"[]"), (ours, b"7"), (ours, b""),
            ("x:v1:y:published", real["data"]), (b"\xff:v1::published", real["data"]),
        ):  # fmt: skip
            assert client.publish(channel, data) == 1
        Channel(stores[0], b"another installation's", lambda: stores[0].client).announce(GLOBEX, INDEX, 1)
        one.announce(GLOBEX, INDEX, 2)
        assert heard.next() == GLOBEX.company_id

    def test_that_was_missed_while_it_was_away_is_looked_for(
        self, valkey: Valkey, one: Channel, heard: Heard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("arcana_pipelines.caching.channel._AWAY_SECONDS", 0.05)
        monkeypatch.setattr("arcana_pipelines.caching.redis.REST_SECONDS", 0.0)
        valkey.kill()
        one.announce(ACME, INDEX, 17)
        valkey.start()
        assert heard.next() is None
        one.announce(ACME, INDEX, 18)
        assert heard.next() == ACME.company_id


class TestAServerThatHearsNothingOfTheDatabase:
    @pytest.fixture
    def kept_in(self, valkey: Valkey) -> dict[str, Any]:
        return {"redis_url": SecretStr(valkey.url)}

    @pytest.fixture
    def deaf(
        self, companies: Harness, kept_in: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[tuple[Api, Api]]:
        """One that listens to the database, and one that does not and asks it seldom."""
        monkeypatch.setattr(events, "ALIVE_SECONDS", 120.0)
        with served(companies, **kept_in) as api, api.with_key(None) as client:
            assert client.get("/healthz").status_code == 200
            monkeypatch.setattr(events.Events, "_listen", lambda self: None)
            with served(companies, **kept_in) as deaf:
                yield api, deaf

    def test_tells_what_another_has_heard(self, deaf: tuple[Api, Api]) -> None:
        with listening(deaf[1], deaf[1].key("search").key) as heard:
            first = heard()
            edit(deaf[0].acme, "Everyone has 31 days.")
            assert heard()["version"] > first["version"]

    def test_tells_nothing_that_is_only_said(self, deaf: tuple[Api, Api], valkey: Valkey) -> None:
        acme = deaf[0].acme
        company, workspace = acme.rows("SELECT company_id, workspace_id FROM workspace WHERE slug = 'acme'")[0]
        with listening(deaf[1], deaf[1].key("search").key) as heard:
            first = heard()
            channel = f"{company}:notion:v1:{workspace}:published"
            valkey.client().publish(channel, json.dumps({"index_id": str(INDEX), "version": 999, "signature": "0"}))
            forged = {"company_id": str(company), "workspace_id": str(workspace), "index": "default"}
            with acme.database.connection() as connection:
                for said in (
                    {**forged, "publish_seq": 999},
                    {**forged, "company_id": str(uuid4())},
                    forged | {"index": 7},
                ):
                    connection.execute("SELECT pg_notify('arcana_published', %s)", [json.dumps(said)])
            edit(acme, "Everyone has 31 days.")
            assert first["version"] < heard()["version"] < 999
