"""Before an upgrade it is told what it will do; while it goes on searches are answered; it can be taken back."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from arcana_pipelines import installation_secrets
from arcana_pipelines.cli.main import cli
from arcana_pipelines.db import schema, upgrade_plan
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.query import scalar
from arcana_pipelines.errors import DatabaseBusy, WrongUse
from arcana_pipelines.retrieval.searcher import Searcher
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld
from arcana_pipelines.workspaces import lease
from arcana_pipelines_tests.db import rows_of_releases
from arcana_pipelines_tests.db.rows_of_releases import World
from arcana_pipelines_tests.harness import Harness

BEFORE = "0042"


@pytest.fixture
def acme(empty_database: Database, world: NotionWorld, server: NotionServer) -> Harness:
    """The workspace that the rows are of."""
    return Harness(empty_database, world, server, "acme")


@pytest.fixture
def old(acme: Harness) -> Harness:
    """An installation of a release before this one, with rows."""
    return _installed(acme, BEFORE)


def _installed(acme: Harness, revision: str) -> Harness:
    """Make `acme`'s database one of the release that ended with this revision, with rows."""
    schema.upgrade(acme.database, revision)
    with acme.database.connection() as connection, connection.transaction():
        rows_of_releases.insert(connection, rows_of_releases.rows(World(acme.world)))
    return acme


@contextmanager
def _searching(search: Callable[[], object], threads: int = 3) -> Iterator[Counter[str]]:
    """Search all the time; yields how often what came of it: 'answered', or what the error said."""
    outcomes: Counter[str] = Counter()
    is_over = threading.Event()
    first = threading.Barrier(threads + 1)

    def work() -> None:
        search()
        first.wait()
        while not is_over.is_set():
            try:
                search()
                outcomes["answered"] += 1
            except psycopg.Error as error:
                outcomes[f"{type(error).__name__}: {error}"] += 1

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    first.wait()
    try:
        yield outcomes
    finally:
        is_over.set()
        for worker in workers:
            worker.join()


@contextmanager
def _reading(database: Database) -> Iterator[Callable[[], object]]:
    """What a search of every release reads, within a search's limits: the tables that migrations change.

    The searches of older releases are not here to be asked; `benchmarks/upgrades.py` asks them.
    """
    reader = Database(database.settings, only_searches=True)
    with database.connection() as connection:
        has_properties = scalar(connection, "SELECT to_regclass('document_property') IS NOT NULL")

    def read() -> object:
        with reader.connection() as connection, connection.transaction():
            connection.execute("SELECT count(*) FROM workspace JOIN rag_indexes USING (workspace_id)").fetchone()
            return connection.execute(
                "SELECT p.title, k.chunk_content FROM document_chunk k JOIN document_content USING "
                "(document_content_id) JOIN document d USING (document_id) JOIN source_page p USING (document_id)"
                + (" LEFT JOIN document_property x USING (document_id)" if has_properties else "")
            ).fetchall()

    yield read
    reader.close()


