"""The searcher for programs: many threads and tasks, one workspace, connections that come and go."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.schema import upgrade
from arcana_pipelines.embedding.local_small import SmallEmbedder
from arcana_pipelines.embedding.protocol import Embedded, EmbeddedQuestion
from arcana_pipelines.errors import DatabaseUnreachable, InvalidSetting, UnknownWorkspace, WrongUse
from arcana_pipelines.indexes import lifecycle
from arcana_pipelines.pipeline import registration
from arcana_pipelines.retrieval import (
    Filters,
    Results,
    Searcher,
    SearchRequest,
    connection_searcher,
    query_embedders,
)
from arcana_pipelines.retrieval.filters import PropertyCondition
from arcana_pipelines.retrieval.serving import find_serving
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness

WORDS = ("zebra", "quartz", "violin", "harbour", "meadow")


@pytest.fixture
def animals(acme: Harness) -> Harness:
    """A workspace with a page for each word, long enough for several chunks."""
    fill(acme)
    return acme


def fill(harness: Harness) -> None:
    for word in WORDS:
        parts = [f"The {word} of {harness.slug}. " + f"More about it, part {part}. " * 40 for part in range(3)]
        harness.world.add_page(word.title(), blocks=[blocks.paragraph(part) for part in parts])
    harness.world.clock.advance(600)
    harness.sync()


@pytest.fixture
def searcher(animals: Harness, settings: Settings) -> Iterator[Searcher]:
    with Searcher("acme", settings=settings) as searcher:
        yield searcher


def titles(results: Results) -> list[str]:
    return [hit.title for hit in results.hits]


class Meddling(SmallEmbedder):
    """The local model; while it embeds, something else happens."""

    def __init__(self, meddle: Callable[[], Any]) -> None:
        self._meddle = meddle

    def embed(self, texts: Sequence[str]) -> Embedded:
        self._meddle()
        return super().embed(texts)

    def embed_question(self, text: str) -> EmbeddedQuestion:
        self._meddle()
        return super().embed_question(text)


@pytest.fixture
def while_embedding(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], list[tuple[Any, ...]]]:
    """Lets something happen in the middle of every search; returns the models that were opened."""

    def install(meddle: Callable[[], Any]) -> list[tuple[Any, ...]]:
        opened: list[tuple[Any, ...]] = []

        def open_embedder(settings: Settings, model: str, dimensions: int, patience: float) -> SmallEmbedder:
            opened.append((model, dimensions))
            return Meddling(meddle)

        monkeypatch.setattr(query_embedders, "open_embedder", open_embedder)
        return opened

    return install


def drop_connections(harness: Harness) -> None:
    """What a restart of the server does to everybody who is connected."""
    with harness.database.connect() as own:
        own.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'arcana' AND pid <> pg_backend_pid()"
        )


def open_transactions(harness: Harness) -> int:
    ((found,),) = harness.rows(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%%'"
    )
    return int(found)


class TestADirectoryWithoutAnInstallation:
    """A wrong directory is told in a sentence to programs too, and nothing is made in it."""

    @pytest.fixture
    def nowhere(self, tmp_path: Path) -> Settings:
        return Settings(arcana_home=tmp_path / "home")

    def told(self, nowhere: Settings, use: Callable[[], Any]) -> None:
        with pytest.raises(WrongUse, match=r"There is no installation in .*ARCANA_HOME"):
            use()
        assert not nowhere.home.exists()

    def test_a_search(self, nowhere: Settings) -> None:
        with Searcher("handbook", settings=nowhere) as searcher:
            self.told(nowhere, lambda: searcher.search("battery"))
            self.told(nowhere, lambda: asyncio.run(searcher.asearch("battery")))

    def test_a_search_in_the_current_directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with Searcher("handbook") as searcher:
            self.told(Settings(), lambda: searcher.search("battery"))

    def test_a_shared_pool(self, nowhere: Settings) -> None:
        database = Database(nowhere)
        with Searcher("handbook", database=database) as searcher:
            self.told(nowhere, lambda: searcher.search("battery"))
        uses: list[Callable[[], Any]] = [lambda: database.safe_url, database.connect, lambda: upgrade(database)]
        for use in uses:
            self.told(nowhere, use)


ODD = [7, True, b"zebra", ["zebra"], {}, object(), 1.5, (), "x" * 5000, "\0", "\ud800", 10**5000]
ODD_OFFSETS = [timedelta(hours=20), timedelta(hours=-23), timedelta(microseconds=1)]


class TestOddArguments:
    """What a program passes on of what its users send."""

    @pytest.fixture
    def refusing(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Searcher]:
        """A searcher that must not come to its database."""
        with Searcher("handbook", settings=Settings()) as searcher:
            monkeypatch.setattr(searcher, "_make_ready", None)
            yield searcher

    def refused(self, searcher: Searcher, **asked: Any) -> None:
        with pytest.raises(WrongUse, match=r"(?s)^[A-Za-z].*\.$") as refused:
            searcher.search(**{"query": "zebra"} | asked)
        assert len(str(refused.value)) < 300 and str(refused.value).encode()

    @pytest.mark.parametrize("name", ["query", "k", "neighbours", "ranking", "fusion", "filters", "as_of"])
    def test_of_a_search_are_refused_in_a_sentence(self, refusing: Searcher, name: str) -> None:
        for odd in ODD:
            if not (name in ("k", "neighbours") and type(odd) is int and odd == 7):
                self.refused(refusing, **{name: odd})

    @pytest.mark.parametrize("name", ["below", "links_to", "kinds", "properties", "edited_since"])
    def test_of_filters_are_refused_in_a_sentence(self, refusing: Searcher, name: str) -> None:
        for odd in ODD:
            if not (name in ("kinds", "properties") and odd in ((), {})):
                self.refused(refusing, filters=Filters(**{name: odd}))
            if name in ("kinds", "properties"):
                self.refused(refusing, filters=Filters(**{name: [odd]}))

    @pytest.mark.parametrize("name", ["name", "operator", "value", "written"])
    def test_of_conditions_are_refused_in_a_sentence(self, refusing: Searcher, name: str) -> None:
        for odd in ODD:
            condition: Any = {"name": "Status", "operator": "=", "value": "Done", name: odd}
            self.refused(refusing, filters=Filters(properties=[PropertyCondition(**condition)]))
            with pytest.raises(WrongUse):
                PropertyCondition.parse(odd)

    def test_times_without_a_zone_or_beyond_all_years_are_refused(self, refusing: Searcher) -> None:
        hour = timedelta(hours=1)
        for when in (
            datetime(2020, 1, 1),
            datetime.min.replace(tzinfo=timezone(hour)),
            datetime.max.replace(tzinfo=timezone(-hour)),
        ):
            self.refused(refusing, as_of=when)
            self.refused(refusing, filters=Filters(edited_since=when))


def test_a_workspace_that_was_never_synced_is_no_answer_but_told(acme: Harness, settings: Settings) -> None:
    with Searcher("acme", settings=settings) as searcher:
        (note,) = searcher.search("zebra").notes
        assert "Nothing is indexed yet" in note and note.endswith("arcana sync acme")
        fill(acme)
        assert not searcher.search("zebra").notes and not searcher.search("unheard-of").notes


class TestSearching:
    def test_it_finds_what_the_workspace_has(self, searcher: Searcher) -> None:
        found = searcher.search("zebra", k=3, filters=Filters(kinds=["page"]), neighbours=1)
        assert found.hits[0].title == "Zebra" and found.hits[0].highlights and found.seconds > 0
        assert any(hit.before or hit.after for hit in found.hits)
        assert len(searcher.search("zebra", k=1).hits) == 1

    def test_a_request_finds_what_its_short_form_does_and_may_name_another_index(self, searcher: Searcher) -> None:
        request = SearchRequest("zebra", 3, neighbours=1)
        long, short = searcher.search(request), searcher.search("zebra", 3, neighbours=1)
        assert long.hits == short.hits == asyncio.run(searcher.asearch(request)).hits and long.hits
        with pytest.raises(WrongUse, match="no index 'other'"):
            searcher.search(SearchRequest("zebra", index="other"))

    @pytest.mark.parametrize("fusion", ["weighted", "rrf"])
    def test_either_fusion_finds_it_with_scores_between_0_and_1(self, searcher: Searcher, fusion: Any) -> None:
        found = searcher.search("zebra harbour", fusion=fusion)
        assert set(titles(found)[:6]) == {"Zebra", "Harbour"}
        scores = [hit.score for hit in found.hits]
        assert scores == sorted(scores, reverse=True) and all(0 <= score <= 1 for score in scores)

    @pytest.mark.parametrize("wrong", [{"k": 0}, {"neighbours": -1}, {"ranking": "best"}, {"fusion": "rff"}])
    def test_an_argument_that_cannot_be_is_refused_in_a_sentence(self, searcher: Searcher, wrong: Any) -> None:
        with pytest.raises(WrongUse, match=r"^[A-Z].*\.$"):
            searcher.search("zebra", **wrong)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"query": "a\0b"}, {"query": "half \ud800 a pair"}, {"query": "x" * 5000}, {"k": 2**63},
            {"neighbours": 2**63},
            {"filters": Filters(below="")}, {"filters": Filters(links_to=" ")}, {"filters": Filters(kinds=[""])},
            {"filters": Filters(kinds="row")}, {"filters": Filters(kinds=["rows"])},
            {"filters": Filters(properties=[PropertyCondition("", "=", "b")])},
            {"filters": Filters(below="a\0b")}, {"filters": Filters(links_to="\udfff")},
            {"filters": Filters(properties=[PropertyCondition("a\0", "=", "b")])},
            {"filters": Filters(properties=[PropertyCondition("a", "=", "\ud800")])},
        ],
        ids=ascii,
    )  # fmt: skip
    def test_what_no_database_holds_is_refused_in_a_sentence(self, searcher: Searcher, wrong: Any) -> None:
        with pytest.raises(WrongUse, match=r"^[A-Z].*\.$"):
            searcher.search(**{"query": "zebra"} | wrong)

    def test_a_time_in_any_zone_is_compared(self, searcher: Searcher) -> None:
        first = datetime.min.replace(tzinfo=UTC)
        for when in (first, *(datetime(2020, 1, 1, tzinfo=timezone(offset)) for offset in ODD_OFFSETS)):
            assert searcher.search("zebra", filters=Filters(edited_since=when)).hits

    @pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 5000, 7, None, b"acme"])
    def test_names_that_no_database_holds_are_those_of_nothing(self, settings: Settings, name: str) -> None:
        for asked in ({"workspace": name}, {"workspace": "acme", "index": name}):
            with pytest.raises(WrongUse), Searcher(**asked, settings=settings) as searcher:
                searcher.search("zebra")

    @pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "\x1bhttps://x"])
    def test_an_address_that_a_browser_must_not_be_sent_to_is_none(
        self, searcher: Searcher, animals: Harness, url: str
    ) -> None:
        animals.rows(
            "UPDATE document_content SET contents = jsonb_set(contents, '{url}', to_jsonb(%s::text)) RETURNING 1", url
        )
        found = searcher.search("zebra", k=20)
        assert found.hits and {(hit.url, hit.link) for hit in found.hits} == {(None, None)}

    def test_the_environment_says_where_everything_is(
        self, animals: Harness, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert settings.database_url is not None
        monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
        with Searcher("acme") as searcher:
            assert titles(searcher.search("quartz"))[0] == "Quartz"
        monkeypatch.setenv("DATABASE_URL", "mysql://nowhere")
        with pytest.raises(InvalidSetting, match="DATABASE_URL"):
            Searcher("acme")

    def test_searchers_may_share_a_pool_which_stays_open(self, animals: Harness, database: Database) -> None:
        with Searcher("acme", database=database) as one, Searcher("acme", database=database) as other:
            assert titles(one.search("violin")) == titles(other.search("violin"))
        with database.connection() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)

    def test_a_closed_one_says_so(self, animals: Harness, settings: Settings) -> None:
        searcher = Searcher("acme", settings=settings)
        searcher.search("zebra")
        searcher.close()
        searcher.close()
        with pytest.raises(WrongUse, match="closed"):
            searcher.search("zebra")
        with pytest.raises(WrongUse, match="closed"):
            asyncio.run(searcher.asearch("zebra"))

    def test_the_package_is_cheap_to_import(self) -> None:
        heavy = {"psycopg", "sqlalchemy", "numpy", "httpx"}
        code = f"import sys, arcana_pipelines.retrieval; print({heavy} & set(sys.modules))"
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


class TestWorkspaces:
    def test_nothing_of_another_workspace_is_found(
        self, searcher: Searcher, another: Callable[[str], Harness], settings: Settings
    ) -> None:
        beta = another("beta")
        fill(beta)
        with Searcher("beta", database=beta.database) as of_beta:
            for word in WORDS:
                assert all("of beta" in hit.text or "acme" not in hit.text for hit in of_beta.search(word, k=50).hits)
                assert all("of acme" in hit.text or "beta" not in hit.text for hit in searcher.search(word, k=50).hits)
            theirs = {hit.document_id for word in WORDS for hit in of_beta.search(word, k=50).hits}
        ours = {hit.document_id for word in WORDS for hit in searcher.search(word, k=50).hits}
        assert ours and theirs and not ours & theirs

    def test_an_unknown_workspace_or_index_has_an_error_with_a_sentence(
        self, animals: Harness, settings: Settings
    ) -> None:
        with Searcher("nobody", settings=settings) as searcher, pytest.raises(UnknownWorkspace, match="'nobody'"):
            searcher.search("zebra")
        with (
            Searcher("acme", "nothing", settings=settings) as searcher,
            pytest.raises(WrongUse, match="no index 'nothing'"),
        ):
            searcher.search("zebra")

    def test_a_removed_workspace_is_unknown_from_then_on(self, searcher: Searcher, animals: Harness) -> None:
        assert searcher.search("zebra").hits
        registration.remove(animals.database, "acme", lambda _: None)
        with pytest.raises(UnknownWorkspace):
            searcher.search("zebra")

    def test_a_database_of_another_release_is_refused(self, searcher: Searcher, animals: Harness) -> None:
        with animals.database.connection() as connection:
            connection.execute("UPDATE alembic_version SET version_num = '0001'")
        with pytest.raises(WrongUse, match="arcana db upgrade"):
            searcher.search("zebra")


class TestManyAtOnce:
    def test_twenty_threads_search_with_five_connections(
        self, animals: Harness, settings: Settings, while_embedding: Any
    ) -> None:
        opened = while_embedding(lambda: time.sleep(0.01))
        few = settings.model_copy(update={"database_pool_size": 3, "database_max_overflow": 2})
        with Searcher("acme", settings=few) as searcher, ThreadPoolExecutor(20) as threads:
            found = list(threads.map(lambda number: titles(searcher.search(WORDS[number % 5]))[0], range(60)))
        assert found == [WORDS[number % 5].title() for number in range(60)]
        assert len(opened) == 1, "the model is opened once and shared"

    def test_twenty_tasks_search_while_the_event_loop_goes_on(
        self, animals: Harness, settings: Settings, while_embedding: Any
    ) -> None:
        busy: list[int] = []
        lock = threading.Lock()

        def count() -> None:
            with lock:
                busy.append(sum(each.name.startswith("arcana-search") for each in threading.enumerate()))
            time.sleep(0.02)

        while_embedding(count)
        few = settings.model_copy(update={"database_pool_size": 2, "database_max_overflow": 2})

        async def main() -> tuple[list[str], int]:
            beats = 0

            async def beat() -> None:
                nonlocal beats
                while True:
                    await asyncio.sleep(0.005)
                    beats += 1

            beating = asyncio.create_task(beat())
            with Searcher("acme", settings=few) as searcher:
                found = await asyncio.gather(*(searcher.asearch(WORDS[number % 5], k=3) for number in range(20)))
                beating.cancel()
            return [titles(each)[0] for each in found], beats

        found, beats = asyncio.run(main())
        assert found == [WORDS[number % 5].title() for number in range(20)]
        assert beats > 3 and max(busy) <= 4, "no more threads than connections"

    def test_a_cancelled_search_leaves_its_connection_usable(
        self, animals: Harness, settings: Settings, while_embedding: Any
    ) -> None:
        begun = threading.Event()
        while_embedding(lambda: (begun.set(), time.sleep(0.05)))
        one = settings.model_copy(update={"database_pool_size": 1, "database_max_overflow": 0})

        async def main(searcher: Searcher) -> Results:
            for _ in range(5):
                task = asyncio.create_task(searcher.asearch("zebra"))
                waiting = asyncio.create_task(searcher.asearch("zebra"))
                await asyncio.to_thread(begun.wait, 10)
                task.cancel()
                waiting.cancel()
                assert await asyncio.gather(task, waiting, return_exceptions=True) != []
                assert task.cancelled() and waiting.cancelled()
                begun.clear()
            return await searcher.asearch("zebra")

        with Searcher("acme", settings=one) as searcher:
            assert titles(asyncio.run(main(searcher)))[0] == "Zebra"
            assert open_transactions(animals) == 0

    def test_without_a_free_connection_the_error_says_what_to_raise(self, animals: Harness, settings: Settings) -> None:
        database = Database(settings.model_copy(update={"database_pool_size": 1, "database_max_overflow": 0}))
        database.pool.patience = 0.05  # nobody waits half a minute here
        full = pytest.raises(DatabaseUnreachable, match="DATABASE_POOL_SIZE")
        with database.connection(), Searcher("acme", database=database) as searcher, full:
            searcher.search("zebra")
        database.close()

    def test_a_promotion_in_the_middle_is_noticed_by_nobody(self, animals: Harness, searcher: Searcher) -> None:
        done = threading.Event()

        def ask(word: str) -> int:
            asked = 0
            while not done.is_set():
                assert titles(searcher.search(word, k=3))[0] == word.title()
                asked += 1
            return asked

        with ThreadPoolExecutor(4) as threads:
            asking = [threads.submit(ask, word) for word in WORDS[:4]]
            try:
                for tokens in (64, 128):
                    promote(animals, tokens)
            finally:
                done.set()
            assert all(each.result() > 0 for each in asking)

    def test_a_promotion_between_two_statements_is_answered_from_the_new_build(
        self, animals: Harness, searcher: Searcher, while_embedding: Any
    ) -> None:
        promotions = iter([64])

        def once() -> None:
            for tokens in promotions:
                promote(animals, tokens)

        before = max(len(hit.text) for hit in animals.search("zebra"))
        while_embedding(once)
        assert max(len(hit.text) for hit in searcher.search("zebra").hits) < before

    def test_what_serves_is_asked_for_beforehand_once_and_a_promotion_is_seen_all_the_same(
        self, animals: Harness, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []

        def find(*arguments: Any) -> Any:
            asked.append("asked")
            return find_serving(*arguments)

        monkeypatch.setattr(connection_searcher, "find_serving", find)
        before = max(len(hit.text) for hit in searcher.search("zebra").hits)
        assert len(asked) == 2
        searcher.search("zebra")
        assert len(asked) == 3
        promote(animals, 64)
        assert max(len(hit.text) for hit in searcher.search("zebra").hits) < before


def promote(harness: Harness, tokens: int) -> None:
    """Let the index serve from another build, with chunks of another size."""
    with harness.database.connection() as connection:
        workspace_id = workspaces.find(connection, harness.slug).workspace_id
        lifecycle.rebuild_index(
            connection, workspace_id, "default", lambda held: replace(held, chunker=ChunkerSettings.of_target(tokens))
        )
    harness.fill()
    with harness.database.connection() as connection:
        lifecycle.promote(connection, workspace_id, "default")


class TestDroppedConnections:
    def test_the_next_search_works_after_all_connections_were_dropped(
        self, animals: Harness, searcher: Searcher
    ) -> None:
        with ThreadPoolExecutor(5) as threads:
            list(threads.map(searcher.search, WORDS))
            drop_connections(animals)
            assert [titles(each)[0] for each in threads.map(searcher.search, WORDS)] == [word.title() for word in WORDS]

    def test_a_search_whose_connection_is_dropped_is_made_once_more(
        self, animals: Harness, searcher: Searcher, while_embedding: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        drops = iter(range(1))
        while_embedding(lambda: [drop_connections(animals) for _ in drops])
        assert titles(searcher.search("meadow"))[0] == "Meadow"
        assert "searching once more" in caplog.text and "meadow" not in caplog.text.lower()

    def test_it_is_made_over_a_new_connection_since_the_kept_ones_are_about_to_be_dropped_too(
        self, animals: Harness, searcher: Searcher, while_embedding: Any
    ) -> None:
        """A server that restarts ends one session after the other: here all but one only during the second attempt."""
        kept: list[int] = []
        is_restarting = threading.Event()

        def drop_one_by_one() -> None:
            if not is_restarting.is_set():
                return
            with animals.database.connect() as own:
                if kept:
                    ended = kept
                else:
                    ours = "datname = current_database() AND application_name = 'arcana' AND pid <> pg_backend_pid()"
                    last_used_first = f"SELECT pid FROM pg_stat_activity WHERE {ours} ORDER BY state_change DESC"
                    first, *rest = (pid for (pid,) in own.execute(last_used_first))
                    ended = [first]
                    kept.extend(rest)
                own.execute("SELECT pg_terminate_backend(pid, 5000) FROM unnest(%s::int[]) AS pid", [ended])

        while_embedding(drop_one_by_one)
        with ThreadPoolExecutor(5) as threads:
            list(threads.map(searcher.search, WORDS))
        is_restarting.set()
        assert titles(searcher.search("meadow"))[0] == "Meadow"
        assert kept

    def test_a_server_that_drops_every_connection_is_unreachable(
        self, animals: Harness, searcher: Searcher, while_embedding: Any
    ) -> None:
        while_embedding(lambda: drop_connections(animals))
        with pytest.raises(DatabaseUnreachable, match="twice"):
            searcher.search("meadow")

    def test_a_server_that_is_not_there_is_unreachable_in_a_sentence(self, settings: Settings) -> None:
        nowhere = Settings(arcana_home=settings.home, database_url="postgresql://u:hunter2@127.0.0.1:1/x")
        with Searcher("acme", settings=nowhere) as searcher, pytest.raises(DatabaseUnreachable) as refused:
            searcher.search("zebra")
        assert "hunter2" not in str(refused.value)
