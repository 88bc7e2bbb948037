"""The embedded server: shared, started again when it dies, stopped with its last user, closed to others."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from arcana_pipelines.cli.commands import doctor
from arcana_pipelines.db.embedded import keeper, lease
from arcana_pipelines.db.embedded.private_folders import let_pass, make_socket_folder, require_private
from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import DatabaseUnreachable
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.postgres import DatabaseServer

pytestmark = pytest.mark.e2e

_USER = """
import sys
from pathlib import Path
from arcana_pipelines.db.embedded import lease
print(lease.acquire_lease(Path(sys.argv[1])), flush=True)
for line in sys.stdin:
    print(lease.acquire_lease(Path(sys.argv[1])), flush=True)
"""
_SECRET = "planted-in-the-environment"


# What the owner of tables can make so that it is taken in the place of PostgreSQL's own, where `public` is searched:
# operators and functions for the very types, of those that PostgreSQL has for wider types only.
_PLANT = """
CREATE FUNCTION public.caught() RETURNS text LANGUAGE plpgsql AS $f$
BEGIN
    IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
        ALTER ROLE arcana SUPERUSER;
    END IF;
    RETURN NULL;
END $f$;
CREATE TYPE public.planted AS (body text);
DO $do$
DECLARE
    types CONSTANT text[] := ARRAY['name', 'text', 'oid', 'regclass', 'text[]', 'name[]', '"char"'];
    wanted record;
    number int := 0;
BEGIN
    FOR wanted IN
        SELECT o.name, l, r
        FROM unnest(ARRAY['=', '<>', '!~', '~', '||', '@>']) AS o (name), unnest(types) l, unnest(types) r
        WHERE NOT EXISTS (
            SELECT FROM pg_operator p WHERE p.oprname = o.name AND p.oprnamespace = 'pg_catalog'::regnamespace
            AND p.oprleft = l::regtype AND p.oprright = r::regtype)
    LOOP
        number := number + 1;
        EXECUTE format('CREATE FUNCTION public.planted_%s(l %s, r %s) RETURNS boolean LANGUAGE plpgsql AS '
                       '$f$BEGIN PERFORM public.caught(); RETURN true; END$f$', number, wanted.l, wanted.r);
        EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.planted_%s)',
                       wanted.name, wanted.l, wanted.r, number);
    END LOOP;
    FOR wanted IN
        SELECT f.name, a.arguments
        FROM unnest(ARRAY['format', 'quote_ident', 'to_regrole', 'to_regclass', 'to_regnamespace',
                          'has_table_privilege', 'has_database_privilege', 'has_schema_privilege']) AS f (name),
        (SELECT l FROM unnest(types) l UNION ALL SELECT l || ',' || r FROM unnest(types) l, unnest(types) r
         UNION ALL SELECT 'text,' || l || ',' || r FROM unnest(types) l, unnest(types) r) AS a (arguments)
        WHERE to_regprocedure(format('pg_catalog.%I(%s)', f.name, a.arguments)) IS NULL
    LOOP
        EXECUTE format('CREATE FUNCTION public.%I(%s) RETURNS %s LANGUAGE plpgsql AS '
                       '$f$BEGIN PERFORM public.caught(); RETURN %L; END$f$', wanted.name, wanted.arguments,
                       CASE WHEN wanted.name LIKE 'has%' THEN 'boolean' ELSE 'text' END,
                       CASE WHEN wanted.name LIKE 'has%' THEN 'true' ELSE 'SELECT 1' END);
    END LOOP;
