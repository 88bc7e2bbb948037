"""What is kept, for whom, and for how long: in memory and in a Valkey alike."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from arcana_pipelines import installation_secrets
from arcana_pipelines.caching import caches
from arcana_pipelines.caching import redis as redis_store
from arcana_pipelines.caching.caches import Cache, Caches, Tenant
from arcana_pipelines.caching.memory import MemoryStore
from arcana_pipelines.caching.protocol import MOST_BYTES
from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import ArcanaError, InvalidSetting, WrongUse
from arcana_pipelines.settings import Settings
from arcana_pipelines.web.health import Health
from arcana_pipelines_tests.caching.valkey import Valkey

SECRET_KEY = SecretStr(installation_secrets.make())
ACME = Tenant(UUID(int=1), "notion", UUID(int=2))
GLOBEX = Tenant(UUID(int=3), "notion", UUID(int=4))


def settings_of(valkey: Valkey | None, **changed: Any) -> Settings:
    given = {} if valkey is None else {"redis_url": SecretStr(valkey.url)}
    return Settings(secret_key=SECRET_KEY, **given, **changed)


@pytest.fixture
def opening() -> Iterator[Callable[..., Caches]]:
    """Opens caches, and closes them in the end."""
    with ExitStack() as closing:
        yield lambda *given, **changed: closing.enter_context(
            contextlib.closing(Caches(settings_of(*given, **changed)))
        )


@pytest.fixture(params=["memory", "valkey"])
def opened(request: pytest.FixtureRequest, opening: Callable[..., Caches]) -> Callable[..., Caches]:
    """Opens caches with other settings; those in Valkey are the same ones each time."""
    valkey = request.getfixturevalue("valkey") if request.param == "valkey" else None
    return lambda **changed: opening(valkey, **changed)


@pytest.fixture
def cache(opened: Callable[..., Caches]) -> Cache:
    return opened().searches


def made(value: Any = "made", may_be_kept: bool = True) -> tuple[Any, bool]:
    return value, may_be_kept


class TestAValue:
    def test_is_made_once_and_kept(self, cache: Cache) -> None:
        key = cache.key(ACME, "vacation")
        assert cache.had(key, lambda: made({"휴가": [1, 2.5, None]})) == {"휴가": [1, 2.5, None]}
        assert cache.had(key, lambda: made("another")) == {"휴가": [1, 2.5, None]}

    def test_is_not_kept_where_whoever_made_it_says_so(self, cache: Cache) -> None:
        key = cache.key(ACME, "vacation")
        assert cache.had(key, lambda: made("without a provider", may_be_kept=False)) == "without a provider"
        assert cache.had(key, lambda: made("whole")) == "whole"

    def test_is_over_after_its_time(self, opened: Callable[..., Caches]) -> None:
        cache = opened(search_cache_ttl=1).searches
        key = cache.key(ACME, "vacation")
        cache.put(key, "kept")
        assert cache.get(key) == "kept"
        deadline = time.monotonic() + 10
        while cache.get(key) is not None:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def test_is_never_kept_with_a_time_of_0(self, opened: Callable[..., Caches]) -> None:
        cache = opened(search_cache_ttl=0).searches
        key = cache.key(ACME, "vacation")
        cache.put(key, "kept")
        assert cache.get(key) is None
        assert [cache.had(key, lambda each=each: made(each)) for each in "ab"] == ["a", "b"]

    def test_that_is_too_large_is_given_and_not_kept(self, cache: Cache) -> None:
        key, large = cache.key(ACME, "all of it"), "x" * MOST_BYTES
        assert cache.had(key, lambda: made(large)) == large
        assert cache.get(key) is None

    def test_that_is_none_is_made_each_time(self, cache: Cache) -> None:
        key = cache.key(ACME, "vacation")
        assert cache.had(key, lambda: made(None)) is None
        assert cache.had(key, lambda: made("something")) == "something"

    def test_is_gone_with_its_tenant_and_no_other(self, cache: Cache) -> None:
        keys = [cache.key(tenant, number) for tenant in (ACME, GLOBEX) for number in range(1200)]
        for key in keys:
            cache.put(key, 1)
        cache.store.drop(ACME.prefix)
        assert [cache.get(key) for key in keys] == [None] * 1200 + [1] * 1200


class TestThoseWhoAskAtTheSameTime:
    def test_have_it_made_once(self, cache: Cache) -> None:
        calls: Counter[str] = Counter()
        all_ask = threading.Barrier(8)

        def make() -> tuple[Any, bool]:
            calls["made"] += 1
            time.sleep(0.3)
            return made()

        def ask(_: int) -> Any:
            all_ask.wait()
            return cache.had(cache.key(ACME, "vacation"), make)

        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(ask, range(8))) == ["made"] * 8
        assert calls == {"made": 1}

    def test_do_not_wait_for_ever(self, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(caches, "PATIENCE_SECONDS", 0.1)
        key, hangs, begun = cache.key(ACME, "vacation"), threading.Event(), threading.Event()

        def hang() -> tuple[Any, bool]:
            begun.set()
            hangs.wait(60)
            return made("late")

        with ThreadPoolExecutor(1) as threads:
            late = threads.submit(cache.had, key, hang)
            assert begun.wait(60)
            assert cache.had(key, made) == "made"
            hangs.set()
            assert late.result() == "late"

    def test_are_all_told_what_went_wrong_and_the_next_may_succeed(self, cache: Cache) -> None:
        key = cache.key(ACME, "vacation")
        all_ask = threading.Barrier(4)

        def fail() -> tuple[Any, bool]:
            time.sleep(0.3)
            raise ValueError("the database is away")

        def ask(_: int) -> str:
            all_ask.wait()
            try:
                return str(cache.had(key, fail))
            except ValueError as error:
                return str(error)

        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(ask, range(4))) == ["the database is away"] * 4
        assert cache.had(key, made) == "made"


class TestServersThatAreAskedAtTheSameTime:
    @pytest.fixture
    def servers(self, valkey: Valkey, opening: Callable[..., Caches]) -> list[Cache]:
        return [opening(valkey).searches, opening(valkey).searches]

    @pytest.fixture
    def in_making(self, servers: list[Cache]) -> Iterator[tuple[str, threading.Event]]:
        """A key whose value the first server is making, until it may end."""
        key, begun, may_end = servers[0].key(ACME, "vacation"), threading.Event(), threading.Event()

        def make() -> tuple[Any, bool]:
            begun.set()
            may_end.wait(60)
            return made()

        with ThreadPoolExecutor(1) as threads:
            first = threads.submit(servers[0].had, key, make)
            assert begun.wait(60)
            yield key, may_end
            may_end.set()
            assert first.result() == "made"

    def test_have_it_made_once(self, servers: list[Cache]) -> None:
        calls: Counter[str] = Counter()
        all_ask = threading.Barrier(16)

        def make() -> tuple[Any, bool]:
            calls["made"] += 1
            time.sleep(0.1)
            return made()

        def ask(number: int) -> Any:
            all_ask.wait()
            return servers[number % 2].had(servers[number % 2].key(ACME, "vacation"), make)

        with ThreadPoolExecutor(16) as threads:
            assert list(threads.map(ask, range(16))) == ["made"] * 16
        assert calls == {"made": 1}

    def test_wait_for_the_one_that_makes_it(
        self, servers: list[Cache], in_making: tuple[str, threading.Event], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(redis_store, "WAIT_SECONDS", 60.0)
        key, may_end = in_making
        with ThreadPoolExecutor(1) as threads:
            second = threads.submit(servers[1].had, key, lambda: made("made twice"))
            may_end.set()
            assert second.result() == "made"

    def test_do_not_wait_for_ever(
        self, servers: list[Cache], in_making: tuple[str, threading.Event], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(redis_store, "WAIT_SECONDS", 0.05)
        assert servers[1].had(in_making[0], lambda: made("made twice")) == "made twice"

    @pytest.mark.parametrize("outcome", ["not to be kept", "too large", "fails"])
    def test_do_not_wait_for_what_is_not_kept(
        self, servers: list[Cache], monkeypatch: pytest.MonkeyPatch, outcome: str
    ) -> None:
        monkeypatch.setattr(redis_store, "WAIT_SECONDS", 60.0)
        key = servers[0].key(ACME, "vacation")
        if outcome == "fails":
            with pytest.raises(ZeroDivisionError):
                servers[0].had(key, lambda: made(1 / 0))
        else:
            value = "x" * MOST_BYTES if outcome == "too large" else "once"
            assert servers[0].had(key, lambda: made(value, may_be_kept=False)) == value
        assert servers[1].had(key, lambda: made("again")) == "again"

    def test_wait_for_nobody_who_only_says_that_it_is_being_made(
        self, valkey: Valkey, servers: list[Cache], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(redis_store, "WAIT_SECONDS", 60.0)
        for number, lasts in enumerate((None, 3600)):
            key = servers[0].key(ACME, number)
            valkey.client().set(f"{key}:being-made", b"forged", ex=lasts)
            assert servers[0].had(key, made) == "made"

    def test_leave_to_another_what_that_has_begun_meanwhile(
        self, valkey: Valkey, servers: list[Cache], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(redis_store, "_MAKING_SECONDS", 0.05)
        key = servers[0].key(ACME, "vacation")

        def make() -> tuple[Any, bool]:
            deadline = time.monotonic() + 10
            while valkey.client().exists(f"{key}:being-made"):
                assert time.monotonic() < deadline
            valkey.client().set(f"{key}:being-made", b"another's", px=60_000)
            return made()

        servers[0].had(key, make)
        assert valkey.client().get(f"{key}:being-made") == b"another's"

    def test_leave_nothing_behind(self, valkey: Valkey, servers: list[Cache]) -> None:
        servers[0].had(servers[0].key(ACME, "vacation"), made)
        assert len(valkey.client().keys("*")) == 1

    def test_make_it_each_where_it_is_away(self, valkey: Valkey, servers: list[Cache]) -> None:
        valkey.kill()
        assert [server.had(server.key(ACME, "vacation"), made) for server in servers] == ["made", "made"]


class TestAKey:
    def test_begins_with_whose_it_is(self, cache: Cache) -> None:
        assert cache.key(ACME, "q").startswith(f"{UUID(int=1)}:notion:v1:{UUID(int=2)}:searches:")

    def test_holds_no_word_of_a_question(self, cache: Cache) -> None:
        assert "merger" not in cache.key(ACME, "the merger") and b"merger".hex() not in cache.key(ACME, "the merger")

    def test_of_one_level_is_none_of_another(self, opened: Callable[..., Caches]) -> None:
        several = opened()
        several.searches.put(several.searches.key(ACME, "q"), "answer")
        assert several.embeddings.get(several.embeddings.key(ACME, "q")) is None

    def test_of_another_installation_s_secret_is_another(self, opened: Callable[..., Caches]) -> None:
        ours = Cache("searches", MemoryStore(10), 1, b"ours", lambda _: None)
        theirs = Cache("searches", MemoryStore(10), 1, b"theirs", lambda _: None)
        assert ours.key(ACME, "q") != theirs.key(ACME, "q")


def test_memory_forgets_what_was_not_asked_for_longest_when_it_is_full() -> None:
    store = MemoryStore(1000)
    for number in range(20):
        store.put(str(number), b"x" * 100, 60)
        store.get("0")
    assert store.get("0") is not None and store.get("1") is None and store.get("19") is not None
    assert store.megabytes() <= 0.001


def test_without_a_secret_nothing_is_kept_in_redis(valkey: Valkey) -> None:
    with pytest.raises(InvalidSetting, match="SECRET_KEY is not set"):
        Caches(Settings(redis_url=SecretStr(valkey.url)))


def test_an_address_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="redis://, rediss:// or unix://"):
        Settings(redis_url=SecretStr("http://127.0.0.1"))


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked again soon after it did not answer."""
    monkeypatch.setattr(redis_store, "REST_SECONDS", 0.2)


