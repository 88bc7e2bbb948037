"""What pytest makes of the text of each module of tests, so that an `assert` says more, made once for all workers.

In a new checkout each worker would make all of it, which takes ten seconds of the processor. The next runs find it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from _pytest.assertion import rewrite

TESTS = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """A worker makes its share before it collects; what another one has not made yet it makes as ever."""
    worker = getattr(session.config, "workerinput", None)
    if worker is None or sys.dont_write_bytecode or [Path(each).name for each in session.config.args] != [TESTS.name]:
        return
    largest_first = sorted(TESTS.rglob("test_*.py"), key=lambda path: (-path.stat().st_size, path))
    for path in largest_first[int(worker["workerid"].removeprefix("gw")) :: worker["workercount"]]:
        folder = rewrite.get_cache_dir(path)
        made = folder / f"{path.stem}{rewrite.PYC_TAIL}"
        if rewrite._read_pyc(path, made) is None and rewrite.try_makedirs(folder):
            state = session.config.stash[rewrite.assertstate_key]
            digest, code = rewrite._rewrite_test(path, session.config)
            rewrite._write_pyc(state, code, digest, made)