END
$do$;
CREATE FUNCTION public.of_planted(public.planted) RETURNS text LANGUAGE plpgsql AS
'BEGIN PERFORM public.caught(); RETURN NULL; END';
CREATE CAST (public.planted AS text) WITH FUNCTION public.of_planted(public.planted) AS IMPLICIT;
CREATE TABLE public.pg_namespace (LIKE pg_catalog.pg_namespace);
CREATE VIEW public.pg_roles AS SELECT r.*, public.caught() FROM pg_catalog.pg_roles r;
"""


class _User:
    """A process that uses the server."""

    def __init__(self, home: Path, **options: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _USER, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "NOTION_TOKEN": _SECRET, "PGPORT": "6543", "PYTHONPATH": os.pathsep.join(sys.path)},
            **options,  # type: ignore[call-overload]
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline().startswith("postgresql://arcana@/")

    def end(self) -> None:
        self.process.communicate("")


@contextlib.contextmanager
def _used(home: Path) -> Iterator[_User]:
    user = _User(home)
    try:
        yield user
    finally:
        user.end()
        assert lease.wait_until_stopped(home)


@pytest.fixture
def home() -> Iterator[Path]:
    """A home whose path is short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="arcana-test-"))
    yield folder / "home"
    shutil.rmtree(folder)


def _answers(home: Path) -> bool:
    try:
        psycopg.connect(lease.server_url(home)).close()
    except (psycopg.OperationalError, DatabaseUnreachable):
        return False
    return True


def _postmaster(home: Path) -> int:
    return int((home / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])


def _keeper(home: Path) -> int:
    """The process that has the keeper's lock, or gets it in a moment."""
    inode = (home / "postgres" / "keeper.lock").stat().st_ino
    while True:
        locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        for words in locks:
            if words[1] == "FLOCK" and words[5].endswith(f":{inode}"):
                return int(words[4])
        time.sleep(0.02)


def _names_in_environment(process: int) -> set[str]:
    entries = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    return {entry.partition(b"=")[0].decode() for entry in entries if entry}


