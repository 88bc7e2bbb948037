"""Keys open what they were made for, and nothing when they are over."""

from __future__ import annotations

import json
from typing import Any, get_args
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from arcana_pipelines.cli.commands import key as key_command
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import scalars
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Access, Permission, Scope, access_of
from arcana_pipelines.keys.limits import read_limit
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.companies import company_named
from arcana_pipelines_tests.harness import Harness

SALT = "a salt of thirty-two characters and more"


def made(connection: Connection, acme: UUID, *permissions: Permission, days: int | None = None) -> keys.NewKey:
    (company,) = connection.execute("SELECT company_id FROM workspace WHERE workspace_id = %s", [acme]).fetchone() or ()
    return keys.create(connection, SALT, company, permissions, "app", days)


def access(connection: Connection, key: keys.NewKey) -> Access | None:
    return access_of(connection, key.key, SALT)


def test_a_key_may_do_what_it_was_made_for_and_nothing_else(acme: Harness) -> None:
    with acme.database.connection() as connection:
        here, other = workspaces.find(connection, "acme").workspace_id, uuid4()
        found = access(connection, made(connection, here, Permission("search", here, "default")))
    assert found is not None
    assert found.sees(here) and found.may("search", here) and found.may_in("search", here, "default")
    assert not found.may_in("search", here, "drafts") and not found.may("read", here)
    assert not found.sees(other) and not found.may("search", other)


def test_a_key_of_a_company_opens_all_its_workspaces(acme: Harness) -> None:
    with acme.database.connection() as connection:
        here = workspaces.find(connection, "acme").workspace_id
        found = access(connection, made(connection, here, Permission("search", None, None)))
    assert found is not None and found.may_in("search", uuid4(), "any")


def test_a_key_s_family_are_those_that_it_was_rotated_from_or_into(acme: Harness) -> None:
    with acme.database.connection() as connection:
        here = workspaces.find(connection, "acme").workspace_id
        first, other = (made(connection, here, Permission("search", here, None)) for _ in range(2))
        second = keys.rotate(connection, SALT, first.key_id)
        third = keys.rotate(connection, SALT, second.key_id)
        families = [
            set(scalars(connection, "SELECT key_family(%s)", [key_id]))
            for key_id in (first.key_id, second.key_id, third.key_id, other.key_id, "somebody@elsewhere")
        ]
    whole = {first.key_id, second.key_id, third.key_id}
    assert families == [whole, whole, whole, {other.key_id}, {"somebody@elsewhere"}]


def test_only_the_key_itself_opens_anything(acme: Harness) -> None:
    with acme.database.connection() as connection:
        here = workspaces.find(connection, "acme").workspace_id
        key = made(connection, here, Permission("search", here, None))
        other = made(connection, here, Permission("search", here, None))
        assert access_of(connection, key.key, SALT + "!") is None
        assert access_of(connection, "", SALT) is None
        assert access_of(connection, "arc_" + key.key_id + other.key[12:], SALT) is None
        rows = connection.execute("SELECT to_jsonb(k)::text FROM api_keys k").fetchall()
    assert not any(key.key[13:] in row for (row,) in rows)


def test_a_key_that_is_over_opens_nothing(acme: Harness) -> None:
    with acme.database.connection() as connection:
        here = workspaces.find(connection, "acme").workspace_id
        revoked = made(connection, here, Permission("search", here, None))
        expired = made(connection, here, Permission("search", here, None), days=1)
        assert access(connection, revoked) and access(connection, expired)
        keys.revoke(connection, revoked.key_id)
        keys.revoke(connection, revoked.key_id)
        connection.execute("UPDATE api_keys SET expires_at = now() WHERE key_id = %s", [expired.key_id])
        assert access(connection, revoked) is None and access(connection, expired) is None
        states = {key.key_id: key.state for key in keys.list_all(connection)}
        assert states == {revoked.key_id: "revoked", expired.key_id: "expired"}
        with pytest.raises(WrongUse, match="no key"):
            keys.revoke(connection, "abcdefgh")


