"""Connections: what may take how long, and what the server says, in words."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import LiteralString

import psycopg
import pytest
from pydantic import SecretStr

from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.engine import Database, snapshot
from arcana_pipelines.errors import DatabaseBusy, DatabaseFull, DatabaseUnreachable, UnknownWorkspace
from arcana_pipelines.retrieval.filters import Filters, PropertyCondition
from arcana_pipelines.retrieval.searcher import Searcher
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.workspaces.lease import workspace_lease
from arcana_pipelines_tests.db.conftest import with_parameters
from arcana_pipelines_tests.harness import Harness

LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


def _limits(database: Database) -> list[str]:
    with database.connection() as connection:
        return [connection.execute(f"SHOW {name}").fetchone()[0] for name in LIMITS]  # type: ignore[arg-type, index]


@pytest.fixture
def searching(settings: Settings) -> Database:
    return Database(settings, only_searches=True)


class TestLimits:
    def test_searches_end_soon_and_syncs_may_take_their_time(self, database: Database, searching: Database) -> None:
        assert _limits(searching) == ["30s", "5s", "10min"]
        assert _limits(database) == ["0", "15min", "1h"]
        searching.close()

    def test_what_the_server_s_owner_set_is_left(self, settings: Settings) -> None:
        assert settings.database_url is not None
        own = with_parameters(settings.database_url.get_secret_value(), "options=-c%20lock_timeout%3D7s")
        database = Database(settings.model_copy(update={"database_url": type(settings.database_url)(own)}))
        assert _limits(database)[1] == "7s"
        database.close()

    def test_a_search_behind_an_exclusive_lock_ends_in_a_sentence(
        self, acme: Harness, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        acme.world.add_page("Harbour", blocks=[blocks.paragraph("A grey heron.")])
        acme.sync()
        monkeypatch.setattr("arcana_pipelines.db.engine._OF_SEARCHES", {"lock_timeout": "100ms"})
        with acme.database.connection() as blocking, Searcher("acme", settings=settings) as searcher:
            with blocking.transaction():
                blocking.execute("LOCK TABLE document_content IN ACCESS EXCLUSIVE MODE")
                with pytest.raises(DatabaseBusy, match=r"lock timeout.*pg_stat_activity.*try again"):
                    searcher.search("heron")
            assert searcher.search("heron").hits

    def test_a_statement_that_takes_too_long_ends_in_a_sentence(self, database: Database) -> None:
        def wait() -> None:
            with database.connection() as connection, connection.transaction():
                connection.execute("SET LOCAL statement_timeout = '20ms'")
                connection.execute("SELECT pg_sleep(60)")

        with pytest.raises(DatabaseBusy, match="statement timeout"):
            wait()

    def test_whoever_waits_for_a_run_waits_without_limit_and_holds_up_no_index(
        self, acme: Harness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ((workspace_id,),) = acme.rows("SELECT workspace_id FROM workspace")
        monkeypatch.setattr("arcana_pipelines.db.engine._OF_WORK", {"lock_timeout": "500ms"})
        waits = threading.Event()
        monkeypatch.setattr("arcana_pipelines.workspaces.lease.log.warning", lambda *_: waits.set())

        def take() -> None:
            with workspace_lease(acme.database, workspace_id, "acme", "a second run"):
                pass

        with ThreadPoolExecutor(1) as pool:
            with workspace_lease(acme.database, workspace_id, "acme", "another run"):
                waiting = pool.submit(take)
                assert waits.wait(timeout=30)
                with acme.database.own_connection() as own:
                    own.execute("CREATE INDEX CONCURRENTLY of_a_test ON workspace (created_at)")
                    own.execute("DROP INDEX of_a_test")
                assert not waiting.done()
            waiting.result()


class TestInWords:
    def test_a_full_disk_is_one_sentence_and_nothing_is_lost(self, database: Database) -> None:
        full = pytest.raises(DatabaseFull, match=r"no space left on its disk.*what was stored is kept")
        with full, database.connection() as connection:
            connection.execute("DO $$ BEGIN RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$")

    def test_a_full_disk_is_the_same_sentence_to_the_models(self, database: Database) -> None:
        full = pytest.raises(DatabaseFull, match=r"no space left on its disk.*what was stored is kept")
        with full, database.in_transactions() as connection:
            connection.exec_driver_sql("DO $$ BEGIN RAISE 'could not extend' USING ERRCODE = 'disk_full'; END $$")

    def test_a_connection_that_ends_in_the_middle_is_a_sentence(self, database: Database) -> None:
        ended = pytest.raises(DatabaseUnreachable, match="ended the connection in the middle")
        with ended, database.connection() as connection:
            connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    def test_what_libpq_asks_ends_with_one_mark(self) -> None:
        nowhere = Database(Settings(database_url=SecretStr("postgresql://u@127.0.0.1:1/x")))
        with pytest.raises(DatabaseUnreachable, match=r"connections\? Nothing listens there: start that server, or"):
            nowhere.connect()

    def test_what_another_answer_of_the_server_means_is_not_guessed(self) -> None:
        given = Database(Settings(database_url=SecretStr("postgresql://u@127.0.0.1/x")))
        assert given._what_to_do('FATAL: database "x" does not exist.') == "Check DATABASE_URL."
        embedded = Database(Settings(database_url=None))
        assert embedded._what_to_do("Connection refused").startswith("`arcana db check` starts the embedded")

    def test_a_fault_of_ours_stays_what_it_is(self, database: Database) -> None:
        with pytest.raises(psycopg.errors.UndefinedTable), database.connection() as connection:
            connection.execute("SELECT * FROM nowhere")


class TestReader:
    """`arcana_reader` of the embedded server: everything a search can be asked, and nothing else."""

    @pytest.fixture
    def reading(self, acme: Harness, settings: Settings) -> Searcher:
        assert settings.database_url is not None
        url = settings.database_url.get_secret_value().replace(f"{lease.WRITER}@", f"{lease.READER}@")
        return Searcher("acme", settings=settings.model_copy(update={"database_url": type(settings.database_url)(url)}))

    def test_it_can_search_in_every_way(self, acme: Harness, reading: Searcher) -> None:
        top = acme.world.add_page("Harbour", blocks=[blocks.paragraph("A grey heron. 회색 왜가리가 있다.")])
        database = acme.world.add_database("Tasks", schema={"Status": "select"})
        acme.world.add_row(database.data_source_id, "Task", {"Status": "Open"})
        acme.sync()
        ((now,),) = acme.rows("SELECT now()")
        with reading:
            assert reading.search("heron", neighbours=1, filters=Filters(kinds=["page"], below=top)).hits
            assert reading.search("왜가리").hits
            assert reading.search("herron").hits
            assert not reading.search("heron", filters=Filters(links_to=top)).hits
            assert reading.search("task", filters=Filters(properties=[PropertyCondition.parse("Status=Open")])).hits
            assert reading.search("task", filters=Filters(properties=[PropertyCondition.parse("Status=Opn")])).notes
            assert reading.search("heron", as_of=now).hits
            assert reading.search("heron", fusion="rrf", filters=Filters(edited_since=now.replace(year=2000))).hits
        with pytest.raises(UnknownWorkspace), Searcher("nowhere", settings=reading._settings) as nowhere:
            nowhere.search("x")

    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT source_config FROM workspace",
            "SELECT credential_ref FROM workspace",
            "SELECT body FROM source_page",
            "SELECT * FROM source_limit",
            "SELECT * FROM sync_generation",
            "SELECT * FROM webhook_event",
            "SELECT * FROM embedding_store",
            "DELETE FROM document",
            "UPDATE workspace SET slug = 'x'",
            "INSERT INTO term_count SELECT * FROM term_count",
            "CREATE TABLE mine (id int)",
            "DROP TABLE chunk",
            "SET ROLE arcana_owner",
            "SELECT nextval('document_chunk_document_chunk_id_seq')",
            "SELECT lo_create(0)",
            "SELECT lo_creat(-1)",
            "SELECT lo_from_bytea(0, 'x')",
            "SELECT lo_put(1, 0, 'x')",
            "SELECT lo_unlink(1)",
            "SELECT lowrite(0, 'x')",
            "SELECT pg_advisory_lock(7270001)",
            "SELECT pg_advisory_lock_shared(1, 1)",
            "SELECT pg_try_advisory_lock(7270002, 1)",
            "SELECT pg_try_advisory_lock_shared(7270001)",
            "SELECT pg_advisory_xact_lock(7270001)",
            "SELECT pg_try_advisory_xact_lock(7270002, 1)",
            "SELECT pg_notify('run_events', 'x')",
            "SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000000))",
            "SELECT pg_terminate_backend(pg_backend_pid())",
            "SELECT pg_cancel_backend(pg_backend_pid())",
            "SELECT pg_export_snapshot()",
            "SET temp_file_limit = -1",
        ],
    )
    def test_it_can_write_nothing_and_read_nothing_else(self, acme: Harness, statement: LiteralString) -> None:
        with acme.reader() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)

    def test_it_reads_the_partition_of_a_new_build_at_once(self, acme: Harness) -> None:
        acme.world.add_page("Harbour", blocks=[blocks.paragraph("A grey heron.")])
        acme.sync()
        acme.sync()
        with acme.reader() as connection:
            parts = connection.execute(
                "SELECT inhrelid::regclass::text FROM pg_inherits "
                "WHERE inhparent IN ('chunk'::regclass, 'chunk_terms'::regclass)"
            ).fetchall()
            assert len(parts) >= 2
            for (part,) in parts:
                connection.execute(f"SELECT count(*) FROM {part}")  # type: ignore[arg-type]


def test_whatever_syncs_make_belongs_to_the_owner_whom_nobody_can_log_in_as(acme: Harness) -> None:
    acme.world.add_page("Harbour", blocks=[blocks.paragraph("A grey heron.")])
    acme.sync()
    owners = acme.rows("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
    assert owners == [("arcana_owner",)]
    roles = dict(
        acme.rows(
            "SELECT rolname, rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls OR rolreplication "
            "FROM pg_roles WHERE rolname LIKE 'arcana%%' AND rolname NOT LIKE 'arcana_company_%%'"
        )
    )
    assert roles == dict.fromkeys(("arcana_owner", "arcana_tenant", lease.WRITER, lease.READER, lease.SERVER), False)
    assert acme.rows(
        "SELECT DISTINCT rolcanlogin OR rolsuper OR rolcreaterole OR rolbypassrls FROM pg_roles "
        "WHERE rolname IN ('arcana_owner', 'arcana_tenant') OR rolname LIKE 'arcana_company_%%'"
    ) == [(False,)]


def test_a_snapshot_sees_one_moment_writes_nothing_and_leaves_the_connection_as_it_was(database: Database) -> None:
    with database.connection() as connection, database.connection() as other:
        other.execute("CREATE TABLE word (word text)")
        with snapshot(connection):
            assert connection.execute("SELECT count(*) FROM word").fetchone() == (0,)
            other.execute("INSERT INTO word VALUES ('late')")
            assert connection.execute("SELECT count(*) FROM word").fetchone() == (0,)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), snapshot(connection):
            connection.execute("DELETE FROM word")
        connection.execute("DROP TABLE word")
        assert connection.execute("SHOW transaction_isolation").fetchone() == ("read committed",)