@pytest.fixture
def kept(valkey: Valkey, opening: Callable[..., Caches]) -> tuple[Cache, str]:
    """A cache in Valkey with a value."""
    cache = opening(valkey).searches
    key = cache.key(ACME, "vacation")
    cache.put(key, "kept")
    return cache, key


class TestAValkeyThat:
    """Costs time at most: nothing is raised, and what is not to be had is made."""

    def again(self, cache: Cache, key: str) -> None:
        deadline = time.monotonic() + 10
        while cache.get(key) is None:
            assert time.monotonic() < deadline
            cache.put(key, "kept")
            time.sleep(0.05)

    def test_is_killed_is_used_again_when_it_is_back_with_what_it_had(
        self, valkey: Valkey, kept: tuple[Cache, str], rests: None
    ) -> None:
        cache, key = kept
        valkey.kill()
        assert cache.had(key, made) == "made"
        valkey.start()
        self.again(cache, key)

    def test_was_never_there_is_asked_once_in_a_while(self, valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
        valkey.kill()
        store = redis_store.RedisStore(redis_store.client_of(settings_of(valkey)), b"secret")
        asked: list[str] = []
        monkeypatch.setattr(
            store.client, "get", lambda key: asked.append(key) or store.client.execute_command("GET", key)
        )
        for _ in range(100):
            assert store.get("k") is None
        store.close()
        assert len(asked) == 1 and store.is_away

    def test_does_not_answer_is_not_waited_for(self, valkey: Valkey, kept: tuple[Cache, str], rests: None) -> None:
        cache, key = kept
        valkey.stop()
        begun = time.monotonic()
        assert cache.had(key, made) == "made"
        # One timeout, where a client that waits as it likes would hang until somebody lets it go on.
        assert time.monotonic() - begun < 5
        valkey.go_on()
        self.again(cache, key)

    def test_is_full_keeps_nothing_more(self, valkey: Valkey, kept: tuple[Cache, str]) -> None:
        cache, key = kept
        valkey.client().config_set("maxmemory", "1")
        valkey.client().config_set("maxmemory-policy", "noeviction")
        assert cache.had(cache.key(ACME, "another"), made) == "made"
        assert cache.get(cache.key(ACME, "another")) is None
        assert cache.get(key) == "kept"

    def test_was_emptied_has_it_made(self, valkey: Valkey, kept: tuple[Cache, str]) -> None:
        cache, key = kept
        valkey.client().flushall()
        assert cache.had(key, made) == "made"

    @pytest.mark.parametrize("damage", ["lost", "cut off"])
    def test_lost_what_it_had_written_has_it_made(
        self, valkey: Valkey, kept: tuple[Cache, str], damage: str, rests: None
    ) -> None:
        cache, key = kept
        valkey.kill()
        for file in valkey.folder.glob("appendonlydir/*.incr.aof"):
            file.write_bytes(b"" if damage == "lost" else file.read_bytes()[:-20])
        valkey.start()
        assert cache.had(key, made) == "made"

    @pytest.mark.parametrize(
        "value", [b"", b"x", b'"forged"', b"\x00" * 32 + b'"forged"', b"x" * (MOST_BYTES + 1000)], ids=len
    )
    def test_holds_what_somebody_else_wrote_is_not_believed(
        self, valkey: Valkey, kept: tuple[Cache, str], value: bytes
    ) -> None:
        cache, key = kept
        valkey.client().set(key, value)
        assert cache.had(key, made) == "made"

    def test_holds_a_value_under_another_tenant_s_key_does_not_give_it_to_that(
        self, valkey: Valkey, kept: tuple[Cache, str]
    ) -> None:
        cache, key = kept
        foreign = cache.key(GLOBEX, "vacation")
        valkey.client().copy(key, foreign)
        assert cache.get(foreign) is None

    def test_holds_another_type_of_value_is_not_believed(self, valkey: Valkey, kept: tuple[Cache, str]) -> None:
        cache, key = kept
        valkey.client().delete(key)
        valkey.client().lpush(key, "a list")
        assert cache.had(key, made) == "made"

    def test_holds_values_holds_no_word_of_a_question(self, valkey: Valkey, opening: Callable[..., Caches]) -> None:
        cache = opening(valkey).embeddings
        cache.put(cache.key(ACME, "canary"), {"vectors": "AAAA"})
        assert all(b"canary" not in key for key in valkey.client().keys("*"))

    def test_is_shared_gives_one_server_what_another_put(self, valkey: Valkey, opening: Callable[..., Caches]) -> None:
        one, other = opening(valkey).searches, opening(valkey).searches
        one.put(one.key(ACME, "vacation"), "kept")
        assert other.get(other.key(ACME, "vacation")) == "kept"

    def test_has_a_database_of_another_number_keeps_to_it(self, valkey: Valkey, opening: Callable[..., Caches]) -> None:
        cache = opening(valkey, redis_db=3).searches
        cache.put(cache.key(ACME, str(uuid4())), "kept")
        assert valkey.client().dbsize() == 0


class TestWhatDoctorSays:
    def test_of_one_that_answers(self, valkey: Valkey) -> None:
        valkey.client().config_set("maxmemory", "64mb")
        valkey.client().config_set("maxmemory-policy", "allkeys-lru")
        assert re.fullmatch(r"Valkey 9[\d.]+ holds \d+ MB of 67", redis_store.looked_at(settings_of(valkey)))

    def test_of_one_that_is_gone(self, valkey: Valkey) -> None:
        valkey.kill()
        with pytest.raises(ArcanaError, match=r"does not answer within 1000 ms.*check REDIS_URL"):
            redis_store.looked_at(settings_of(valkey))

    def test_of_one_whose_user_may_send_no_messages(self, valkey: Valkey) -> None:
        valkey.client().acl_setuser("limited", enabled=True, nopass=True, keys=["*"], categories=["+@all"])
        limited = Settings(redis_url=SecretStr(valkey.url.replace("://", "://limited:x@")))
        with pytest.raises(WrongUse, match=r"channels `&\*:v1:\*:published`"):
            redis_store.looked_at(limited)
        valkey.client().acl_setuser("limited", enabled=True, channels=["*:v1:*:published"])
        assert "Valkey" in redis_store.looked_at(limited)

    def test_of_one_that_keeps_what_is_old(self, valkey: Valkey) -> None:
        valkey.client().config_set("maxmemory", "64mb")
        with pytest.raises(WrongUse, match="maxmemory-policy to allkeys-lru"):
            redis_store.looked_at(settings_of(valkey))


def test_the_server_says_each_minute_whether_it_answers(
    valkey: Valkey, opening: Callable[..., Caches], database: Database
) -> None:
    health = Health(database, (), opening(valkey).redis)

    def told() -> str:
        health.look()
        with database.connection() as connection:
            return query.scalar(
                connection, "SELECT state FROM system_health WHERE component = 'cache' ORDER BY at DESC LIMIT 1"
            )

    assert told() == "ok"
    with database.connection() as connection:
        connection.execute("UPDATE system_health SET at = at - interval '2 minutes'")
    valkey.kill()
    assert told() == "degraded"