def test_a_rotated_key_goes_on_for_a_while_beside_the_new_one(acme: Harness) -> None:
    with acme.database.connection() as connection:
        here = workspaces.find(connection, "acme").workspace_id
        old = made(connection, here, Permission("search", here, "default"), Permission("read", here, None))
        new = keys.rotate(connection, SALT, old.key_id, overlap_days=7)
        before, after = access(connection, old), access(connection, new)
        assert before is not None and after is not None and new.expires_at is None
        assert set(before.permissions) == set(after.permissions)
        connection.execute("UPDATE api_keys SET expires_at = expires_at - interval '7 days'")
        assert access(connection, old) is None and access(connection, new) is not None
        with pytest.raises(WrongUse, match="still good"):
            keys.rotate(connection, SALT, old.key_id)


def test_when_a_key_was_used_is_known_to_the_minute(acme: Harness) -> None:
    with acme.database.connection() as connection:
        here = workspaces.find(connection, "acme").workspace_id
        key = made(connection, here, Permission("search", here, None))
        access(connection, key)
        (first,) = keys.list_all(connection)
        access(connection, key)
        (second,) = keys.list_all(connection)
    assert first.last_used_at is not None and first.last_used_at == second.last_used_at


def test_a_key_has_no_workspace_of_another_company(acme: Harness) -> None:
    with acme.database.connection() as connection:
        here = workspaces.find(connection, "acme").workspace_id
        other = company_named(connection, "Globex")
        with pytest.raises(Exception, match="api_key_permissions_workspace_id_fkey"):
            keys.create(connection, SALT, other, [Permission("search", here, None)], "app")
        assert keys.list_all(connection) == []


@pytest.fixture
def handbook(acme: Harness) -> UUID:
    """A workspace with a page, a row, and two pages of one title."""
    acme.world.add_page("Handbook", blocks="Everyone reads it.")
    for _ in range(2):
        acme.world.add_page("Notes", blocks="Some notes.")
    tasks = acme.world.add_database("Tasks", schema={"Status": "select", "Cost": "number"})
    acme.world.add_row(tasks.data_source_id, "Lunch", {"Status": "Open", "Cost": 5})
    acme.settle()
    acme.sync()
    with acme.database.connection() as connection:
        return workspaces.find(connection, "acme").workspace_id


