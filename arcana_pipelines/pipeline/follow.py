"""The index follows the reading: while pages are read, another process of the same run makes them searchable."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pydantic import SecretStr

from arcana_pipelines.embedding.catalogue import model_named
from arcana_pipelines.indexes.builds import live_builds
from arcana_pipelines.ledger import pages
from arcana_pipelines.observing import traces
from arcana_pipelines.pipeline.document_content import process_slice
from arcana_pipelines.pipeline.follower import ALL_IS_READ, ALL_IS_STAGED, LARGEST_SLICE, MORE_IS_READ, Slice
from arcana_pipelines.pipeline.processes import without_interrupts
from arcana_pipelines.pipeline.session import Session

log = logging.getLogger(__name__)

# A reading that is over sooner gains nothing: the process takes a second to start.
AFTER_SECONDS = 5.0
# How long it takes is known beforehand, for a page is a request: by the limit of requests a minute, and where there is
# none, by what answers allow that take as long as a source's do.
LONG_MINUTES = 1 / 6
UNLIMITED = 3000
# Where embedding takes longer than cutting, what is cut sooner is found no sooner, and what is cut far ahead waits for
# one publish: so many tokens a second are faster. And fewer pages the other process has cut before this one has loaded
# what it cuts with.
FAST = 50_000
HELP_FROM = 100
_MOST_SAID = 1 << 16
# With our path and not what -m would put before it: a file `json.py` in the directory where somebody syncs is not run.
# What modules hold stays to the end: no collection looks at it.
_CODE = (
    "import gc, os, sys; gc.disable(); sys.path[:] = sys.argv[1:]; "
    "from arcana_pipelines.pipeline.follower import main; gc.freeze(); gc.enable(); os._exit(main())"
)


def may_follow(session: Session) -> bool:
    """False where another process cannot be told what embeds, or many texts together cost half: a slice has too few."""
    if session.is_embedder_given:
        return False
    if not session.settings.openai_batch_above:
        return True
    builds = live_builds(session.connection, session.workspace.workspace_id)
    return all(model_named(build.embedding_model).runs_here for build in builds)


class Follower:
    """The other process, which is started when it is worth it."""

    def __init__(self, session: Session, tell: Callable[[Slice], None]) -> None:
        """`tell` hears of each slice."""
        self.did = Slice()
        self._session = session
        self._tell = tell
        self._began = time.monotonic()
        self._process: subprocess.Popen[bytes] | None = None
        self._heard = b""

    def expect(self, left: int) -> None:
        """Called while pages are listed, with how many will be read at least: the process starts meanwhile."""
        if self._process is None and self._takes_long(left):
            self._process = self._start()

    def look(self, left: int) -> None:
        """Called while pages are read, with how many are left: start the process, or hear what it has done."""
        if self._process is None:
            self.expect(left)
        else:
            self._talk(self._process, MORE_IS_READ)

    def _talk(self, process: subprocess.Popen[bytes], line: str) -> None:
        """Tell the process something, and hear what it has done."""
        assert process.stdin is not None and process.stdout is not None
        with suppress(BrokenPipeError):  # it has ended, and has said why
            # Where it reads nothing the pipe gets full, and nothing more is written: nobody waits for it here.
            process.stdin.write(line.encode())
        self._hear(process.stdout.read(_MOST_SAID) or b"")

    def _takes_long(self, left: int) -> bool:
        if time.monotonic() - self._began >= AFTER_SECONDS:
            return True
        # What a limit allows at once is read at once, and then nothing for the rest of the minute.
        return left > LONG_MINUTES * (self._session.settings.notion_requests_per_minute or UNLIMITED)

    def end(self) -> None:
        """Let it index what it has not come to yet, and wait for that."""
        if (process := self._process) is None:
            return
        assert process.stdin is not None and process.stdout is not None
        self._help(process)
        # Not `with process`: what interrupts the waiting would wait there for a process that may stand still.
        os.set_blocking(process.stdin.fileno(), True)
        with suppress(BrokenPipeError):  # it has ended already, and has said why
            process.stdin.write(ALL_IS_STAGED.encode())
        os.set_blocking(process.stdout.fileno(), True)
        while said := process.stdout.read(_MOST_SAID):
            self._hear(said)
        with process:
            process.wait()
        if process.returncode not in (0, 1):
            log.warning("the process that indexes while pages are read ended with exit code %d", process.returncode)

    def _help(self, process: subprocess.Popen[bytes]) -> None:
        """Make the contents of what is left and cut them, those read last first: the other process embeds and publishes
        them.
        """
        connection, generation = self._session.connection, self._session.generation
        if not self._can_help() or pages.count_just_read(connection, generation) < HELP_FROM:
            return
        self._talk(process, ALL_IS_READ)
        while process.poll() is None:
            with traces.span("contents of the end") as say:
                made = process_slice(connection, generation, LARGEST_SLICE, is_end=True, last_first=True)
                say(pages=made.processed)
            if not made.processed:
                return
            self._talk(process, MORE_IS_READ)

    def _can_help(self) -> bool:
        """Whether this process has a core of its own, and cutting is what takes long."""
        builds = live_builds(self._session.connection, self._session.workspace.workspace_id)
        speeds = [model_named(build.embedding_model).tokens_per_second for build in builds]
        return self._session.processes > 1 and all(speed is not None and speed >= FAST for speed in speeds)

    def kill(self) -> None:
        """End it at once: the run has failed or was interrupted. What it has committed is kept."""
        if self._process is not None:
            with self._process as process:
                process.kill()

    def _start(self) -> subprocess.Popen[bytes]:
        with without_interrupts():
            process = subprocess.Popen(
                [sys.executable, "-c", _CODE, *(path for path in sys.path if path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
            )
        assert process.stdin is not None and process.stdout is not None
        told = {
            "settings": _plain(self._session.settings.model_dump()),
            "workspace": self._session.workspace.slug,
            "run": self._session.lease.run,
            "trace": traces.told(),
        }
        # Not as arguments or variables: what stands there, other processes can read.
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(told).encode() + b"\n")
        os.set_blocking(process.stdin.fileno(), False)
        os.set_blocking(process.stdout.fileno(), False)
        return process

    def _hear(self, said: bytes) -> None:
        self._heard += said
        *lines, self._heard = self._heard.split(b"\n")
        for line in lines:
            told = json.loads(line)
            if "failed" in told:
                log.warning("pages are indexed when all are read: %s", told["failed"])
            else:
                did = Slice(**told)
                self.did += did
                self._tell(did)


@contextmanager
def following(session: Session, tell: Callable[[Slice], None]) -> Iterator[Follower]:
    """Follow what is read within the block; at its end all of it is indexed, if following has begun."""
    follower = Follower(session, tell)
    try:
        yield follower
        follower.end()
    except BaseException:
        follower.kill()
        raise


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Settings as JSON can carry them."""
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr)
        else value if value is None or isinstance(value, int | float)
        else str(value)
        for name, value in values.items()
    }  # fmt: skip
