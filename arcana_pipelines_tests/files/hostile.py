"""A parser that does what somebody would do who has taken over a parser: what the file says, a deed a line."""

from __future__ import annotations

import os
import resource
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from arcana_pipelines.files.parsing.blocks import Block, Inside, Said
from arcana_pipelines.files.parsing.protocol import Job


def parse(job: Job) -> Iterator[Said]:
    for line in job.path.read_text().splitlines():
        deed, _, rest = line.partition(" ")
        if deed in _TRIES:
            yield Block("text", _outcome(_TRIES[deed], rest, job))
        else:
            yield from _DEEDS[deed](rest, job)


def _outcome(attempt: Callable[[str, Job], object], rest: str, job: Job) -> str:
    try:
        return f"done: {attempt(rest, job)}"
    except OSError as error:
        return f"refused: {error.strerror}"
    except ValueError as error:  # so Python calls it where a limit may not be set
        return f"refused: {error}"


def _names_a_file(rest: str, job: Job) -> Iterator[Said]:
    yield Inside("../../etc/passwd", rest)


def _keeps_a_file(rest: str, job: Job) -> Iterator[Said]:
    (job.directory / "a").write_text(rest)
    yield Inside("../name of its own", "a")


def _floods(rest: str, job: Job) -> Iterator[Said]:
    while True:
        yield Block("text", "x" * 100_000)


def _writes_a_line(rest: str, job: Job) -> Iterator[Said]:
    os.write(_output(), rest.encode() + b"\n")
    os._exit(0)
    yield


def _output() -> int:
    """Where our side writes its lines: the one pipe that is open."""
    for number in range(3, 64):
        with suppress(OSError):
            if stat.S_ISFIFO(os.fstat(number).st_mode):
                return number
    raise AssertionError


def _prints(rest: str, job: Job) -> Iterator[Said]:
    print(rest)
    sys.stderr.write(rest)
    yield Block("text", "said")


def _hogs(rest: str, job: Job) -> Iterator[Said]:
    yield Block("text", str(len(bytearray(2 * 2**30))))


def _fails(rest: str, job: Job) -> Iterator[Said]:
    raise ValueError(rest)
    yield


def _ends(rest: str, job: Job) -> Iterator[Said]:
    yield Block("text", "half of it")
    os._exit(int(rest))


def _aborts(rest: str, job: Job) -> Iterator[Said]:
    os.abort()
    yield


def _waits(rest: str, job: Job) -> Iterator[Said]:
    signal.pause()
    yield


_DEEDS: dict[str, Callable[[str, Job], Iterator[Said]]] = {
    "names": _names_a_file, "keeps": _keeps_a_file, "floods": _floods, "raw": _writes_a_line, "prints": _prints,
    "hogs": _hogs, "fails": _fails, "ends": _ends, "aborts": _aborts, "waits": _waits,
}  # fmt: skip

_TRIES: dict[str, Callable[[str, Job], object]] = {
    "socket": lambda rest, job: socket.socket(),
    "unix-socket": lambda rest, job: socket.socketpair(),
    "program": lambda rest, job: os.execv("/bin/true", ["true"]),
    "starts": lambda rest, job: subprocess.run(["/bin/true"], check=True),
    "fork": lambda rest, job: os.fork(),
    "kill": lambda rest, job: os.kill(os.getppid(), 0),
    "write": lambda rest, job: Path(rest).write_text("x"),
    "read": lambda rest, job: Path(rest).read_text(),
    "list": lambda rest, job: os.listdir(rest),
    "delete": lambda rest, job: Path(rest).unlink(),
    "chmod": lambda rest, job: os.chmod(rest, 0o777),
    "link": lambda rest, job: os.link(job.path, job.directory / "a"),
    "symlink": lambda rest, job: os.symlink(rest, job.directory / "a"),
    "large": lambda rest, job: (job.directory / "a").write_bytes(bytes(200 * 2**20)),
    "more-memory": lambda rest, job: resource.setrlimit(resource.RLIMIT_AS, (2**40, 2**40)),
    "variables": lambda rest, job: sorted(os.environ),
    "beside": lambda rest, job: (job.directory / "a").write_text("x"),
}