class TestAFilter:
    """What a key's searches find nothing beyond."""

    def test_is_kept_by_ids_so_that_another_page_of_the_title_widens_nothing(
        self, acme: Harness, handbook: UUID
    ) -> None:
        limit = read_limit(
            '{"below": "Handbook", "properties": [{"name": "status", "operator": "=", "value": "open"}]}'
        )
        with acme.database.connection() as connection:
            key = made(connection, handbook, Permission("search", handbook, None, limit))
            found = access(connection, key)
            (listed,) = keys.list_all(connection)
            rotated = access(connection, keys.rotate(connection, SALT, key.key_id))
        ((page,),) = acme.rows("SELECT external_id FROM source_page WHERE title = 'Handbook'")
        assert found is not None and rotated is not None
        (held,) = found.limits(handbook, "default")
        assert held.below == page and held.properties[0].name == "Status"
        assert found.permissions == rotated.permissions and hash(held) == hash(rotated.limits(handbook, "any")[0])
        assert listed.scopes[0].startswith("search in acme within {") and page in listed.scopes[0]

    @pytest.mark.parametrize("said", ["", "[]", "{}", "null", "{", '{"kind": "page"}', '{"kinds": ["pages"]}',
                                      '{"below": " "}', '{"edited_since": "2026-01-01T00:00:00"}',
                                      '{"kinds": "page"}', '{"properties": ["Status=Open"]}'])  # fmt: skip
    def test_that_cannot_be_meant_is_refused_in_a_sentence(self, said: str) -> None:
        with pytest.raises(WrongUse) as refused:
            read_limit(said)
        assert len(str(refused.value)) > 20

    @pytest.mark.parametrize(
        ("said", "why"),
        [
            ({"below": "Nowhere"}, "no page 'Nowhere'"),
            ({"below": "Notes"}, "2 pages are called 'Notes'"),
            ({"links_to": "Nowhere"}, "no page 'Nowhere'"),
            ({"properties": [{"name": "State", "operator": "=", "value": "Open"}]}, "no property 'State'"),
            (
                {"properties": [{"name": "Status", "operator": "!=", "value": "Opne"}]},
                "No document has 'Status' = 'Opne'",
            ),
            ({"properties": [{"name": "Cost", "operator": ">", "value": "much"}]}, "'Cost' holds numbers"),
        ],
    )
    def test_of_what_the_workspace_has_not_makes_no_key(
        self, acme: Harness, handbook: UUID, said: dict[str, Any], why: str
    ) -> None:
        limit = read_limit(json.dumps(said))
        with acme.database.connection() as connection:
            with pytest.raises(WrongUse, match=why):
                made(connection, handbook, Permission("search", handbook, None, limit))
            assert keys.list_all(connection) == []

    def test_is_of_searches_alone_and_of_pages_only_where_the_workspace_is_named(
        self, acme: Harness, handbook: UUID
    ) -> None:
        pages, below = read_limit('{"kinds": ["page"]}'), read_limit('{"below": "Handbook"}')
        with acme.database.connection() as connection:
            for scope in get_args(Scope):
                if scope not in ("search", "notes", "review"):
                    both = (Permission("search", handbook, None, pages), Permission(scope, handbook, None))
                    for granted in (both, [Permission(scope, handbook, None, pages)]):
                        with pytest.raises(WrongUse, match="may search, and review what it finds, and nothing else"):
                            made(connection, handbook, *granted)
            free = Permission("search", handbook, None)
            with pytest.raises(WrongUse, match="one filter for an index"):
                made(connection, handbook, free, Permission("search", handbook, None, pages))
            with pytest.raises(WrongUse, match="those of a workspace"):
                made(connection, handbook, Permission("search", None, None, below))
            everywhere = access(connection, made(connection, handbook, Permission("search", None, None, pages)))
        assert everywhere is not None
        assert [each.kinds for each in everywhere.limits(uuid4(), "any")] == [("page",)]

    def test_is_that_of_reviews_too_which_are_within_what_is_searched(self, acme: Harness, handbook: UUID) -> None:
        pages = read_limit('{"kinds": ["page"]}')
        both = [Permission(scope, handbook, None, pages) for scope in ("search", "review")]
        with acme.database.connection() as connection:
            found = access(connection, made(connection, handbook, *both))
            with pytest.raises(WrongUse, match="has the scope 'search', too"):
                made(connection, handbook, both[1])
        assert found is not None and found.may("review", handbook)
        assert [each.kinds for each in found.limits(handbook, "default")] == [("page",)]

    def test_holds_wherever_its_permission_does_whatever_else_the_key_has(self, acme: Harness, handbook: UUID) -> None:
        pages, rows = read_limit('{"kinds": ["page"]}'), read_limit('{"kinds": ["row"]}')
        with acme.database.connection() as connection:
            granted = [
                Permission("search", None, None, pages),
                Permission("search", handbook, None),
                Permission("search", handbook, "drafts", rows),
            ]
            found = access(connection, made(connection, handbook, *granted))
        assert found is not None
        kinds = {index: {each.kinds for each in found.limits(handbook, index)} for index in ("default", "drafts")}
        assert kinds == {"default": {("page",)}, "drafts": {("page",), ("row",)}}
        assert [each.kinds for each in found.limits(uuid4(), "drafts")] == [("page",)]

    def test_is_given_to_the_command_and_shown_in_its_list(
        self, acme: Harness, handbook: UUID, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        changed = acme.database.settings.model_copy(update={"api_key_salt": SecretStr(SALT)})
        monkeypatch.setattr(acme.database, "settings", changed)
        monkeypatch.setattr(key_command, "open_database", lambda: acme.database)

        def run(*arguments: str) -> Result:
            return CliRunner().invoke(key_command.command, arguments)

        asked = ("create", "--workspace", "acme", "--scope", "search")
        wrong = run(*asked, "--filter", "pages")
        assert isinstance(wrong.exception, WrongUse) and "Write it as in a search" in str(wrong.exception)
        assert run(*asked, "--filter", '{"kinds": ["page"]}').exit_code == 0
        assert "opens nothing" in run("create", "--workspace", "acme", "--scope", "notes").stderr
        assert run(*asked, "--scope", "notes").stderr == ""
        assert """search in acme within {"kinds": ["page"]}""" in run("list").output
