"""A logical backup: a place, what is in it, and an installation that is the same again."""

from __future__ import annotations

import pytest

from arcana_pipelines.backup import manifest
from arcana_pipelines.backup.create import create
from arcana_pipelines.backup.restore import restore
from arcana_pipelines.backup.vault import open_vault
from arcana_pipelines.backup.verify import verify
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.query import scalar
from arcana_pipelines.db.schema import current_revision, drift, newest_revision
from arcana_pipelines.errors import RestoreRefused, WrongUse
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Permission
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.indexed_workspace import IndexedWorkspace
from arcana_pipelines.workspaces import workspaces


def test_what_was_backed_up_is_there_again(
    arcana_index: IndexedWorkspace, place: str, empty: Settings, restored: Database
) -> None:
    database = arcana_index.database
    made = create(database, place)
    done = restore(empty, place)

    assert done.manifest == made.manifest
    assert current_revision(restored) == newest_revision() and drift(restored) == []
    for table in ("document", "document_chunk", "source_page", "embedding_store", "audit_logs"):
        statement = f"SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t"
        with database.connection() as before, restored.connection() as after:
            assert before.execute(statement).fetchone() == after.execute(statement).fetchone()


def test_a_key_that_was_revoked_since_is_good_again_and_that_is_said(
    arcana_index: IndexedWorkspace, place: str, empty: Settings, restored: Database
) -> None:
    database = arcana_index.database
    with database.connection() as connection:
        company_id = workspaces.find(connection, arcana_index.slug).company_id
        keys.create(connection, "salt " * 10, company_id, [Permission("read", None, None)], "leaked")
    create(database, place)
    note = [each for each in restore(empty, place).notes if "Keys of programs" in each]

    assert len(note) == 1 and "Any that was revoked since is good again" in note[0] and "arcana key revoke" in note[0]
    with restored.connection() as connection:
        assert [(each.name, each.state) for each in keys.list_all(connection)] == [("leaked", "good")]


def test_all_of_it_is_read_when_it_is_verified(database: Database, place: str) -> None:
    create(database, place)

    with open_vault(place, database.settings) as vault:
        found = verify(vault, manifest.newest(vault), set())
    assert found.problem is None and found.size > 0


def test_a_database_that_holds_something_is_refused_and_not_touched(database: Database, place: str) -> None:
    create(database, place)

    with pytest.raises(RestoreRefused, match="holds public"):
        restore(database.settings, place)
    with database.connection() as connection:
        assert scalar(connection, "SELECT to_regnamespace('arcana_restore_unfinished')") is None


def test_a_restore_that_was_killed_is_used_by_nothing_until_it_is_done_again(
    database: Database, place: str, empty: Settings, restored: Database
) -> None:
    create(database, place)

    def killed(database: Database) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(empty, place, before_upgrade=killed)
    with pytest.raises(WrongUse, match="was interrupted"):
        current_revision(restored)
    restore(empty, place)
    assert current_revision(restored) == newest_revision() and drift(restored) == []
