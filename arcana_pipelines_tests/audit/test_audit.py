"""The audit log tells what was done, by whom, and where it was changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any, get_args
from uuid import uuid4

import psycopg
import pytest
from pydantic import SecretStr

from arcana_pipelines.audit.chain import entries, verified
from arcana_pipelines.audit.record import Action, by_key, by_user, record
from arcana_pipelines.credentials.store import keep
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.models.audit import ACTIONS
from arcana_pipelines.db.reader import company_role
from arcana_pipelines.indexes import lifecycle
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Permission
from arcana_pipelines.pipeline import registration
from arcana_pipelines.pipeline.declared import DeclaredWorkspace, meet
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness

SALT = "a salt of thirty-two characters and more"


def told(acme: Harness) -> list[tuple[str, str, str, str | None]]:
    """Actor, action, object and slug of each row, the oldest first."""
    with acme.database.connection() as connection:
        return [
            (row.actor, row.action, row.object, row.workspace_slug) for row in reversed(entries(connection, None, 100))
        ]


def actions(acme: Harness) -> list[str]:
    return [action for _, action, _, _ in told(acme)]


def write(acme: Harness, *objects: str) -> None:
    with acme.database.connection() as connection:
        for each in objects:
            record(connection, by_key("abcdefgh"), "key.revoked", each, details={"n": 1.50, "이름": "비밀 아님"})


def problem(acme: Harness, noted: str | None = None) -> str:
    with acme.database.connection() as connection:
        return verified(connection, noted).problem


@contextmanager
def as_superuser(acme: Harness) -> Iterator[Connection]:
    """As somebody whom no trigger stops."""
    with closing(acme.superuser()) as connection:
        connection.execute("SET session_replication_role = replica")
        yield connection


class TestWhatIsDone:
    def test_the_actions_are_one_closed_set(self) -> None:
        assert get_args(Action) == ACTIONS

    def test_a_workspace_is_registered_changed_and_removed(self, acme: Harness) -> None:
        with acme.database.connection() as connection:
            workspace = workspaces.find(connection, "acme")
            workspaces.change(connection, workspace, "Acme Inc.", {"comments": True}, None, by_key("abcdefgh"))
            workspaces.set_status(connection, workspace.workspace_id, "paused")
            workspaces.set_status(connection, workspace.workspace_id, "paused")
            workspaces.set_embedding_budget(connection, workspace.workspace_id, "5")
            changed = entries(connection, "acme", 10)
        registration.remove(acme.database, "acme", lambda _: None)
        assert told(acme) == [
            (by_user(), "workspace.registered", "acme", "acme"),
            ("key:abcdefgh", "workspace.changed", "acme", "acme"),
            (by_user(), "workspace.changed", "acme", "acme"),
            (by_user(), "workspace.changed", "acme", "acme"),
            (by_user(), "workspace.removed", "acme", "acme"),
        ]
        assert [row.details["changed"] for row in changed[:3]] == [["embedding_budget"], ["status"], ["name", "source"]]
        assert {row.company_id for row in changed} == {workspace.company_id}

    def test_a_workspace_is_declared(self, acme: Harness) -> None:
        for name in ("Acme", "Acme", "Other"):
            meet(acme.database, "handbooks", DeclaredWorkspace("acme", name, "notion"), lambda _: None, lambda _: None)
        assert actions(acme) == ["workspace.registered", *["workspace.changed"] * 3]

    def test_one_that_is_not_registered_is_not_told(self, acme: Harness) -> None:
        def fails(_: str) -> None:
            raise OSError("no partition")

        with pytest.raises(OSError):
            registration.register(
                acme.database, "globex", "notion", _settings(acme), fails, lambda _: None, company="Globex"
            )
        assert actions(acme) == ["workspace.registered"]

    def test_a_key_is_made_rotated_and_revoked(self, acme: Harness) -> None:
        with acme.database.connection() as connection:
            workspace = workspaces.find(connection, "acme")
            granted = [Permission("search", workspace.workspace_id, None)]
            made = keys.create(connection, SALT, workspace.company_id, granted, "app", actor=by_key("abcdefgh"))
            new = keys.rotate(connection, SALT, made.key_id)
            for _ in range(2):
                keys.revoke(connection, new.key_id)
            rows = connection.execute("SELECT details::text, company_id FROM audit_logs OFFSET 1").fetchall()
            assert [key.created_by for key in keys.list_all(connection)] == [by_user(), "key:abcdefgh"]
        assert told(acme)[1:] == [
            ("key:abcdefgh", "key.created", made.key_id, "acme"),
            (by_user(), "key.rotated", made.key_id, None),
            (by_user(), "key.revoked", new.key_id, None),
        ]
        assert {company for _, company in rows} == {workspace.company_id}
        for key in (made.key, new.key):
            assert not any(key[13:] in details for details, _ in rows)

    def test_a_token_is_stored_and_not_told(self, acme: Harness) -> None:
        settings = acme.database.settings.model_copy(update={"encryption_key": SecretStr(bytes(range(32)).hex())})
        with acme.database.connection() as connection:
            workspace_id = workspaces.find(connection, "acme").workspace_id
            keep(connection, settings, workspace_id, SecretStr("ntn_planted"))
            assert connection.execute("SELECT FROM audit_logs a WHERE a::text ~ 'planted'").fetchall() == []
        assert actions(acme)[-1] == "token.stored"

    def test_builds_of_an_index_change_places(self, acme: Harness) -> None:
        acme.world.add_page("Vacation policy", blocks="Everyone has 30 days of vacation a year.")
        acme.settle()
        acme.sync()

        def call(function: Any, *arguments: Any, **options: Any) -> None:
            with acme.database.connection() as connection:
                function(connection, workspaces.find(connection, "acme").workspace_id, *arguments, **options)

        call(lifecycle.rebuild_index, "default", promote=True)
        acme.fill()
        call(lifecycle.rebuild_index, "default")
        acme.fill()
        call(lifecycle.promote, "default", actor=by_key("abcdefgh"))
        call(lifecycle.roll_back, "default")
        assert told(acme)[1:] == [
            (by_user(), "index.published", "default", "acme"),
            ("key:abcdefgh", "index.promoted", "default", "acme"),
            (by_user(), "index.rolled_back", "default", "acme"),
        ]
        with acme.database.connection() as connection:
            rows = entries(connection, "acme", 3)
        assert rows[0].details["build"] == rows[1].details["before"] == rows[2].details["build"]

    def test_removals_are_allowed(self, acme: Harness) -> None:
        pages = [acme.world.add_page(f"Page {number}", blocks="Text.") for number in range(3)]
        acme.settle()
        acme.sync()
        for page in pages[:2]:
            acme.world.trash(page)
        acme.settle()
        acme.sync(Mode.FULL, allow_removals=2)
        assert told(acme)[1:] == [(by_user(), "removals.allowed", "generation 2", "acme")]
        acme.world.trash(pages[2])
        acme.settle()
        acme.sync(Mode.FULL)
        assert len(told(acme)) == 2


def _settings(acme: Harness) -> Any:
    with acme.database.connection() as connection:
        workspace_id = workspaces.find(connection, "acme").workspace_id
        return replace(lifecycle.find_builds(connection, workspace_id, "default")[0].settings)


class TestTheChain:
    def test_is_whole_as_it_is_written_and_tells_its_head(self, acme: Harness) -> None:
        write(acme, "a", "", "끝\n\"'\\")
        with acme.database.connection() as connection:
            found = verified(connection)
            last = entries(connection, None, 1)[0]
        assert (found.entries, found.head, found.broken_at, found.problem) == (4, last.hash, None, "")

    def test_of_nothing_is_whole(self, acme: Harness) -> None:
        with as_superuser(acme) as connection:
            connection.execute("DELETE FROM audit_logs")
        with acme.database.connection() as connection:
            found = verified(connection)
        assert (found.entries, found.head, found.problem) == (0, None, "")

    @pytest.mark.parametrize(
        "change",
        [
            "actor = 'user:nobody'", "at = at - interval '1 microsecond'", "company_id = gen_random_uuid()",
            "workspace_id = gen_random_uuid()", "workspace_slug = 'other'", "action = 'key.created'", "object = 'x'",
            "details = '{}'", "hash = sha256('x')",
        ],
    )  # fmt: skip
    def test_shows_the_row_that_a_superuser_changed(self, acme: Harness, change: str) -> None:
        write(acme, "a", "b", "c")
        with as_superuser(acme) as connection:
            connection.execute(f"UPDATE audit_logs SET {change} WHERE audit_log_id = 3")  # type: ignore[arg-type]
        with acme.database.connection() as connection:
            found = verified(connection)
        assert found.broken_at == 3 and found.problem == "Row 3 was changed since it was written."

    def test_shows_a_row_that_was_replaced_with_its_hash(self, acme: Harness) -> None:
        write(acme, "a", "b")
        with as_superuser(acme) as connection:
            connection.execute("UPDATE audit_logs SET object = 'x', previous_hash = sha256('x') WHERE audit_log_id = 2")
        assert problem(acme) == "Row 2 does not go on from row 1: one of them was replaced."

    @pytest.mark.parametrize(
        ("removed", "said"),
        [("= 1", "Row 1 is missing."), ("= 3", "Row 3 is missing."), ("IN (2, 3)", "Rows 2 to 3 are missing.")],
    )
    def test_shows_what_was_removed_before_its_end(self, acme: Harness, removed: str, said: str) -> None:
        write(acme, "a", "b", "c")
        with as_superuser(acme) as connection:
            connection.execute(f"DELETE FROM audit_logs WHERE audit_log_id {removed}")  # type: ignore[arg-type]
        assert problem(acme) == said

    def test_that_lost_its_end_is_noticed_by_a_head_that_was_noted(self, acme: Harness) -> None:
        write(acme, "a", "b")
        with acme.database.connection() as connection:
            head = verified(connection).head
        write(acme, "c")
        assert problem(acme, head) == ""
        with as_superuser(acme) as connection:
            connection.execute("DELETE FROM audit_logs WHERE audit_log_id > 2")
        assert problem(acme) == ""
        assert "has lost its end" in problem(acme, head)

    def test_is_one_though_many_write_at_once(self, acme: Harness) -> None:
        at_once = threading.Barrier(8)

        def many() -> None:
            with closing(acme.database.connect()) as connection:
                at_once.wait()
                for number in range(10):
                    with connection.transaction():
                        record(connection, None, "key.revoked", str(number))

        threads = [threading.Thread(target=many) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with acme.database.connection() as connection:
            found = verified(connection)
        assert (found.entries, found.problem) == (81, "")

    def test_has_no_gap_where_a_transaction_was_rolled_back(self, acme: Harness) -> None:
        with acme.database.connection() as connection, connection.transaction(force_rollback=True):
            record(connection, None, "key.revoked", "never")
        write(acme, "a")
        assert problem(acme) == "" and len(told(acme)) == 2


class TestNobody:
    @pytest.mark.parametrize(
        "statement", ["UPDATE audit_logs SET object = ''", "DELETE FROM audit_logs", "TRUNCATE audit_logs"]
    )
    def test_changes_a_row_not_even_its_owner(self, acme: Harness, statement: Any) -> None:
        for connect in (acme.database.connect, acme.superuser):
            with (
                closing(connect()) as connection,
                pytest.raises(psycopg.errors.InsufficientPrivilege, match="only added to"),
            ):
                connection.execute(statement)
        for connect in (acme.reader, lambda: acme.connected_as("arcana_server")):
            with (
                closing(connect()) as connection,
                pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"),
            ):
                connection.execute(statement)

    def test_gives_a_row_another_time_number_or_hash(self, acme: Harness) -> None:
        with acme.database.connection() as connection:
            connection.execute(
                "INSERT INTO audit_logs VALUES (77, '2001-01-01', 'user:a', NULL, NULL, NULL, 'key.revoked', 'x', "
                "'{}', sha256('a'), sha256('b'))"
            )
            row = entries(connection, None, 1)[0]
        assert row.audit_log_id == 2 and row.at.year > 2001 and problem(acme) == ""

    def test_does_what_is_no_action(self, acme: Harness) -> None:
        with acme.database.connection() as connection, pytest.raises(psycopg.errors.CheckViolation):
            record(connection, None, "key.shown", "x")  # type: ignore[arg-type]


class TestWhoServesACompany:
    def test_adds_rows_of_it_alone_and_reads_none(self, acme: Harness) -> None:
        with acme.database.connection() as connection:
            workspace = workspaces.find(connection, "acme")
        with closing(acme.connected_as("arcana_server")) as connection:

            @contextmanager
            def acting() -> Iterator[None]:
                with connection.transaction():
                    connection.execute(
                        "SELECT set_config('arcana.company_id', %s, true), set_config('role', %s, true)",
                        [str(workspace.company_id), company_role(workspace.company_id)],
                    )
                    yield

            key = by_key("abcdefgh")
            with acting():
                record(connection, key, "workspace.changed", "acme", workspace_id=workspace.workspace_id)
            with pytest.raises(psycopg.errors.InsufficientPrivilege), acting():
                record(connection, key, "workspace.changed", "theirs", company_id=uuid4())
            with pytest.raises(psycopg.errors.InsufficientPrivilege), acting():
                connection.execute("SELECT FROM audit_logs")
        assert told(acme)[1:] == [("key:abcdefgh", "workspace.changed", "acme", "acme")] and problem(acme) == ""

    def test_goes_on_from_the_true_row_whatever_tables_it_has_of_its_own(self, acme: Harness) -> None:
        with acme.database.connection() as connection:
            connection.execute("CREATE TEMP TABLE audit_logs AS SELECT * FROM public.audit_logs WITH NO DATA")
            connection.execute(
                "INSERT INTO public.audit_logs (actor, action, object, details) "
                "VALUES ('user:a', 'key.revoked', '', '{}')"
            )
            connection.execute("DROP TABLE pg_temp.audit_logs")
            assert verified(connection).entries == 2
        assert problem(acme) == ""