class TestLife:
    def test_users_share_one_server_that_ends_with_the_last_of_them(self, home: Path) -> None:
        first, second = _User(home), _User(home)
        first.end()
        assert not lease.wait_until_stopped(home, timeout=1)
        assert _answers(home)
        os.kill(second.process.pid, signal.SIGKILL)
        second.process.communicate()
        assert lease.wait_until_stopped(home)
        assert not _answers(home)
        with _used(home):
            assert _answers(home)

    def test_whatever_is_killed_the_next_user_is_served(self, home: Path) -> None:
        with _used(home):
            for victims in ((_postmaster,), (_postmaster,), (_keeper,), (_keeper, _postmaster), (_postmaster, _keeper)):
                before = [victim(home) for victim in victims]
                for process in before:
                    os.kill(process, signal.SIGKILL)
                another = _User(home)
                assert _answers(home)
                another.end()
                assert [victim(home) for victim in victims] != before

    def test_a_command_whose_first_connection_finds_the_server_dead_waits_for_it(self, home: Path) -> None:
        """No other connection is made before it, to see whether the server answers."""
        with _used(home):
            database = Database(Settings(arcana_home=home))
            os.kill(_postmaster(home), signal.SIGKILL)
            with database.connection() as connection:
                assert connection.execute("SELECT current_user").fetchone() == ("arcana_owner",)
            database.close()
            lease.release_lease(home)

    def test_a_server_that_cannot_start_is_told_in_postgresql_s_words_and_starts_when_it_can(self, home: Path) -> None:
        with _used(home):
            pass
        control = home / "postgres" / "data" / "global" / "pg_control"
        control.rename(control.with_name("away"))
        with pytest.raises(DatabaseUnreachable, match=r"does not run: .*pg_control.*server\.log"):
            lease.acquire_lease(home)
        lease.release_lease(home)
        control.with_name("away").rename(control)
        with _used(home):
            assert _answers(home)

    def test_one_that_dies_for_good_is_not_started_over_and_over(self, home: Path) -> None:
        with _used(home):
            control = home / "postgres" / "data" / "global" / "pg_control"
            control.rename(control.with_name("away"))
            os.kill(_postmaster(home), signal.SIGKILL)
            with pytest.raises(DatabaseUnreachable, match="pg_control"):
                lease.acquire_lease(home)
            attempts = (home / "postgres" / "keeper.log").read_text().count("starting it again")
            assert attempts <= 4
            control.with_name("away").rename(control)
            deadline = time.monotonic() + 60
            while not _answers(home) and time.monotonic() < deadline:
                time.sleep(0.1)
            assert _answers(home)
            lease.release_lease(home)

    def test_one_that_refuses_the_superuser_is_told_at_once_and_stopped(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (home / "postgres").mkdir(parents=True)
        monkeypatch.setattr(keeper, "_HBA", "local all all reject\n")
        server = keeper._Server(home / "postgres")
        begin = time.monotonic()
        with pytest.raises(DatabaseUnreachable, match=r"pg_hba\.conf rejects connection"):
            server.start()
        assert time.monotonic() - begin < 60
        assert not server.is_alive()

    def test_one_that_cannot_be_prepared_says_why_and_does_not_stay(self, home: Path) -> None:
        with _used(home), psycopg.connect(lease.server_url(home, lease.SUPERUSER)) as connection:
            connection.execute("DROP EXTENSION vector; CREATE TABLE public.vector (id int)")
        with pytest.raises(DatabaseUnreachable, match=r"does not run: .*vector.* already exists"):
            lease.acquire_lease(home)
        lease.release_lease(home)
        assert lease.wait_until_stopped(home)
        assert not _answers(home)

    def test_the_keeper_of_an_older_release_is_named_as_the_reason(self, home: Path) -> None:
        folder = home / "postgres"
        folder.mkdir(parents=True)
        (folder / "ready").touch()
        with (folder / "keeper.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(DatabaseUnreachable, match="older release"):
                lease.acquire_lease(home)
        lease.release_lease(home)


class TestWhoGetsIn:
    def test_keeper_and_server_have_nothing_of_the_environment_but_this_list(self, home: Path) -> None:
        with _used(home):
            for process in (_keeper(home), _postmaster(home)):
                names = _names_in_environment(process)
                assert "PATH" in names
                assert names <= {*lease.ENVIRONMENT, "PG_OOM_ADJUST_FILE", "PG_OOM_ADJUST_VALUE"}

    def test_no_role_but_the_superuser_may_leave_the_database(self, home: Path) -> None:
        with _used(home):
            for role in (lease.WRITER, lease.READER):
                with psycopg.connect(lease.server_url(home, role), autocommit=True) as connection:
                    for statement in (
                        "COPY (SELECT 1) TO PROGRAM 'env'",
                        "COPY (SELECT 1) TO '/tmp/arcana-never'",
                        "SELECT pg_read_file('/etc/passwd')",
                        "SELECT lo_import('/etc/passwd')",
                        "SELECT pg_ls_dir('/')",
                        "ALTER SYSTEM SET fsync = off",
                        "CREATE ROLE other",
                        "CREATE DATABASE other",
                        f"SET ROLE {lease.SUPERUSER}",
                        "CREATE EXTENSION file_fdw",
                    ):
                        with pytest.raises(psycopg.errors.InsufficientPrivilege):
                            connection.execute(statement)

    def test_the_reader_of_an_installation_makes_nothing_at_all(self, home: Path) -> None:
        with _used(home), psycopg.connect(lease.server_url(home, lease.READER), autocommit=True) as connection:
            for statement in ("CREATE TEMP TABLE mine (id int)", "CREATE TABLE mine (id int)", "CREATE SCHEMA mine"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)

    def test_who_searches_writes_nothing_into_the_log_of_the_server(self, home: Path) -> None:
        log = home / "postgres" / "server.log"
        with _used(home), psycopg.connect(lease.server_url(home, lease.READER), autocommit=True) as connection:
            before = log.stat().st_size
            connection.execute("DO $$ BEGIN RAISE LOG '%', repeat('z', 1000000); END $$")
            for refused in ("SET log_min_messages = 'log'", f"SELECT '{'z' * 1000000}'::int"):
                with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidTextRepresentation)):
                    connection.execute(refused)  # type: ignore[arg-type]
            assert log.stat().st_size - before < 10_000

    def test_no_role_but_the_superuser_gets_into_other_databases(self, arcana_server: DatabaseServer) -> None:
        for role in (lease.WRITER, lease.READER):
            for name in ("postgres", "template1"):
                with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                    psycopg.connect(arcana_server.address(name, role))

    def test_who_syncs_may_lock_and_notify(self, arcana_server: DatabaseServer) -> None:
        with psycopg.connect(arcana_server.address(lease.DATABASE), autocommit=True) as connection:
            connection.execute("SELECT pg_try_advisory_lock(1), pg_advisory_lock(1, 1), pg_notify('run_events', 'x')")
            connection.execute("SELECT pg_advisory_unlock_all(), lo_unlink(lo_create(0))")

    def test_a_role_that_locked_itself_out_gets_in_after_the_next_start(self, home: Path) -> None:
        settings: list[LiteralString] = [
            "statement_timeout = 1",
            "search_path = 'nowhere'",
            "default_transaction_read_only = on",
            "local_preload_libraries = 'none'",
        ]
        with _used(home):
            for role in (lease.WRITER, lease.READER, lease.SERVER):
                with psycopg.connect(lease.server_url(home, role), autocommit=True) as connection:
                    connection.execute("SET ROLE none")
                    for where in ("", "IN DATABASE arcana"):
                        for setting in settings:
                            connection.execute(f"ALTER ROLE {role} {where} SET {setting}")  # type: ignore[arg-type]
                    connection.execute(f"ALTER ROLE {role} PASSWORD 'x'")  # type: ignore[arg-type]
        with _used(home):
            with psycopg.connect(lease.server_url(home, lease.SUPERUSER)) as connection:
                found = connection.execute(
                    "SELECT rolname, setdatabase, setconfig "
                    "FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole"
                )
                assert sorted(found.fetchall()) == [
                    (lease.WRITER, 0, ["role=arcana_owner"]),
                    *(
                        (role, 0, ["temp_file_limit=1GB", "log_min_messages=panic", "log_min_error_statement=panic"])
                        for role in (lease.READER, lease.SERVER)
                    ),
                ]
                assert connection.execute("SELECT FROM pg_authid WHERE rolpassword IS NOT NULL").fetchall() == []
            for role in (lease.WRITER, lease.READER):
                with psycopg.connect(lease.server_url(home, role)) as connection:
                    connection.execute("SELECT '[1]'::vector")

    def test_nothing_trusts_and_nothing_listens_on_a_port(self, home: Path) -> None:
        with _used(home), psycopg.connect(lease.server_url(home, lease.SUPERUSER)) as connection:
            rules = connection.execute("SELECT type, database, auth_method FROM pg_hba_file_rules").fetchall()
            assert rules == [("local", ["all"], "peer"), ("local", ["replication"], "peer")]
            replicating = connection.execute("SELECT rolname FROM pg_roles WHERE rolreplication").fetchall()
            assert replicating == [(lease.SUPERUSER,)]
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
            assert connection.execute("SHOW unix_socket_permissions").fetchone() == ("0700",)

    def test_a_database_that_the_superuser_owned_is_taken_over_with_all_that_is_in_it(self, home: Path) -> None:
        """As releases before the roles made it: everything belongs to the superuser, and everybody is trusted."""
        with (
            _used(home),
            psycopg.connect(lease.server_url(home, lease.SUPERUSER), autocommit=True) as connection,
        ):
            connection.execute("CREATE SCHEMA dagster; CREATE TABLE dagster.runs (id bigserial, body text)")
            connection.execute("CREATE TYPE mood AS ENUM ('well'); CREATE VIEW seen AS SELECT id FROM dagster.runs")
            connection.execute("CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'")
            connection.execute("INSERT INTO dagster.runs (body) VALUES ('kept')")
            connection.execute("DROP OWNED BY arcana, arcana_reader")
            connection.execute("REASSIGN OWNED BY arcana_owner TO postgres; DROP OWNED BY arcana_owner")
            connection.execute("DROP ROLE arcana, arcana_reader; DROP ROLE arcana_owner")
        (home / "postgres" / "data" / "pg_hba.conf").write_text("local all all trust\nhost all all ::1/32 trust\n")
        with _used(home), psycopg.connect(lease.server_url(home), autocommit=True) as connection:
            assert connection.execute("SELECT body FROM dagster.runs").fetchall() == [("kept",)]
            connection.execute("ALTER TABLE dagster.runs ADD COLUMN more int; DROP VIEW seen; DROP TYPE mood")
            connection.execute("DROP FUNCTION one(); CREATE TABLE new (id int)")
            owners = connection.execute(
                "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname IN ('public', 'dagster')"
            ).fetchall()
            assert owners == [("arcana_owner",)]
        with _used(home), psycopg.connect(lease.server_url(home, lease.SUPERUSER)) as connection:
            assert connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall() == [("peer",)]


