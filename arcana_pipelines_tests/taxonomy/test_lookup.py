"""From paths to nodes: what is found, what is asked of the database and what is not, and what a wrong path is told."""

from __future__ import annotations

import json
import pickle
import random
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from pydantic import SecretStr

from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.embedding.registry import model_of
from arcana_pipelines.errors import TaxonomyNodeNotFoundError, UnknownTaxonomyVersion, WrongUse
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.pipeline import registration
from arcana_pipelines.settings import Settings
from arcana_pipelines.taxonomy import lookup as module
from arcana_pipelines.taxonomy.labels import Path
from arcana_pipelines.taxonomy.lookup import LookupReport, TopicLookup, not_found
from arcana_pipelines.testing.postgres import DatabaseServer
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.taxonomy.planted import large_tree, plant, tree_of
from arcana_pipelines_tests.tenants import Tenant

PATHS = ["AI/RAG/Chunking", "AI/Agents", "Products/Batteries", "제품/배터리/충전", "Products/C\\/C++"]
RAG = ("AI", "RAG")


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lookup(clock: Clock) -> TopicLookup:
    return TopicLookup(clock)


@pytest.fixture
def connection(acme: Harness) -> Iterator[Connection]:
    with acme.database.connection() as connection:
        yield connection


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many paths each statement asked for."""
    sizes: list[int] = []
    ask = module._ask

    def counted(connection: Connection, release: Any, paths: Sequence[Path]) -> Any:
        sizes.append(len(list(paths)))
        return ask(connection, release, paths)

    monkeypatch.setattr(module, "_ask", counted)
    return sizes


class TestWhatIsFound:
    def test_paths_that_are_there_and_not_those_that_are_not(
        self, lookup: TopicLookup, connection: Connection, workspace_id: UUID
    ) -> None:
        nodes = plant(connection, workspace_id, "1.0.0", tree_of(PATHS))
        asked: list[Path] = [
            ("AI",),
            RAG,
            ("제품", "배터리"),
            ("Products", "C/C++"),
            ("RAG",),
            ("AI", "rag"),
            ("C", "C++"),
        ]
        found = lookup.find(connection, workspace_id, asked)
        assert found == {path: nodes[path] for path in asked[:4]}

    def test_a_path_in_the_version_that_is_asked_for(
        self, lookup: TopicLookup, connection: Connection, workspace_id: UUID
    ) -> None:
        old = plant(connection, workspace_id, "1.0.0", tree_of(["AI/RAG"]))
        new = plant(connection, workspace_id, "2.0.0", tree_of(["AI/RAG"]))
        assert old[RAG] != new[RAG]
        for _ in range(2):
            assert lookup.one(connection, workspace_id, RAG) == new[RAG]
            assert lookup.one(connection, workspace_id, RAG, "1.0.0") == old[RAG]
        assert lookup.report().misses == 2, "the same path in another version is another question"

    def test_a_path_of_another_workspace_is_nowhere(
        self, lookup: TopicLookup, connection: Connection, workspace_id: UUID, another: Callable[[str], Harness]
    ) -> None:
        another("globex")
        globex = workspaces.find(connection, "globex").workspace_id
        plant(connection, workspace_id, "1.0.0", tree_of(["AI/RAG"]))
        plant(connection, globex, "1.0.0", tree_of(["Law"]))
        assert lookup.find(connection, workspace_id, [RAG])
        assert lookup.find(connection, globex, [RAG]) == {}

    def test_nothing_asked_is_nothing_found(
        self, lookup: TopicLookup, connection: Connection, workspace_id: UUID, statements: list[int]
    ) -> None:
        plant(connection, workspace_id, "1.0.0", tree_of(["AI"]))
        assert lookup.find(connection, workspace_id, []) == {}
        assert statements == []

    def test_no_active_version_is_an_error_of_its_own_that_says_what_to_do(
        self, lookup: TopicLookup, connection: Connection, workspace_id: UUID
    ) -> None:
        with pytest.raises(UnknownTaxonomyVersion, match="'acme' has no active taxonomy: `arcana taxonomy import acme"):
            lookup.find(connection, workspace_id, [RAG])
        plant(connection, workspace_id, "1.0.0", tree_of(["AI"]), state="draft")
        with pytest.raises(UnknownTaxonomyVersion, match="no active"):
            lookup.one(connection, workspace_id, ("AI",))

    def test_a_version_that_is_not_there_is_never_a_node_that_is_not(
        self, lookup: TopicLookup, connection: Connection, workspace_id: UUID
    ) -> None:
        plant(connection, workspace_id, "1.0.0", tree_of(["AI"]))
        with pytest.raises(UnknownTaxonomyVersion, match=r"no version '9\.9'.*arcana taxonomy status acme"):
            lookup.one(connection, workspace_id, ("AI",), "9.9")

    def test_a_removed_workspace_has_no_taxonomy_and_no_memory(
        self, acme: Harness, lookup: TopicLookup, workspace_id: UUID
    ) -> None:
        with acme.database.connection() as connection:
            plant(connection, workspace_id, "1.0.0", tree_of(["AI/RAG"]))
            lookup.one(connection, workspace_id, RAG)
        registration.remove(acme.database, "acme", lambda slug: None)
        with acme.database.connection() as connection:
            with pytest.raises(UnknownTaxonomyVersion, match=str(workspace_id)):
                lookup.one(connection, workspace_id, RAG)
            with pytest.raises(UnknownTaxonomyVersion, match=str(workspace_id)):
                lookup.one(connection, workspace_id, RAG, "1.0.0")


class TestMemory:
    def test_what_was_found_is_not_asked_again(
        self, lookup: TopicLookup, connection: Connection, workspace_id: UUID, statements: list[int]
    ) -> None:
        plant(connection, workspace_id, "1.0.0", tree_of(PATHS))
        lookup.find(connection, workspace_id, [RAG, ("AI",), RAG])
        lookup.find(connection, workspace_id, [RAG, ("Products",)])
        assert statements == [2, 1]
        assert lookup.report() == LookupReport(asked=5, distinct=4, hits=2, misses=3, size=3)
        assert lookup.report().hit_rate == 0.4

    def test_where_nothing_was_asked_there_is_no_rate(self, lookup: TopicLookup) -> None:
        assert lookup.report() == LookupReport()
        assert lookup.report().hit_rate is None

    def test_a_report_of_what_came_after_another(
        self, lookup: TopicLookup, connection: Connection, workspace_id: UUID
    ) -> None:
        plant(connection, workspace_id, "1.0.0", tree_of(PATHS))
        lookup.find(connection, workspace_id, [RAG])
        before = lookup.report()
        lookup.find(connection, workspace_id, [RAG, ("Nowhere",)])
        assert lookup.report().since(before) == LookupReport(asked=2, distinct=2, hits=1, misses=1, missing=1, size=1)

    def test_the_one_more_than_fits_takes_the_place_of_that_asked_for_longest_ago(
        self, clock: Clock, connection: Connection, workspace_id: UUID
    ) -> None:
        plant(connection, workspace_id, "1.0.0", tree_of([f"T{number}" for number in range(1001)]))
        lookup = TopicLookup(clock)
        for first in range(0, 1000, 500):
            lookup.find(connection, workspace_id, [(f"T{number}",) for number in range(first, first + 500)])
        lookup.one(connection, workspace_id, ("T0",))
        lookup.one(connection, workspace_id, ("T1000",))
        assert (lookup.report().size, lookup.report().evicted) == (1000, 1)
        before = lookup.report()
        lookup.one(connection, workspace_id, ("T0",))
        lookup.one(connection, workspace_id, ("T1",))
        assert (lookup.report().since(before).hits, lookup.report().since(before).misses) == (1, 1)

    def test_after_an_hour_it_is_asked_again(
        self, lookup: TopicLookup, clock: Clock, connection: Connection, workspace_id: UUID, statements: list[int]
    ) -> None:
        plant(connection, workspace_id, "1.0.0", tree_of(PATHS))
        lookup.one(connection, workspace_id, RAG)
        clock.now = 3599.0
        lookup.one(connection, workspace_id, RAG)
        clock.now = 3600.0
        lookup.one(connection, workspace_id, RAG)
        assert statements == [1, 1]
        assert lookup.report().expired == 1

    def test_that_a_path_is_nowhere_is_remembered_for_a_minute(
        self, lookup: TopicLookup, clock: Clock, connection: Connection, workspace_id: UUID, statements: list[int],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        plant(connection, workspace_id, "1.0.0", tree_of(PATHS))
        looked: list[Path] = []
        near = module.near
        monkeypatch.setattr(module, "near", lambda *asked: looked.append(asked[3]) or near(*asked))
        for seconds in (0.0, 59.0, 60.0):
            clock.now = seconds
            with pytest.raises(TaxonomyNodeNotFoundError, match="did you mean 'AI/RAG'"):
                lookup.one(connection, workspace_id, ("AI", "RGA"))
        assert statements.count(1) == 2 and len(looked) == 2, "the second was answered from memory"

    def test_a_draft_is_asked_each_time_for_it_is_another_one_tomorrow(
        self, lookup: TopicLookup, connection: Connection, workspace_id: UUID
    ) -> None:
        first = plant(connection, workspace_id, "2.0.0", tree_of(["AI/RAG"]), state="draft")
        assert lookup.one(connection, workspace_id, RAG, "2.0.0") == first[RAG]
        connection.execute("DELETE FROM taxonomy_version WHERE version = '2.0.0'")
        second = plant(connection, workspace_id, "2.0.0", tree_of(["AI/RAG"]), state="draft")
        assert lookup.one(connection, workspace_id, RAG, "2.0.0") == second[RAG] != first[RAG]
        assert (lookup.report().hits, lookup.report().size) == (0, 0)
        with pytest.raises(TaxonomyNodeNotFoundError):
            lookup.one(connection, workspace_id, ("RAG",), "2.0.0")

    def test_what_a_release_that_never_came_about_was_asked_answers_nobody(
        self, lookup: TopicLookup, acme: Harness, workspace_id: UUID
    ) -> None:
        with acme.database.connection() as connection:
            undone = tree_of(["AI/RAG"])
            with connection.transaction() as transaction:
                plant(connection, workspace_id, "1.0.0", undone)
                assert lookup.one(connection, workspace_id, RAG) == next(n.node_id for n in undone if n.path == RAG)
                raise psycopg.Rollback(transaction)
            nodes = plant(connection, workspace_id, "1.0.0", tree_of(["AI/RAG"]))
            assert lookup.one(connection, workspace_id, RAG) == nodes[RAG]

    def test_a_release_of_another_process_is_seen_by_the_next_question(
        self, lookup: TopicLookup, connection: Connection, workspace_id: UUID, acme: Harness
    ) -> None:
        plant(connection, workspace_id, "1.0.0", tree_of(["AI/RAG"]))
        lookup.one(connection, workspace_id, RAG)
        with acme.database.own_connection() as other:
            new = plant(other, workspace_id, "2.0.0", tree_of(["AI/RAG"]))
        assert lookup.one(connection, workspace_id, RAG) == new[RAG]

    def test_5000_documents_over_500_paths_ask_each_path_once(
        self, lookup: TopicLookup, connection: Connection, workspace_id: UUID, statements: list[int]
    ) -> None:
        plant(connection, workspace_id, "1.0.0", tree_of([f"A{n % 7}/B{n}" for n in range(500)]))
        paths: list[Path] = [(f"A{n % 500 % 7}", f"B{n % 500}") for n in range(5000)]
        random.Random(3).shuffle(paths)
        for first in range(0, 5000, 200):
            assert len(lookup.find(connection, workspace_id, paths[first : first + 200])) > 100
        report = lookup.report()
        assert (report.asked, report.misses, report.hit_rate) == (5000, 500, 0.9)
        assert len(statements) <= 25 and sum(statements) == 500

    def test_many_paths_are_asked_a_thousand_a_statement(
        self, lookup: TopicLookup, connection: Connection, workspace_id: UUID, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plant(connection, workspace_id, "1.0.0", tree_of([f"T{number}" for number in range(2500)]))
        asked: list[str] = []
        load_sql = module.load_sql
        monkeypatch.setattr(module, "load_sql", lambda name: asked.append(name) or load_sql(name))
        found = lookup.find(connection, workspace_id, [(f"T{number}",) for number in range(2500)])
        assert len(found) == 2500
        assert asked.count("lookup") == 3


class TestThreads:
    @pytest.fixture
    def held(self, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
        """What is asked of the database is answered when this is set."""
        gate = threading.Event()
        ask = module._ask

        def slow(*asked: Any) -> Any:
            assert gate.wait(30)
            return ask(*asked)

        monkeypatch.setattr(module, "_ask", slow)
        return gate

    def test_a_hundred_ask_for_one_path_and_the_database_is_asked_once(
        self, acme: Harness, workspace_id: UUID, lookup: TopicLookup, statements: list[int],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        with acme.database.connection() as connection:
            nodes = plant(connection, workspace_id, "1.0.0", tree_of(PATHS))
            release = module._release(connection, workspace_id, None)
            waiting = threading.Barrier(100)

            def together(*_: Any) -> Any:
                waiting.wait(30)
                return release

            monkeypatch.setattr(module, "_release", together)
            # A hundred threads, and one connection: only one of them uses it.
            with ThreadPoolExecutor(100) as threads:
                asked = [threads.submit(lookup.one, connection, workspace_id, RAG) for _ in range(100)]
                assert {each.result(30) for each in asked} == {nodes[RAG]}
        assert statements == [1]
        assert (lookup.report().hits, lookup.report().misses) == (99, 1)

    def test_whoever_waits_for_one_that_fails_asks_by_itself(
        self, acme: Harness, workspace_id: UUID, lookup: TopicLookup, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ask = module._ask
        is_asked, may_fail = threading.Event(), threading.Event()

        def fails_first(*asked: Any) -> Any:
            if not is_asked.is_set():
                is_asked.set()
                assert may_fail.wait(30)
                raise psycopg.OperationalError("the connection is lost")
            return ask(*asked)

        monkeypatch.setattr(module, "_ask", fails_first)
        with acme.database.connection() as connection, acme.database.own_connection() as other:
            nodes = plant(connection, workspace_id, "1.0.0", tree_of(PATHS))
            with ThreadPoolExecutor(2) as threads:
                first = threads.submit(lookup.one, connection, workspace_id, RAG)
                assert is_asked.wait(30)
                second = threads.submit(lookup.one, other, workspace_id, RAG)
                may_fail.set()
                with pytest.raises(psycopg.OperationalError):
                    first.result(30)
                assert second.result(30) == nodes[RAG]
            assert lookup.one(connection, workspace_id, RAG) == nodes[RAG]
        assert not lookup._under_way

    def test_nobody_waits_for_ever_for_one_that_hangs(
        self, acme: Harness, workspace_id: UUID, lookup: TopicLookup, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.0)
        ask = module._ask
        is_asked, may_go_on = threading.Event(), threading.Event()

        def hangs_first(*asked: Any) -> Any:
            if not is_asked.is_set():
                is_asked.set()
                assert may_go_on.wait(30)
            return ask(*asked)

        monkeypatch.setattr(module, "_ask", hangs_first)
        with acme.database.connection() as connection, acme.database.own_connection() as other:
            nodes = plant(connection, workspace_id, "1.0.0", tree_of(PATHS))
            with ThreadPoolExecutor(1) as threads:
                first = threads.submit(lookup.one, connection, workspace_id, RAG)
                assert is_asked.wait(30)
                assert lookup.one(other, workspace_id, RAG) == nodes[RAG]
                may_go_on.set()
                assert first.result(30) == nodes[RAG]
        assert lookup.report().misses == 2


class TestTheError:
    @pytest.fixture
    def planted(self, connection: Connection, workspace_id: UUID) -> None:
        plant(connection, workspace_id, "1.0.0", tree_of(["Old/Way"]))
        nodes = tree_of([*PATHS, "Law/Contracts/Batteries", "Law/Contracts/Leases", "Products/Solar", "고객/환불"])
        named = {
            ("AI", "RAG"): {"synonyms": ("Retrieval augmented generation",)},
            ("AI", "Agents"): {"labels": {"ko": "에이전트"}},
        }
        plant(connection, workspace_id, "2.0.0", [replace(node, **named.get(node.path, {})) for node in nodes])

    def _error(self, connection: Connection, workspace_id: UUID, path: Path) -> TaxonomyNodeNotFoundError:
        return not_found(connection, workspace_id, "2.0.0", path)

    @pytest.mark.usefixtures("planted")
    def test_is_one_sentence_with_the_path_the_version_the_workspace_and_the_next_step(
        self, connection: Connection, workspace_id: UUID, lookup: TopicLookup, caplog: pytest.LogCaptureFixture
    ) -> None:
        with pytest.raises(TaxonomyNodeNotFoundError) as raised:
            lookup.one(connection, workspace_id, ("Products", "Battries"))
        error = raised.value
        assert str(error) == (
            "There is no topic 'Products/Battries' in version 2.0.0 of the taxonomy of 'acme' "
            "(did you mean 'Products/Batteries' or 'Law/Contracts/Batteries'?): there are 'Products/Batteries', "
            "'Products/C\\/C++', 'Products/Solar', 'AI', 'Products', …, and `arcana taxonomy show acme` lists all."
        )
        assert (error.path, error.version) == (("Products", "Battries"), "2.0.0")
        assert error.similar == (("Products", "Batteries"), ("Law", "Contracts", "Batteries"))
        assert len(error.available) == 5
        assert "Products/Battries" in caplog.text
        assert isinstance(error, WrongUse)

    @pytest.mark.usefixtures("planted")
    def test_survives_the_way_to_another_process(self, connection: Connection, workspace_id: UUID) -> None:
        error = self._error(connection, workspace_id, ("Products", "Battries"))
        other = pickle.loads(pickle.dumps(error))
        assert (str(other), other.path, other.available, other.similar) == (
            str(error), error.path, error.available, error.similar,
        )  # fmt: skip

    @pytest.mark.usefixtures("planted")
    @pytest.mark.parametrize(
        ("asked", "meant"),
        [
            (("ai", "rag"), ("AI", "RAG")),
            (("ＡＩ", "ＲＡＧ"), ("AI", "RAG")),
            (("제품", "베터리"), ("제품", "배터리")),
            (("재품", "배터리", "충젼"), ("제품", "배터리", "충전")),
            (("Prodcts", "Solr"), ("Products", "Solar")),
            (("Batteries",), ("Products", "Batteries")),
            (("Products", "Leases"), ("Law", "Contracts", "Leases")),
            (("AI", "Retrieval Augmented Generation"), ("AI", "RAG")),
            (("AI", "에이젼트"), ("AI", "Agents")),
            (("Products", "Solar", "Panels"), None),
            (("Prodcts", "Hydrogen"), ("Products",)),
            (("🚀",), None),
        ],
        ids=lambda path: "/".join(path or ("nothing",)),
    )  # fmt: skip
    def test_says_what_was_meant(
        self, asked: Path, meant: Path | None, connection: Connection, workspace_id: UUID
    ) -> None:
        similar = self._error(connection, workspace_id, asked).similar
        assert (similar[0] if similar else None) == meant

    @pytest.mark.usefixtures("planted")
    def test_prefers_the_branch_that_was_asked(self, connection: Connection, workspace_id: UUID) -> None:
        similar = self._error(connection, workspace_id, ("Law", "Contract", "Batteries")).similar
        assert similar[:2] == (("Law", "Contracts", "Batteries"), ("Products", "Batteries"))

    @pytest.mark.usefixtures("planted")
    def test_shows_what_is_below_the_part_that_is_there_and_fills_up_from_the_top(
        self, connection: Connection, workspace_id: UUID
    ) -> None:
        available = self._error(connection, workspace_id, ("Law", "Contracts", "Rents")).available
        assert available == (
            ("Law", "Contracts", "Batteries"), ("Law", "Contracts", "Leases"), ("AI",), ("Products",), ("제품",),
        )  # fmt: skip

    def test_fills_up_with_what_is_below_the_top_where_the_top_is_narrow(
        self, connection: Connection, workspace_id: UUID
    ) -> None:
        plant(connection, workspace_id, "2.0.0", tree_of(["All/A/One", "All/B"]))
        available = self._error(connection, workspace_id, ("Nowhere",)).available
        assert available == (("All",), ("All", "A"), ("All", "B"), ("All", "A", "One"))

    def test_of_a_version_without_nodes_names_none(self, connection: Connection, workspace_id: UUID) -> None:
        plant(connection, workspace_id, "2.0.0", [])
        error = self._error(connection, workspace_id, ("AI",))
        assert (error.available, error.similar) == ((), ())
        assert str(error).endswith("'acme': `arcana taxonomy show acme` lists all.")

    @pytest.mark.usefixtures("planted")
    @pytest.mark.parametrize(
        "hostile", ["'; DROP TABLE x; --", "%s %(a)s {x}", "\x00NUL", "\ud800", "\u202etxt", "a" * 5000]
    )
    def test_is_told_of_any_text(self, hostile: str, connection: Connection, workspace_id: UUID) -> None:
        assert self._error(connection, workspace_id, (hostile,)).path == (hostile,)


@dataclass
class Large:
    """31,531 nodes in each of three versions."""

    database: Database
    served: Database
    workspace_id: UUID
    company: UUID

    def plans(self, name: str, parameters: dict[str, Any]) -> Iterator[str]:
        """How a statement is executed, for the operator and for the company."""
        statement = "EXPLAIN (ANALYZE, BUFFERS) " + module.load_sql(name)
        given = {"workspace_id": self.workspace_id, "version": "2.0.0", **parameters}
        for opened in (self.database.connection(), self.served.connection(company=self.company)):
            with opened as connection:
                yield "\n".join(row for (row,) in connection.execute(statement, given))


@pytest.fixture(scope="module")
def large(arcana_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Large]:
    with arcana_server.database() as url:
        settings = Settings(
            arcana_home=tmp_path_factory.mktemp("home"), database_url=SecretStr(url), embedding_provider="local-small"
        )  # type: ignore[call-arg]
        as_server = settings.model_copy(update={"database_url": SecretStr(_of_server(url))})
        with closing(Database(settings)) as database, closing(Database(as_server, serves=True)) as served:
            index = IndexSettings.of_model(*model_of(settings))
            registration.register(database, "acme", "notion", index, lambda _: None, lambda _: None, company="Acme")
            with database.connection() as connection:
                workspace = workspaces.find(connection, "acme")
                nodes = large_tree()
                for version in ("1.0.0", "2.0.0", "3.0.0"):
                    plant(connection, workspace.workspace_id, version, nodes)
                connection.execute("ANALYZE taxonomy_nodes")
            yield Large(database, served, workspace.workspace_id, workspace.company_id)


def _of_server(url: str) -> str:
    return url.replace(f"{lease.WRITER}@", f"{lease.SERVER}@")


@pytest.mark.slow  # making 95,000 nodes takes some seconds
class TestIndexes:
    """Which indexes PostgreSQL takes by its own choice, at the size that users have."""

    @pytest.mark.parametrize("path", ["R 0", "R 0/A 7", "R 0/A 7/B 12", "R 0/A 7/B 12/C 33"])
    def test_a_path_on_any_level_is_one_probe_of_the_keys_index(self, large: Large, path: str) -> None:
        for plan in large.plans("lookup", {"paths": json.dumps([path.split("/")])}):
            assert "Index Scan using taxonomy_nodes_workspace_id_version_path_key_key on taxonomy_nodes" in plan
            (condition,) = [each for each in re.findall(r"Index Cond: (.*)", plan) if "path_key" in each]
            assert "workspace_id" in condition and "version" in condition
            assert "Seq Scan on taxonomy_nodes" not in plan and "Rows Removed by Index Recheck" not in plan
            assert int(re.findall(r"Buffers: shared hit=(\d+)", plan)[0]) < 20

    def test_labels_are_searched_by_their_index(self, large: Large) -> None:
        with large.database.connection() as connection:
            body = connection.execute("SELECT prosrc FROM pg_proc WHERE proname = 'taxonomy_labelled'").fetchone()
            assert body is not None
            query = re.search(r"RETURN QUERY(.*?);", body[0], re.DOTALL)
            assert query is not None
            asked = (
                query[1].replace("asked_workspace", f"'{large.workspace_id}'").replace("asked_version", "'2.0.0'")
                .replace("asked_labels", "ARRAY['A 7', 'B 12', 'C 33']")
            )  # fmt: skip
            plan = "\n".join(row for (row,) in connection.execute(f"EXPLAIN (ANALYZE) {asked}"))  # type: ignore[call-overload]
        assert "Bitmap Index Scan on idx_taxonomy_nodes_canonical_path" in plan
        assert "Seq Scan" not in plan
        statement = "SELECT * FROM taxonomy_labelled(%s, %s, %s)"
        for opened in (large.database.connection(), large.served.connection(company=large.company)):
            with opened as connection:
                found = connection.execute(statement, [large.workspace_id, "2.0.0", ["C 33", "B 12", "A 7"]]).fetchall()
                assert len(found) == 1

    def test_5000_documents_over_500_paths_of_all_levels(self, large: Large) -> None:
        nodes = random.Random(5).sample(large_tree(), 500)
        asked = [random.Random(7).choice(nodes).path for _ in range(5000)]
        lookup = TopicLookup()
        for first in range(0, 5000, 200):
            with large.served.connection(company=large.company) as connection:
                part = asked[first : first + 200]
                assert set(lookup.find(connection, large.workspace_id, part)) == set(part)
        rate = lookup.report().hit_rate
        assert rate is not None and rate > 0.8


class TestCompanies:
    def test_a_company_finds_its_own_and_what_another_asked_before_is_no_answer(
        self, ours: Tenant, theirs: Tenant, served: Database, lookup: TopicLookup
    ) -> None:
        with theirs.harness.database.connection() as connection:
            nodes = plant(connection, theirs.workspace_id, "7.0.0", tree_of(["AI/RAG"]))
            lookup.one(connection, theirs.workspace_id, RAG)
        with served.connection(company=theirs.company) as connection:
            assert lookup.one(connection, theirs.workspace_id, RAG) == nodes[RAG]
            with pytest.raises(TaxonomyNodeNotFoundError, match=r"of 'theirs' \(did you mean 'AI/RAG'"):
                lookup.one(connection, theirs.workspace_id, ("AI", "RGA"))
        with served.connection(company=ours.company) as connection:
            for version in (None, "7.0.0"):
                with pytest.raises(UnknownTaxonomyVersion) as refused:
                    lookup.one(connection, theirs.workspace_id, RAG, version)
                assert "theirs" not in str(refused.value), "it is told as what is not there"
                nobody_s = uuid4()
                with pytest.raises(UnknownTaxonomyVersion) as nowhere:
                    lookup.one(connection, nobody_s, RAG, version)
                assert str(refused.value) == str(nowhere.value).replace(str(nobody_s), str(theirs.workspace_id))
