"""The command line as people run it: a process of its own, an installation of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from arcana_pipelines.cli.main import main
from arcana_pipelines.db.engine import Database
from arcana_pipelines.settings import take_anew
from arcana_pipelines.testing.indexed_workspace import IndexedWorkspace
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld
from arcana_pipelines_tests.dagster_sessions import keep_sessions

# The rest of the environment is the person's who runs the tests. The last is set by `make coverage`.
_KEPT = {"PATH", "HOME", "PYTHONPATH", "COVERAGE_PROCESS_CONFIG"}


keep_sessions()


@dataclass
class Arcana:
    """Runs `arcana` with a clean environment."""

    environment: dict[str, str]
    folder: Path
    clean: dict[str, str] = field(default_factory=lambda: {name: os.environ[name] for name in _KEPT & set(os.environ)})

    def __call__(self, *arguments: str, **variables: str | None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "arcana_pipelines.cli", *arguments],
            env=self.merged(variables),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=240,
            stdin=subprocess.DEVNULL,
        )

    def here(self, *arguments: str, **variables: str | None) -> subprocess.CompletedProcess[str]:
        """The same in this process, seconds faster: where a process of its own is not the point."""
        out, err = io.StringIO(), io.StringIO()
        before = dict(os.environ)
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.chdir(self.folder)
            for name in self.environment:
                os.environ.pop(name, None)
            os.environ.update(self.merged(variables))
            try:
                with pytest.raises(SystemExit) as ended:
                    main(list(arguments))
            finally:
                # A process of its own would take along what it set.
                os.environ.clear()
                os.environ.update(before)
                take_anew({})
        return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), out.getvalue(), err.getvalue())

    def json(self, *arguments: str, code: int = 0, **variables: str | None) -> Any:
        """Run with --json in this process: the exit code is `code` and standard output exactly one JSON object."""
        return _told(self.here(*arguments, "--json", **variables), code)

    def json_apart(self, *arguments: str, code: int = 0, **variables: str | None) -> Any:
        """The same in a process of its own, which takes seconds to load what this one has loaded long ago."""
        return _told(self(*arguments, "--json", **variables), code)

    def start(self, *arguments: str, **variables: str | None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "arcana_pipelines.cli", *arguments],
            env=self.merged(variables),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def merged(self, variables: dict[str, str | None]) -> dict[str, str]:
        merged = {**self.clean, **self.environment, **variables}
        return {name: value for name, value in merged.items() if value is not None}


def _told(done: subprocess.CompletedProcess[str], code: int) -> Any:
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def arcana(database: Database, tmp_path: Path, world: NotionWorld, server: NotionServer) -> Arcana:
    """`arcana` on this test's database, with a token for this test's world. Tests of files let it read them."""
    environment = IndexedWorkspace(database, world, server, "none is registered").environment
    return Arcana({**environment, "FILES": "off"}, tmp_path)


@pytest.fixture
def rows(arcana_database_url: str) -> Callable[..., list[tuple[Any, ...]]]:
    """Look into this test's database."""
    import psycopg

    def query(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(arcana_database_url) as connection:
            return connection.execute(statement, parameters).fetchall()

    return query