class TestNothingInTheDataFolderIsTakenAsFound:
    """The server's user may put anything there, and the keeper may be root."""

    def test_what_is_linked_from_there_is_not_read_written_or_given_away(self, home: Path) -> None:
        with _used(home):
            pass
        victim = home / "victim"
        victim.write_text("secret")
        victim.chmod(0o600)
        before = victim.stat()
        data = home / "postgres" / "data"
        for name in ("pg_hba.conf", "pg_ident.conf"):
            (data / name).unlink()
            (data / name).symlink_to(victim)
        with _used(home):
            assert _answers(home)
        after = victim.stat()
        assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
        assert victim.read_text() == "secret"

    def test_the_server_cannot_change_who_may_connect(self, home: Path) -> None:
        with _used(home), psycopg.connect(lease.server_url(home, lease.SUPERUSER)) as connection:
            for setting in ("hba_file", "ident_file"):
                row = connection.execute("SELECT current_setting(%s)", [setting]).fetchone()
                assert row is not None
                path = Path(row[0])
                assert path.parent == home / "postgres"
                for entry in (path, path.parent):
                    assert entry.stat().st_uid == os.geteuid()
                    assert entry.stat().st_mode & (stat.S_IWGRP | stat.S_IRWXO) == 0

    @pytest.fixture
    def server(self, tmp_path: Path) -> keeper._Server:
        """A data folder of our own, which only says which process would be its server."""
        server = keeper._Server(tmp_path)
        server.user = pwd.getpwuid(os.geteuid())
        server.data.mkdir()
        return server

    @pytest.fixture
    def process(self, server: keeper._Server) -> Iterator[subprocess.Popen[bytes]]:
        """One that is called as the server is, and works where it does."""
        program = server.folder / "postgres"
        shutil.copy(shutil.which("sleep") or "", program)
        with subprocess.Popen([program, "60"], cwd=server.data) as process:
            yield process
            process.kill()

    def test_a_process_of_another_user_is_not_the_server(
        self, server: keeper._Server, process: subprocess.Popen[bytes]
    ) -> None:
        (server.data / "postmaster.pid").write_text(f"{process.pid}\n")
        deadline = time.monotonic() + 5
        while server._pid() is None and time.monotonic() < deadline:
            time.sleep(0.01)  # until it is called so
        assert server._pid() == process.pid
        note = server.data / "postmaster.pid"
        server.user = pwd.getpwnam("nobody")
        if os.geteuid() == 0:
            os.chown(note, server.user.pw_uid, -1)
        assert server._pid() is None

    def test_a_note_of_the_process_that_is_no_plain_file_of_the_server_s_is_not_read(
        self, server: keeper._Server, process: subprocess.Popen[bytes]
    ) -> None:
        note, elsewhere = server.data / "postmaster.pid", server.folder / "elsewhere"
        elsewhere.write_text(f"{process.pid}\n")
        time.sleep(0.2)
        note.symlink_to(elsewhere)
        assert server._pid() is None
        note.unlink()
        os.mkfifo(note)
        assert server._pid() is None  # and nobody waits for who writes it
        note.unlink()
        for text in ("", "-1\n", "0\n", "1\n", "x" * 5000, "9" * 100):
            note.write_text(text)
            assert server._pid() is None

    def test_a_server_that_was_started_otherwise_is_started_anew(self, home: Path) -> None:
        """As an older release started it: who may connect is said in the data folder."""
        with _used(home):
            pass
        server = keeper._Server(home / "postgres")
        (server.data / "pg_hba.conf").write_text("local all all trust\n")
        environment = {name: os.environ[name] for name in ("PATH",)}
        sockets = home / "postgres" / "run"
        options = ["-D", server.data, "-k", sockets, "-c", "listen_addresses=", "-c", "unix_socket_permissions=0700"]
        started = subprocess.Popen(
            [server.programs / "postgres", *options],
            **{**server._as_user(), "env": environment},
            stderr=subprocess.DEVNULL,
        )
        while not _answers(home):
            time.sleep(0.1)
        with _used(home), psycopg.connect(lease.server_url(home, lease.SUPERUSER)) as connection:
            assert started.wait(30) == 0
            assert connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall() == [("peer",)]