class TestSearchesGoOn:
    @pytest.mark.parametrize(
        "before",
        [
            *(pytest.param(each, marks=pytest.mark.long) for each in schema.revisions()[:-4]),
            *schema.revisions()[-4:-1],
        ],
    )
    def test_no_search_fails_while_tables_of_any_release_become_those_of_this_one(
        self, before: str, acme: Harness
    ) -> None:
        old = _installed(acme, before)
        with _reading(old.database) as read, _searching(read) as outcomes:
            schema.upgrade(old.database)
        assert set(outcomes) == {"answered"}
        assert [hit.title for hit in old.search("How many days of vacation?", k=1)] == ["Vacation policy"]

    def test_no_search_fails_while_they_change_back_and_forth(self, old: Harness) -> None:
        schema.upgrade(old.database)
        with _reading(old.database) as read, _searching(read) as outcomes:
            schema.downgrade(old.database, BEFORE)
            schema.upgrade(old.database)
        assert set(outcomes) == {"answered"}

    def test_searches_of_this_release_go_on_over_its_last_migration(self, old: Harness) -> None:
        schema.upgrade(old.database, schema.revisions()[-2])
        with _searching(lambda: old.search("How many days of vacation?", k=1)) as outcomes:
            schema.upgrade(old.database)
        assert set(outcomes) == {"answered"}

    def test_one_who_holds_a_table_keeps_the_migration_waiting_and_no_search(
        self, old: Harness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(schema, "PAUSE_SECONDS", 0.01)
        has_waited = threading.Event()
        monkeypatch.setattr(schema.log, "warning", lambda *said: has_waited.set())
        upgrading = threading.Thread(target=schema.upgrade, args=[old.database])
        with (
            _reading(old.database) as read,
            old.database.own_connection() as other,
            other.transaction(),
        ):
            other.execute("SELECT FROM document")
            upgrading.start()
            assert has_waited.wait(60)
            assert read()
            assert schema.current_revision(old.database) == BEFORE
        upgrading.join()
        assert schema.current_revision(old.database) == schema.newest_revision()

    def test_rules_for_rows_wait_as_migrations_do(self, old: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
        database = old.database
        schema.upgrade(database)
        policies = "SELECT count(*) FROM pg_policy WHERE polname = 'of_company'"
        monkeypatch.setattr(schema, "PAUSE_SECONDS", 0.01)
        has_waited = threading.Event()
        monkeypatch.setattr(schema.log, "warning", lambda *said: has_waited.set())
        with database.connection() as connection:
            before = scalar(connection, policies)
            connection.execute("DROP POLICY of_company ON document")
        granting = threading.Thread(target=schema.grant_reads, args=[database])
        with database.own_connection() as other, other.transaction():
            other.execute("SELECT FROM document")
            granting.start()
            assert has_waited.wait(60)
            assert old.search("How many days of vacation?", k=1)
        granting.join()
        with database.connection() as connection:
            assert scalar(connection, policies) == before > 1

    def test_a_table_that_is_never_free_ends_it_in_a_sentence(
        self, old: Harness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(schema, "PATIENCE_SECONDS", 0.0)
        with old.database.own_connection() as other, other.transaction():
            other.execute("SELECT FROM source_page")
            with pytest.raises(DatabaseBusy, match="Nothing was changed"):
                schema.upgrade(old.database)
        assert schema.current_revision(old.database) == BEFORE

    def test_a_statement_that_takes_too_long_ends_it_in_a_sentence(self, old: Harness) -> None:
        with pytest.raises(DatabaseBusy, match="took more than 1e-05 seconds"):
            schema.upgrade(old.database, statement_seconds=0.00001)
        assert schema.current_revision(old.database) == BEFORE


class TestWhatIsToldBefore:
    @pytest.mark.parametrize("direction", ["up", "down"])
    @pytest.mark.parametrize("revision", schema.revisions()[-3:])
    def test_the_tables_that_searches_wait_for_are_those_that_postgresql_locks(
        self, revision: str, direction: str, acme: Harness
    ) -> None:
        before = schema.revisions()[schema.revisions().index(revision) - 1]
        schema.upgrade(acme.database, before if direction == "up" else revision)
        there = (
            "SELECT c.oid, c.relname::text FROM pg_class c "
            "WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')"
        )
        locked = (
            "SELECT DISTINCT relation FROM pg_locks WHERE pid = pg_backend_pid() AND granted "
            "AND mode = 'AccessExclusiveLock' AND relation IS NOT NULL"
        )
        with acme.database.own_connection() as connection:
            (step,) = (
                upgrade_plan.steps_up(connection, before, revision)
                if direction == "up"
                else upgrade_plan.steps_down(connection, revision, before)
            )
            names = dict(connection.execute(there).fetchall())
            with connection.transaction(force_rollback=True):
                for statement in step.statements:
                    connection.execute(statement)  # type: ignore[call-overload]
                found = {names[oid] for (oid,) in connection.execute(locked) if oid in names}
        assert not step.asks_first
        assert found == set(step.stops_searches)

    def test_nothing_is_changed_by_asking(self, old: Harness) -> None:
        with old.database.connection() as connection:
            steps = upgrade_plan.steps_up(connection, BEFORE, schema.newest_revision())
            assert [step.revision for step in steps] == [each for each in schema.revisions() if each > BEFORE]
            assert "document" in steps[0].stops_searches and "Support tickets" in steps[0].description
            assert upgrade_plan.sizes_of(connection, steps)["source_page"] > 0
            assert upgrade_plan.dump_is_at_most(connection) > 0
        assert schema.current_revision(old.database) == BEFORE

    def test_what_a_downgrade_would_lose_is_counted(self, old: Harness) -> None:
        schema.upgrade(old.database)
        with old.database.connection() as connection:
            with connection.transaction():
                connection.execute("UPDATE document SET is_internal = true WHERE deleted_at IS NOT NULL")
                connection.execute("UPDATE source_page SET kind = 'ticket' WHERE title = 'Vacation policy'")
            lost = upgrade_plan.losses(
                connection, upgrade_plan.steps_down(connection, schema.newest_revision(), BEFORE)
            )
        told = {loss.what: loss.rows for loss in lost if "document" in loss.what}
        assert told == {"rows of document": 1, "document.is_internal": 1}, lost
        assert not any(loss.is_at_most for loss in lost)


class TestOtherReleases:
    def test_a_schema_of_a_newer_release_is_named_and_left_alone(self, database: Database) -> None:
        with database.connection() as connection, connection.transaction():
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        for use in (schema.require_current, schema.upgrade, lambda database: schema.downgrade(database, BEFORE)):
            with pytest.raises(WrongUse, match=r"schema 9999, of a newer release .* --to " + schema.newest_revision()):
                use(database)
        assert schema.current_revision(database) == "9999"

    def test_a_schema_of_an_older_release_is_named_with_what_to_run(self, old: Harness) -> None:
        with pytest.raises(WrongUse, match=f"schema {BEFORE}; this release needs .* `arcana db upgrade`"):
            schema.require_current(old.database)

    def test_a_server_that_searches_goes_on_when_the_schema_becomes_a_newer_one_and_none_begins(
        self, old: Harness
    ) -> None:
        schema.upgrade(old.database)
        with (
            Searcher("acme", settings=old.database.settings) as before,
            Searcher("acme", settings=old.database.settings) as after,
        ):
            assert before.search("vacation")
            with old.database.connection() as connection, connection.transaction():
                connection.execute("UPDATE alembic_version SET version_num = '9999'")
            assert before.search("vacation days")
            with pytest.raises(WrongUse, match="of a newer release"):
                after.search("vacation")


class TestCommands:
    @pytest.fixture
    def arcana(self, old: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, object]]:
        """What a command prints as JSON, with its exit code."""
        monkeypatch.setenv("ARCANA_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("DATABASE_URL", old.database.url)

        def run(*arguments: str) -> dict[str, object]:
            done = CliRunner().invoke(cli, ["db", *arguments, "--json"])
            if isinstance(done.exception, WrongUse):
                return {"error": str(done.exception)}
            return {"exit": done.exit_code, **json.loads(done.stdout)}

        return run

    def test_status_and_dry_run_tell_what_is_pending_and_change_nothing(
        self, old: Harness, arcana: Callable[..., dict[str, object]]
    ) -> None:
        told = arcana("status")
        assert (told["exit"], told["state"], told["database"], told["release"]) == (
            3, "older", BEFORE, schema.newest_revision(),
        )  # fmt: skip
        dry = arcana("upgrade", "--dry-run", "--sql")
        assert dry["exit"] == 0
        pending = dry["pending"]
        assert isinstance(pending, list) and any("CREATE TABLE tickets" in each for each in pending[0]["statements"])
        assert schema.current_revision(old.database) == BEFORE
        schema.upgrade(old.database)
        told = arcana("status")
        assert (told["exit"], told["state"], told["pending"], told["dump"]) == (0, "current", [], None)

    @pytest.mark.parametrize("command", [["search", "acme", "x"], ["mcp"], ["serve"], ["metrics"], ["status"]])
    def test_with_the_schema_of_another_release_each_says_so_and_what_to_run(
        self,
        old: Harness,
        arcana: Callable[..., dict[str, object]],
        command: list[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for name in ("API_KEY_SALT", "SECRET_KEY"):
            monkeypatch.setenv(name, installation_secrets.make())
        said = CliRunner().invoke(cli, command).exception
        assert isinstance(said, WrongUse) and f"schema {BEFORE}" in str(said) and "`arcana db upgrade`" in str(said)
        with old.database.connection() as connection, connection.transaction():
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        said = CliRunner().invoke(cli, command).exception
        assert isinstance(said, WrongUse) and "schema 9999, of a newer release" in str(said)
        assert "Install that release" in str(said)

    def test_a_downgrade_is_refused_while_a_run_is_under_way_and_takes_one_step_after(
        self, old: Harness, arcana: Callable[..., dict[str, object]], tmp_path: Path
    ) -> None:
        schema.upgrade(old.database)
        newest, before = schema.newest_revision(), schema.revisions()[-2]
        with lease.workspace_lease(old.database, rows_of_releases.WORKSPACE, "acme", "a run"):
            assert "under way in acme" in str(arcana("downgrade", "--yes")["error"])
        assert "give --yes" in str(arcana("downgrade")["error"])
        assert schema.current_revision(old.database) == newest
        done = arcana("downgrade", "--yes")
        assert (done["from"], done["revision"]) == (newest, before)
        assert Path(str(done["backup"])).stat().st_size > 0
        assert schema.current_revision(old.database) == before
        assert "--to takes one before it" in str(arcana("downgrade", "--to", newest, "--yes")["error"])
        schema.upgrade(old.database)
        assert schema.drift(old.database) == []
