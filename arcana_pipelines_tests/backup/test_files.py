"""The bytes of files: those that the snapshot names, each once in a place, and none deleted meanwhile."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr

from arcana_pipelines.backup import logical, manifest, objects
from arcana_pipelines.backup.copying import copying
from arcana_pipelines.backup.create import create
from arcana_pipelines.backup.restore import restore
from arcana_pipelines.backup.vault import open_vault
from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import BackupRefused, FileStoreRefused
from arcana_pipelines.files.stores.registry import key_of, open_file_store
from arcana_pipelines.pipeline import document_files
from arcana_pipelines.pipeline.session import workspace_session
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.indexed_workspace import IndexedWorkspace
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.files.buckets import BucketServer

BIG = bytes(range(256)) * 70_000  # 17.9 MB, in two pieces


@pytest.fixture
def keep(arcana_index: IndexedWorkspace, tmp_path: Path) -> Callable[[bytes], str]:
    """Keeps bytes in the store, with their row; returns their key. There are no others."""
    with arcana_index.database.connection() as connection, connection.transaction():
        connection.execute("DELETE FROM stored_file")

    def kept(content: bytes) -> str:
        database, sha256 = arcana_index.database, hashlib.sha256(content).hexdigest()
        source = tmp_path / sha256
        source.write_bytes(content)
        with database.connection() as connection:
            workspace = workspaces.find(connection, "acme")
            key = key_of(workspace.company_id, workspace.platform, workspace.workspace_id, sha256)
            with open_file_store(database.settings) as store:
                store.put(key, source, sha256, len(content))
            with connection.transaction():
                connection.execute(
                    "INSERT INTO stored_file (workspace_id, sha256, size, kind, mime_type, storage_key) "
                    "VALUES (%s, %s, %s, 'text', 'text/plain', %s)",
                    [workspace.workspace_id, bytes.fromhex(sha256), len(content), key],
                )
        return key

    return kept


def _content(settings: Settings, key: str) -> bytes:
    with open_file_store(settings) as store:
        return b"".join(store.read(key))


def _number_of_objects(database: Database, place: str) -> int:
    with open_vault(place, database.settings) as vault:
        return len(list(vault.place.names("objects/")))


def test_their_bytes_are_there_again_and_are_in_the_place_once(
    arcana_index: IndexedWorkspace, keep: Callable[[bytes], str], place: str, empty: Settings
) -> None:
    database = arcana_index.database
    contents = [b"", b"a small one", BIG]
    keys = [keep(content) for content in contents]

    first = create(database, place).manifest
    assert (first.objects, first.object_bytes, _number_of_objects(database, place)) == (3, len(BIG) + 11, 4)
    contents.append(b"another")
    keys.append(keep(b"another"))
    second = create(database, place).manifest
    assert (second.objects, _number_of_objects(database, place)) == (4, 5)

    done = restore(empty, place)
    assert (done.files, done.files_missing) == (4, 0)
    assert [_content(empty, key) for key in keys] == contents


def test_what_the_store_has_lost_is_noted_and_the_rest_is_backed_up(
    arcana_index: IndexedWorkspace, keep: Callable[[bytes], str], place: str, empty: Settings
) -> None:
    database = arcana_index.database
    lost, damaged, good = keep(b"lost"), keep(BIG), keep(b"good")
    folder = database.settings.storage_root / "files"
    (folder / lost).unlink()
    with (folder / damaged).open("r+b") as file:
        file.write(b"?")

    made = create(database, place).manifest
    assert sorted(made.missing) == sorted(key.rsplit("/", 1)[1] for key in (lost, damaged))
    assert _number_of_objects(database, place) == 1
    done = restore(empty, place)
    assert (done.files, done.files_missing) == (1, 2)
    assert _content(empty, good) == b"good"


def test_one_that_came_after_the_snapshot_is_in_neither(
    arcana_index: IndexedWorkspace,
    keep: Callable[[bytes], str],
    place: str,
    empty: Settings,
    restored: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep(b"before")
    dump = logical.dump

    def later(*arguments: object) -> object:
        keep(b"after")
        return dump(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(logical, "dump", later)
    database = arcana_index.database
    made = create(database, place).manifest
    with open_vault(place, database.settings) as vault:
        named = [each.size for each in objects.read_list(vault, manifest.newest(vault))]
    restore(empty, place)
    with restored.connection() as connection:
        sizes = connection.execute("SELECT size FROM stored_file").fetchall()
    assert named == [6] and sizes == [(6,)] and made.objects == 1


def test_none_is_swept_while_a_backup_copies(arcana_index: IndexedWorkspace, keep: Callable[[bytes], str]) -> None:
    database = arcana_index.database
    key = keep(b"purged a moment ago")
    os.utime(database.settings.storage_root / "files" / key, (0, 0))
    with workspace_session(database, "acme") as session, open_file_store(database.settings) as store:
        with session.connection.transaction():
            session.connection.execute("DELETE FROM stored_file")
        with database.own_connection() as guard, copying(guard), database.own_connection() as other, copying(other):
            document_files._sweep(session, store)
            assert store.size(key) is not None
        document_files._sweep(session, store)
        assert store.size(key) is None


def test_a_place_in_a_bucket(
    arcana_index: IndexedWorkspace, keep: Callable[[bytes], str], nanio: BucketServer, empty: Settings
) -> None:
    named = nanio.environment(nanio.new_bucket())
    more = {
        "s3_endpoint_url": nanio.endpoint,
        "s3_access_key": SecretStr("test"),
        "s3_secret_key": SecretStr(nanio.secret_key),
    }
    place = f"s3://{named['S3_BUCKET_NAME']}/ours"
    key = keep(BIG)
    with closing(Database(arcana_index.database.settings.model_copy(update=more))) as database:
        made = create(database, place).manifest
    done = restore(empty.model_copy(update=more), place)
    assert done.manifest == made and _content(empty, key) == BIG
    with pytest.raises(FileStoreRefused, match="no such bucket"):
        restore(empty.model_copy(update=more), "s3://no-such-bucket/ours")
    for wrong in ("s3://", "http://bucket/x", "s3://key:secret@bucket/x"):
        with pytest.raises(BackupRefused, match="is the path of a folder, or"):
            restore(empty.model_copy(update=more), wrong)
