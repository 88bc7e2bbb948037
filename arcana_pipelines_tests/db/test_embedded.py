"""The embedded server: started once, shared, stopped when its last user ends, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from arcana_pipelines.db import embedded

pytestmark = pytest.mark.e2e

_USER = """
import sys
from pathlib import Path
from arcana_pipelines.db import embedded
print(embedded.acquire_lease(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def _use(home: Path) -> subprocess.Popen[str]:
    user = subprocess.Popen(
        [sys.executable, "-c", _USER, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert user.stdout
    assert user.stdout.readline().startswith("postgresql://")
    return user


def _answers(home: Path) -> bool:
    try:
        psycopg.connect(embedded.server_url(home)).close()
    except psycopg.OperationalError:
        return False
    return True


def test_users_share_one_server_that_ends_with_the_last_of_them(tmp_path: Path) -> None:
    first, second = _use(tmp_path), _use(tmp_path)
    first.communicate("")
    assert not embedded.wait_until_stopped(tmp_path, timeout=1)
    assert _answers(tmp_path)
    os.kill(second.pid, signal.SIGKILL)
    second.communicate()
    assert embedded.wait_until_stopped(tmp_path)
    assert not _answers(tmp_path)
    third = _use(tmp_path)
    assert _answers(tmp_path)
    third.communicate("")
    assert embedded.wait_until_stopped(tmp_path)


def test_a_home_with_a_long_name_works(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 30)
    user = _use(home)
    user.communicate("")
    assert embedded.wait_until_stopped(home)