class TestTheSuperuserIsNotMisled:
    """He works in the database at every start of the server, and whoever owns its tables was there before him."""

    def test_whatever_was_planted_in_the_database_does_not_run_as_him(self, home: Path) -> None:
        with _used(home):
            with psycopg.connect(lease.server_url(home), autocommit=True) as connection:
                connection.execute(_PLANT)
                planted = connection.execute("SELECT count(*) FROM pg_proc WHERE proowner = 'arcana_owner'::regrole")
                assert planted.fetchone() > (500,)  # type: ignore[operator]
            with psycopg.connect(lease.server_url(home, lease.SUPERUSER), autocommit=True) as connection:
                # There is something to be taken over, so that every statement is run.
                connection.execute("SET search_path = pg_catalog; CREATE TABLE public.left_behind (id int)")
        with _used(home), psycopg.connect(lease.server_url(home), autocommit=True) as connection:
            connection.execute("SET search_path = pg_catalog")
            assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = 'arcana'").fetchone() == (False,)
            owner = connection.execute("SELECT relowner::regrole::text FROM pg_class WHERE relname = 'left_behind'")
            assert owner.fetchone() == ("arcana_owner",)

    @pytest.mark.parametrize(
        "statement",
        [
            "ALTER DATABASE arcana SET local_preload_libraries = 'none'",
            "ALTER DATABASE arcana SET search_path = 'public'",
            "ALTER DATABASE arcana ALLOW_CONNECTIONS false",
            "ALTER DATABASE arcana OWNER TO arcana_owner",
            "ALTER SCHEMA public OWNER TO arcana_owner",
            "DROP SCHEMA public CASCADE",
            "DROP EXTENSION vector",
            "CREATE EVENT TRIGGER planted ON ddl_command_end EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "ALTER ROLE postgres SET search_path = 'public'",
            "ALTER ROLE ALL SET search_path = 'public'",
        ],
    )
    def test_the_database_is_his_and_not_the_owner_s_of_its_tables(
        self, arcana_server: DatabaseServer, statement: LiteralString
    ) -> None:
        with (
            psycopg.connect(arcana_server.address(lease.DATABASE), autocommit=True) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(statement)

    def test_an_installation_whose_owner_closed_the_database_is_open_after_the_next_start(self, home: Path) -> None:
        """In older releases arcana_owner owned the database."""
        with _used(home):
            with psycopg.connect(lease.server_url(home, lease.SUPERUSER), autocommit=True) as connection:
                connection.execute("ALTER DATABASE arcana OWNER TO arcana_owner")
            with psycopg.connect(lease.server_url(home), autocommit=True) as connection:
                settings: list[LiteralString] = [
                    "local_preload_libraries = 'none'",
                    "default_transaction_read_only = on",
                    "search_path = 'public', 'pg_catalog'",
                    "statement_timeout = 1",
                    "client_encoding = 'LATIN1'",
                ]
                for setting in settings:
                    connection.execute(f"ALTER DATABASE arcana SET {setting}")
                connection.execute("REVOKE ALL ON DATABASE arcana FROM PUBLIC, arcana_owner, arcana_reader")
                connection.execute("DROP SCHEMA public CASCADE")
            elsewhere = lease.server_url(home, lease.SUPERUSER).replace("@/arcana?", "@/postgres?")
            with psycopg.connect(elsewhere, autocommit=True) as connection:
                connection.execute("ALTER DATABASE arcana CONNECTION LIMIT 0 ALLOW_CONNECTIONS false")
        with _used(home):
            for role in (lease.WRITER, lease.READER):
                with psycopg.connect(lease.server_url(home, role), autocommit=True) as connection:
                    assert connection.execute("SELECT 'a'::ltree, '[1]'::vector, show_trgm('a')").fetchone()
            with psycopg.connect(lease.server_url(home), autocommit=True) as connection:
                connection.execute("CREATE TABLE kept (id int); CREATE SCHEMA dagster; CREATE TEMP TABLE mine (id int)")
                set_for_databases = connection.execute("SELECT FROM pg_db_role_setting WHERE setdatabase <> 0")
                assert set_for_databases.fetchall() == []


class TestFolders:
    def test_a_home_with_a_long_name_has_a_socket_in_a_folder_of_a_new_name_for_us_alone(self, tmp_path: Path) -> None:
        home = tmp_path / ("long" * 30)
        guessable = {entry.name for entry in Path(tempfile.gettempdir()).iterdir()}
        with _used(home):
            sockets = Path((home / "postgres" / "socket_folder").read_text())
            assert sockets.name not in guessable
            assert stat.S_IMODE(sockets.lstat().st_mode) == 0o700
            assert sockets.lstat().st_uid == (home / "postgres" / "data").stat().st_uid
            assert _answers(home)
        shutil.rmtree(sockets)
        with _used(home):
            assert _answers(home)

    @pytest.mark.parametrize("made", ["open", "link", "file"])
    def test_a_socket_folder_that_others_could_have_made_is_refused(self, tmp_path: Path, made: str) -> None:
        sockets = tmp_path / "run"
        if made == "open":
            sockets.mkdir()
            sockets.chmod(0o777)
        elif made == "link":
            (tmp_path / "elsewhere").mkdir(mode=0o700)
            sockets.symlink_to(tmp_path / "elsewhere")
        else:
            sockets.touch(mode=0o600)
        with pytest.raises(DatabaseUnreachable, match="Remove it and run the command again"):
            require_private(sockets, os.geteuid())

    def test_a_socket_folder_of_somebody_else_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "run").mkdir(mode=0o700)
        with pytest.raises(DatabaseUnreachable, match="belongs to the user"):
            require_private(tmp_path / "run", os.geteuid() + 1)

    def test_a_link_in_the_place_of_the_socket_folder_gives_nothing_away(self, tmp_path: Path) -> None:
        short = Path(tempfile.mkdtemp(prefix="arcana-test-"))
        try:
            (tmp_path / "target").mkdir()
            (tmp_path / "target").chmod(0o755)
            (short / "run").symlink_to(tmp_path / "target")
            with pytest.raises(DatabaseUnreachable, match="is not a folder"):
                make_socket_folder(short, os.geteuid(), os.getegid())
            assert stat.S_IMODE((tmp_path / "target").stat().st_mode) == 0o755
        finally:
            shutil.rmtree(short)

    def test_a_noted_folder_that_is_not_ours_any_more_is_replaced_by_a_new_one(self, tmp_path: Path) -> None:
        folder = tmp_path / ("long" * 30)
        folder.mkdir()
        first = make_socket_folder(folder, os.geteuid(), os.getegid())
        first.chmod(0o777)
        second = make_socket_folder(folder, os.geteuid(), os.getegid())
        assert second != first
        for made in (first, second):
            made.rmdir()

    def test_what_we_make_is_for_us_alone(self, home: Path) -> None:
        (home / "dagster").mkdir(parents=True)
        (home / "dagster").chmod(0o755)  # of an older release
        (home / "postgres").mkdir()
        (home / "postgres" / "leases.lock").touch(mode=0o644)
        with _used(home):
            for path in (home / "postgres", home / "dagster", home / "postgres" / "data", home / "postgres" / "run"):
                assert path.stat().st_mode & stat.S_IRWXO == 0
            # Who can read a lock's file can hold the lock.
            locks = list((home / "postgres").glob("*.lock"))
            assert len(locks) == 4
            assert [path for path in locks if path.stat().st_mode & 0o077] == []

    @pytest.mark.skipif(os.geteuid() != 0, reason="the server runs as another user under root alone")
    def test_nobody_but_the_server_gets_through_folders_that_were_closed(self, home: Path) -> None:
        private = home.parent
        private.chmod(0o700)
        (private / ".env").write_text("NOTION_TOKEN=secret")
        (private / ".env").chmod(0o644)
        with _used(home):
            assert _answers(home)
            assert private.stat().st_mode & stat.S_IRWXO == 0
            for user in ("nobody", "daemon"):
                read = subprocess.run(
                    ["cat", private / ".env"], user=pwd.getpwnam(user).pw_uid, capture_output=True, check=False
                )
                assert read.returncode != 0

    @pytest.mark.skipif(os.geteuid() != 0, reason="the server runs as another user under root alone")
    def test_doctor_names_the_secrets_that_the_server_s_user_could_read_by_name(self, home: Path) -> None:
        private = home.parent
        private.chmod(0o700)
        for name, mode in ((".env.local", 0o644), ("notion_token", 0o604), (".env", 0o600), ("notes.txt", 0o644)):
            (private / name).touch()
            (private / name).chmod(mode)
        with _used(home):
            found = [path for path in lease.secrets_in_reach(home) if path.parent == private]
            assert found == [private / ".env.local", private / "notion_token"]
            told = list(doctor._secrets_in_reach(Settings(arcana_home=home)))
            assert [(name, is_well) for name, is_well, _ in told] == [("secrets", False)]
            assert f"{private}/.env.local {private}/notion_token" in told[0][2]
            private.chmod(0o711)  # whoever can pass by himself is not let pass
            assert [path for path in lease.secrets_in_reach(home) if path.parent == private] == []

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may give rights to others")
    def test_passing_through_gives_no_group_what_it_did_not_have(self, tmp_path: Path) -> None:
        closed = tmp_path / "closed"
        (closed / "data").mkdir(parents=True)
        closed.chmod(0o700)
        nobody = pwd.getpwnam("nobody")
        for _ in range(2):
            let_pass(closed / "data", nobody.pw_uid, nobody.pw_gid, tmp_path)
        as_nobody = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": [], "check": False}
        assert subprocess.run(["ls", closed], capture_output=True, **as_nobody).returncode != 0  # type: ignore[call-overload]
        daemon = pwd.getpwnam("daemon")
        passed = subprocess.run(
            ["test", "-d", closed / "data"], user=daemon.pw_uid, group=daemon.pw_gid, extra_groups=[], check=False
        )
        assert passed.returncode != 0

    def test_the_home_of_somebody_else_is_refused(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (home / "postgres").mkdir(parents=True)
        monkeypatch.setattr(os, "geteuid", lambda: (home / "postgres").stat().st_uid + 1)
        with pytest.raises(DatabaseUnreachable, match="run as that user"):
            lease.acquire_lease(home)


def test_the_reason_of_a_start_that_failed_is_the_server_s_and_not_a_client_s(tmp_path: Path) -> None:
    (tmp_path / "server.log").write_text(
        '10:00 UTC [1] PANIC:  could not write to file "pg_wal/xlogtemp.1": No space left on device\n'
        "10:00 UTC [2] FATAL:  the database system is starting up\n"
        '10:00 UTC [2] FATAL:  role "arcana" is not permitted to log in\n'
    )
    assert keeper.last_words(tmp_path / "server.log", 0) == (
        'could not write to file "pg_wal/xlogtemp.1": No space left on device'
    )


def test_a_server_that_needs_room_to_start_says_so_first(tmp_path: Path) -> None:
    lease.note_problem(tmp_path, 'could not write to file "pg_wal/xlogtemp.1": No space left on device')
    assert "Make room on its disk, then run this again" in str(lease._not_started(tmp_path))
    lease.note_problem(tmp_path, "the port is taken")
    assert "Make room" not in str(lease._not_started(tmp_path))
