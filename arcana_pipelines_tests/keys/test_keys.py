"""Keys open what they were made for, and nothing when they are over."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Access, Permission, access_of
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
