"""A PostgreSQL of a benchmark's own."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from arcana_pipelines.db.embedded import lease

OURS = ("ARCANA_", "DATABASE_", "NOTION_", "EMBEDDING_", "OPENAI_", "BATCH_SIZE", "MAX_CONCURRENT")


@contextlib.contextmanager
def own_server() -> Iterator[tuple[Path, str]]:
    """(ARCANA_HOME, URL) of an embedded server in a temporary folder; whatever the environment says is forgotten."""
    for name in [name for name in os.environ if name.startswith(OURS)]:
        del os.environ[name]
    os.environ["EMBEDDING_PROVIDER"] = "local-small"
    home = Path(tempfile.mkdtemp(prefix="arcana-bench-"))
    try:
        yield home, lease.acquire_lease(home)
    finally:
        lease.release_lease(home)
        if lease.wait_until_stopped(home):
            shutil.rmtree(home, ignore_errors=True)
