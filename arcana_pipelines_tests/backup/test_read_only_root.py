"""In a container with a read-only root, whose volumes are mounted below ARCANA_HOME, nothing is made beside them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from arcana_pipelines.backup import scratch
from arcana_pipelines.backup.create import create
from arcana_pipelines.backup.restore import restore
from arcana_pipelines.db.engine import Database
from arcana_pipelines.settings import Settings


@contextmanager
def read_only(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing may be made in the home itself; the tests' user may write wherever the kernel lets root."""
    (home / "storage").mkdir(parents=True, exist_ok=True)
    access, before = os.access, sorted(os.listdir(home))
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: Path(path) != home and access(path, mode))
        yield
    assert sorted(os.listdir(home)) == before


def test_a_backup_is_restored_there(
    database: Database, place: str, empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with read_only(database.settings.home, monkeypatch):
        create(database, place)
    with read_only(empty.home, monkeypatch):
        restore(empty, place)
        assert "EMBEDDING_PROVIDER" in (empty.storage_root / "settings.restored").read_text(encoding="utf-8")


def test_a_drill_has_its_server_on_the_volume(database: Database, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    homes: list[Path] = []

    def restored(settings: Settings, *_: Any, **__: Any) -> None:
        homes.append(settings.home)
        raise KeyboardInterrupt

    monkeypatch.setattr(scratch, "restore", restored)
    with (
        read_only(database.settings.home, monkeypatch), pytest.raises(KeyboardInterrupt),
        scratch.restored(database.settings, place, None),
    ):  # fmt: skip
        pass
    assert homes[0].parent == database.settings.storage_root / "drills"
