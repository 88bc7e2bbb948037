"""What is refused in one sentence before anything is touched, and what is left when something ends in the middle."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import closing
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from arcana_pipelines.backup import manifest
from arcana_pipelines.backup.create import create
from arcana_pipelines.backup.physical import restored_at
from arcana_pipelines.backup.places import FolderPlace
from arcana_pipelines.backup.prune import prune
from arcana_pipelines.backup.restore import restore, restore_data_directory
from arcana_pipelines.backup.vault import open_vault
from arcana_pipelines.db import schema
from arcana_pipelines.db.embedded.programs import programs
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.query import scalar
from arcana_pipelines.errors import ArcanaError, BackupDamaged, BackupRefused, RestoreRefused
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.indexed_workspace import IndexedWorkspace
from arcana_pipelines.testing.postgres import DatabaseServer
from arcana_pipelines_tests.backup.conftest import ANOTHER_KEY, KEY, files_of

_TABLES = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname = 'document'"


def _with_key(settings: Settings, key: str | None, previous: str | None = None) -> Settings:
    secrets = {"encryption_key": key and SecretStr(key), "encryption_key_previous": previous and SecretStr(previous)}
    return settings.model_copy(update=secrets)


def _refused(settings: Settings, place: str | Path, **options: str) -> str:
    """What is said, while nothing is touched."""
    with pytest.raises(ArcanaError) as caught:
        restore(settings, str(place), **options)  # type: ignore[arg-type]
    assert not settings.home.exists()
    with closing(Database(settings)) as database, database.connection() as connection:
        assert scalar(connection, _TABLES) == 0
    assert str(caught.value).count("\n") == 0
    return str(caught.value)


@pytest.fixture
def made(encrypted: Settings, place: str) -> str:
    """The id of an encrypted backup at the place."""
    with closing(Database(encrypted)) as database:
        return create(database, place).manifest.backup_id


def test_a_flipped_bit_and_a_missing_file_are_refused_wherever_they_are(
    made: str, place: str, empty: Settings, tmp_path: Path
) -> None:
    there = _with_key(empty, KEY)
    files = [file for file in files_of(place) if file.name != "lock"]
    assert len(files) > 5
    for file in files:
        for how in ("flipped", "missing", "cut"):
            other = tmp_path / "other"
            shutil.copytree(place, other)
            damaged = other / file.relative_to(place)
            content = damaged.read_bytes()
            if how == "missing":
                damaged.unlink()
            else:
                middle = len(content) // 2
                flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
                damaged.write_bytes(flipped if how == "flipped" else content[:middle])
            said = _refused(there, other)
            assert "missing" in said or "other bytes" in said or "no backup" in said or "does not open" in said
            shutil.rmtree(other)


def test_a_backup_in_the_place_of_another_is_refused(
    encrypted: Settings, made: str, place: str, empty: Settings
) -> None:
    with closing(Database(encrypted)) as database:
        later = create(database, place).manifest.backup_id
    backups = Path(place) / "backups"
    shutil.rmtree(backups / later)
    (backups / made).rename(backups / later)
    assert "other bytes" in _refused(_with_key(empty, KEY), place)


def test_no_key_and_a_wrong_key_are_refused_and_a_rotated_one_is_not(made: str, place: str, empty: Settings) -> None:
    assert "are encrypted: set the ENCRYPTION_KEY" in _refused(_with_key(empty, None), place)
    assert "does not open" in _refused(_with_key(empty, ANOTHER_KEY), place)
    # The next backup lets the new key open the place, and the old one no more.
    rotated = _with_key(empty, ANOTHER_KEY, previous=KEY)
    with open_vault(place, rotated, may_make=True) as vault:
        assert manifest.ids(vault) == [made]
    assert "does not open" in _refused(_with_key(empty, KEY), place)
    assert restore(_with_key(empty, ANOTHER_KEY), place).manifest.backup_id == made


def test_a_place_is_encrypted_or_not_for_good(database: Database, encrypted: Settings, place: str) -> None:
    assert not create(database, place).is_encrypted
    with closing(Database(encrypted)) as other, pytest.raises(BackupRefused, match="are not encrypted"):
        create(other, place)


def test_a_backup_of_a_newer_release_is_refused(
    database: Database, place: str, empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(database, place)
    monkeypatch.setattr(schema, "newest_revision", lambda: "0001")
    assert "install the release that made it" in _refused(empty, place)


def test_what_is_not_there_is_refused(database: Database, place: str, empty: Settings) -> None:
    assert "not a folder" in _refused(empty, place)
    create(database, place)
    assert "no backup '20200101T000000Z-abcdef'" in _refused(empty, place, backup_id="20200101T000000Z-abcdef")
    assert "no backup '../../x'" in _refused(empty, place, backup_id="../../x")


def test_a_home_that_holds_something_is_refused(database: Database, place: str, tmp_path: Path) -> None:
    create(database, place)
    home = tmp_path / "mine"
    home.mkdir()
    (home / "letter.txt").write_text("dear")
    with pytest.raises(RestoreRefused, match=r"is not empty \(letter\.txt\)"):
        restore(Settings(arcana_home=home), place)  # type: ignore[call-arg]
    assert [file.name for file in files_of(home)] == ["letter.txt"]


def test_a_user_without_the_right_is_told_so_before_it_begins(database: Database, place: str) -> None:
    for kind in ("full", "incremental"):
        with pytest.raises(BackupRefused, match="only logical backups can be made"):
            create(database, place, kind)  # type: ignore[arg-type]
    assert not Path(place).exists()


class _Killed(BaseException):
    pass


def test_a_backup_that_is_killed_is_none_and_its_parts_go_with_the_next_prune(
    arcana_index: IndexedWorkspace, place: str, empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = arcana_index.database
    good = create(database, place).manifest
    before = files_of(place)
    put = FolderPlace.put
    for moment in range(10):
        left = [moment]

        def killed(self: FolderPlace, name: str, content: bytes, left: list[int] = left) -> None:
            if not left[0]:
                raise _Killed
            left[0] -= 1
            put(self, name, content)

        monkeypatch.setattr(FolderPlace, "put", killed)
        try:
            create(database, place)
        except _Killed:
            pass
        else:
            break  # it needs no more files
        finally:
            monkeypatch.undo()
        with open_vault(place, database.settings) as vault:
            assert manifest.ids(vault) == [good.backup_id]
    assert moment > 3
    with open_vault(place, database.settings) as vault:
        done = prune(vault, 1, good.finished_at)
        kept = set(manifest.ids(vault))
    assert good.backup_id in kept and done.files == sum(range(moment))
    assert set(before) <= set(files_of(place))
    assert restore(empty, place, good.backup_id).manifest == good


def test_a_damaged_place_is_named_by_its_file(made: str, place: str, encrypted: Settings) -> None:
    part = next(file for file in files_of(place) if file.name.startswith("database"))
    part.write_bytes(part.read_bytes()[:-1])
    with open_vault(place, encrypted) as vault:
        whole = manifest.newest(vault)
        with pytest.raises(BackupDamaged, match=f"{made}/database.000000"):
            list(vault.read(whole.folder, whole.parts["database"]))


def test_files_of_a_server_of_ones_own_become_a_data_directory_and_no_home(
    arcana_server: DatabaseServer, database: Database, place: str, tmp_path: Path
) -> None:
    parts = urlsplit(database.url)
    superuser = SecretStr(arcana_server.address(parts.path.removeprefix("/"), "postgres"))
    settings = database.settings.model_copy(update={"database_url": superuser})
    with closing(Database(settings)) as own:
        full = create(own, place, "full").manifest
        later = create(own, place, "incremental").manifest
        assert (full.kind, later.parent) == ("full", full.backup_id)
        logical = create(own, place, "logical").manifest
    home = Settings(arcana_home=tmp_path / "restored")  # type: ignore[call-arg]
    with pytest.raises(RestoreRefused, match="of a server of your own"):
        restore(home, place, later.backup_id)
    assert not home.home.exists()
    data = tmp_path / "data"
    with pytest.raises(RestoreRefused, match="is logical"):
        restore_data_directory(home, place, data, logical.backup_id)
    restore_data_directory(home, place, data, later.backup_id)
    assert (data / "recovery.signal").exists() and (data / "PG_VERSION").read_text() == "18\n"
    asked = [programs() / "postgres", "-C", "arcana.restored_at", "-D", data]  # in this order root may
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    assert datetime.fromisoformat(said) > later.finished_at, "the server that is started there says so"
    with database.connection() as connection:
        assert restored_at(connection) is None
        connection.execute("SELECT set_config('arcana.restored_at', %s, false)", [said])
        assert restored_at(connection) == datetime.fromisoformat(said)
    with pytest.raises(RestoreRefused, match="is there already"):
        restore_data_directory(home, place, data, later.backup_id)
