"""Installations that are backed up and restored, each with a server of its own where that is what is tested."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr

from arcana_pipelines.db.engine import Database
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.postgres import DatabaseServer

KEY = bytes(range(32)).hex()
ANOTHER_KEY = bytes(range(1, 33)).hex()


@pytest.fixture
def place(tmp_path: Path) -> str:
    """Where backups are put."""
    return str(tmp_path / "place")


@pytest.fixture
def encrypted(settings: Settings) -> Settings:
    """The settings of `settings`, with an ENCRYPTION_KEY."""
    return settings.model_copy(update={"encryption_key": SecretStr(KEY)})


@pytest.fixture
def empty(arcana_server: DatabaseServer, tmp_path: Path) -> Iterator[Settings]:
    """Settings of an installation to restore into: an empty database, and a home that is not there yet."""
    with arcana_server.database(with_tables=False) as url:
        yield Settings(  # type: ignore[call-arg]
            arcana_home=tmp_path / "restored", database_url=SecretStr(url), embedding_provider="local-small"
        )


@pytest.fixture
def restored(empty: Settings) -> Iterator[Database]:
    """The database that `empty` names."""
    with closing(Database(empty)) as database:
        yield database


def files_of(folder: str | Path) -> list[Path]:
    """All files below a folder."""
    return sorted(Path(top, name) for top, _, names in os.walk(folder) for name in names)
