"""A parser that does what somebody would do who has taken over a parser: what the file says, a deed a line."""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import resource
import signal
import socket
import stat
import struct
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


_CLONE = 56 if platform.machine() == "x86_64" else 220
_A_THREAD = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000


def _raised(name: str, number: int | None, *arguments: int) -> int:
    """A function of the C library, or a system call by its number."""
    libc = ctypes.CDLL(None, use_errno=True)
    passed = [ctypes.c_long(each) for each in arguments]
    result = libc.syscall(ctypes.c_long(number), *passed) if number is not None else getattr(libc, name)(*passed)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)


def _signal_of_a_pipe() -> None:
    """Who owns a pipe is told by a signal of one's choice that there is something to read in it."""
    reads, writes = os.pipe()
    fcntl.fcntl(reads, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    for command, value in ((10, signal.SIGWINCH), (fcntl.F_SETOWN, os.getppid())):  # 10: F_SETSIG
        fcntl.fcntl(reads, command, value)
    os.write(writes, b"x")


def _capabilities() -> int:
    """All but those that Landlock stands above: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""
    header, held = ctypes.create_string_buffer(struct.pack("<Ii", 0x20080522, 0), 8), ctypes.create_string_buffer(24)
    ctypes.CDLL(None).capget(header, held)
    effective, permitted, inheritable, *upper = struct.unpack("<6I", held.raw)
    return (effective | permitted) & ~6 | inheritable | sum(upper)


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
    "signal-of-a-pipe": lambda rest, job: _signal_of_a_pipe(),
    "priority": lambda rest, job: os.setpriority(os.PRIO_PROCESS, os.getppid(), 15),
    "processor": lambda rest, job: os.sched_setaffinity(os.getppid(), {0}),
    "thread": lambda rest, job: _raised("clone", _CLONE, _A_THREAD, 0, 0, 0, 0),
    "outlive": lambda rest, job: _raised("prctl", None, 1, 0, 0, 0, 0),
    "shared-memory": lambda rest, job: _raised("shmget", None, 0, 4096, 0o1600),
    "messages": lambda rest, job: _raised("msgget", None, 0, 0o1600),
    "memory-file": lambda rest, job: os.memfd_create("a"),
    "nameless-file": lambda rest, job: os.open(job.directory, os.O_TMPFILE | os.O_RDWR),
    "remove-own": lambda rest, job: ((job.directory / "a").write_text("x"), (job.directory / "a").unlink()),
    "times": lambda rest, job: os.utime(rest, (0, 0)),
    "watch": lambda rest, job: _raised("inotify_init", None),
    "rights-of-root": lambda rest, job: _capabilities(),
    "beside": lambda rest, job: (job.directory / "a").write_text("x"),
}
