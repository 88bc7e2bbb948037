"""Which backups are kept, and that none that is kept ever lacks a part."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from arcana_pipelines.backup import manifest, objects
from arcana_pipelines.backup.manifest import Manifest
from arcana_pipelines.backup.places import FolderPlace
from arcana_pipelines.backup.prune import kept_ones, prune
from arcana_pipelines.backup.sealing import PIECE_BYTES
from arcana_pipelines.backup.vault import PartWriter, Vault, open_vault
from arcana_pipelines.backup.verify import require_whole
from arcana_pipelines.errors import BackupDamaged, BackupRefused
from arcana_pipelines.settings import Settings
from arcana_pipelines_tests.files.buckets import BucketServer

NOW = datetime(2026, 11, 30, 3, tzinfo=UTC)


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with open_vault(str(tmp_path / "place"), Settings(), may_make=True) as opened:  # type: ignore[call-arg]
        yield opened


def _make(vault: Vault, days: int, files: list[bytes], parent: Manifest | None = None) -> Manifest:
    """A backup of so many days ago, with these files."""
    at = NOW - timedelta(days=days)
    backup_id = f"{at:%Y%m%dT%H%M%SZ}-{days:06x}"
    folder = manifest.folder_of(backup_id)
    named = []
    for content in files:
        sha256 = hashlib.sha256(content).hexdigest()
        zero = "00000000-0000-0000-0000-000000000000"
        named.append(objects.Object(f"{zero}/notion/{zero}/{sha256[:2]}/{sha256}", len(content)))
        for number, name in enumerate(objects.pieces_of(vault, named[-1])):
            vault.put(name, content[number * PIECE_BYTES : (number + 1) * PIECE_BYTES])
    with PartWriter(vault, folder, "database") as writer:
        writer.write(b"rows" * days)
    listed, number, size = objects.write_list(vault, folder, named)
    made = Manifest(
        backup_id=backup_id, kind="full" if parent is None else "incremental", at=at, finished_at=at, seconds=1.0,
        release="0", revision="0044", schema="public", server=18,
        parts={part.name: part for part in (writer.part, listed)}, objects=number, object_bytes=size, kept=0,
        parent=None if parent is None else parent.backup_id, details={"system_id": "1", "start_lsn": "0/0"},
    )  # fmt: skip
    manifest.write(vault, made)
    return made


def test_the_newest_and_what_it_needs_are_kept_however_old_they_are(vault: Vault) -> None:
    old = _make(vault, 50, [])
    full = _make(vault, 40, [])
    one = _make(vault, 39, [], full)
    two = _make(vault, 38, [], one)
    every = [old, full, one, two]
    assert kept_ones(every, NOW - timedelta(days=30)) == [full, one, two]
    assert kept_ones(every[:3], NOW - timedelta(days=30)) == [full, one]
    assert kept_ones(every, NOW - timedelta(days=45)) == [full, one, two]
    assert kept_ones(every, NOW - timedelta(days=60)) == every
    assert kept_ones([], NOW) == []


def test_files_that_a_kept_backup_names_stay(vault: Vault) -> None:
    _make(vault, 40, [b"old", b"both"])
    young = _make(vault, 2, [b"both", b"young"])
    done = prune(vault, 30, NOW)
    assert (len(done.backups), done.kept, manifest.ids(vault)) == (1, 1, [young.backup_id])
    require_whole(vault, young, set())
    assert len(list(vault.place.names("objects/"))) == 2


def test_what_is_kept_is_whole_at_every_moment_of_a_prune_that_is_killed(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = _make(vault, 60, [b"a", b"b"])
    _make(vault, 59, [b"b", b"c"], full)
    young = _make(vault, 2, [b"c", b"d"])
    delete = FolderPlace.delete
    moments = 0
    while True:
        left = [1]

        def killed(self: FolderPlace, name: str, left: list[int] = left) -> None:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            delete(self, name)

        monkeypatch.setattr(FolderPlace, "delete", killed)
        try:
            prune(vault, 30, NOW)
            break
        except KeyboardInterrupt:
            moments += 1
        finally:
            monkeypatch.undo()
        for each in manifest.all_of(vault):
            if each == young:
                require_whole(vault, each, set())
            else:
                manifest.chain(vault, each)  # none without what it needs
    assert moments > 5
    prune(vault, 30, NOW)
    names = [kept.name for kept in vault.place.names("")]
    assert len([name for name in names if name.startswith("objects/")]) == 2
    assert all(young.backup_id in name for name in names if name.startswith("backups/"))


def test_nothing_is_deleted_while_somebody_reads_or_where_a_list_of_files_is_damaged(vault: Vault) -> None:
    _make(vault, 40, [b"old"])
    young = _make(vault, 1, [b"young"])
    with vault.place.locked(exclusive=False) as held:
        assert held
        before = [kept.name for kept in vault.place.names("")]
        with pytest.raises(BackupRefused, match="in use"):
            prune(vault, 30, NOW)
    vault.place.put(f"{young.folder}/objects.000000", b"?")
    with pytest.raises(BackupDamaged):
        prune(vault, 30, NOW)
    assert [kept.name for kept in vault.place.names("")] == before


def test_what_killed_backups_left_goes(vault: Vault) -> None:
    young = _make(vault, 1, [b"young"])
    begun = _make(vault, 0, [b"begun"])
    manifest.delete(vault, begun.backup_id)
    root = Path(vault.place.shown)
    (root / "objects" / ".new-abc").write_bytes(b"half")
    prune(vault, 30, NOW)
    assert manifest.all_ids(vault) == {young.backup_id: True}
    assert len(list(vault.place.names("objects/"))) == 1 and not list(vault.place.leftovers())


def test_in_a_bucket_what_is_young_is_left_alone(ministack: BucketServer) -> None:
    named = ministack.environment(ministack.new_bucket())
    settings = Settings(**{name.lower(): value for name, value in named.items() if name != "S3_BUCKET_NAME"})
    with open_vault(f"s3://{named['S3_BUCKET_NAME']}/backups of/ours", settings, may_make=True) as vault:
        old, young = _make(vault, 40, [b"old", b"both"]), _make(vault, 2, [b"both", b"young"])
        begun = _make(vault, 0, [b"begun"])
        manifest.delete(vault, begun.backup_id)
        now = datetime.now(UTC)
        done = prune(vault, (now - NOW).days + 30, now)
        assert done.backups == [old.backup_id] and manifest.all_ids(vault) == {
            young.backup_id: True,
            begun.backup_id: False,
        }
        assert len(list(vault.place.names("objects/"))) == 4
        # A day later nobody makes it any more.
        prune(vault, (now - NOW).days + 30, now + timedelta(days=2))
        assert manifest.all_ids(vault) == {young.backup_id: True}
        assert len(list(vault.place.names("objects/"))) == 2
        require_whole(vault, young, set())
