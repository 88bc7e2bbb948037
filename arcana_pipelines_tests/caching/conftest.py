from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from arcana_pipelines_tests.caching.valkey import Valkey


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey that answers."""
    server = Valkey(tmp_path)
    server.start()
    yield server
    server.end()
