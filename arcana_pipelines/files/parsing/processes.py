"""Processes that are given a stranger's file: they get nothing of ours, end when told, and are read with a cap."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import arcana_pipelines
from arcana_pipelines.files.parsing.protocol import Reason, Unreadable

# With our path and not what -m would put before it, as a follower is started (pipeline/follow.py).
_CODE = "import sys; sys.path[:] = sys.argv[2:]; from importlib import import_module; import_module(sys.argv[1]).main()"
_ISOLATED = ("-I", "-S", "-B", "-X", "utf8")
# Nothing else of the environment reaches it: no token, no proxy, no setting of Python's. Without this one some Pythons
# do not start.
_KEPT = ("LD_LIBRARY_PATH",)
# Where our package lies. `pip install --editable` may make it known by a hook alone, which an isolated Python has not.
_ROOT = str(Path(arcana_pipelines.__file__).resolve().parents[1])
_PIECE = 2**16
_SECONDS_TO_END = 5.0


@contextmanager
def started(
    module: str, directory: Path, job: Mapping[str, object], errors: IO[bytes] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """The function `main` of a module of ours in a process of its own, until the block ends.

    It is in a session of its own and ended with all that it started. It confines itself. The job comes to it through
    its standard input, as JSON. What it complains of goes to `errors`, or nowhere: it may be words of a file.
    """
    process = subprocess.Popen(
        [sys.executable, *_ISOLATED, "-c", _CODE, module, *(each for each in sys.path if each), _ROOT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if errors is None else errors,
        bufsize=0,
        cwd=directory,
        env={each: os.environ[each] for each in _KEPT if each in os.environ},
        start_new_session=True,
    )
    with process:
        try:
            assert process.stdin is not None
            with suppress(BrokenPipeError):  # it has ended already, and how says the rest
                process.stdin.write(json.dumps({**job, "parent": os.getpid()}).encode())
                process.stdin.close()
            yield process
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def lines_of(
    process: subprocess.Popen[bytes], seconds: float, most_bytes: int, look: Callable[[], None] = lambda: None
) -> Iterator[bytes]:
    """What a process writes, line by line, until it closes its output.

    Args:
        look: called about once a second, and at the end.

    Raises:
        Unreadable: it takes longer, or writes more.
    """
    assert process.stdout is not None
    deadline, look_at = time.monotonic() + seconds, 0.0
    read, rest = 0, bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if (now := time.monotonic()) > deadline:
                raise Unreadable(Reason.TIMEOUT, f"reading it takes longer than {seconds:.0f} seconds")
            if now > look_at:
                look()
                look_at = now + 1
            if not selector.select(timeout=1):
                continue
            piece = os.read(process.stdout.fileno(), _PIECE)
            if not piece:
                break
            read += len(piece)
            if read > most_bytes:
                raise Unreadable(Reason.TOO_LARGE, f"its text has more than {most_bytes:,} bytes")
            if (last := piece.rfind(b"\n")) < 0:
                rest += piece
                continue
            whole = bytes(rest) + piece[:last]
            rest = bytearray(piece[last + 1 :])
            yield from whole.split(b"\n")
    look()
    if rest:
        yield bytes(rest)


def exit_code_of(process: subprocess.Popen[bytes]) -> int:
    """How a process has ended that has closed its output.

    Raises:
        Unreadable: it does not end.
    """
    try:
        return process.wait(timeout=_SECONDS_TO_END)
    except subprocess.TimeoutExpired as error:
        raise Unreadable(Reason.TIMEOUT, "its process does not end") from error


def reason_of(code: int) -> Unreadable:
    """Why a process has ended too early."""
    if code == -signal.SIGXCPU:
        return Unreadable(Reason.TIMEOUT, "reading it takes more of the processor than a file may")
    if code == -signal.SIGXFSZ:
        return Unreadable(Reason.TOO_LARGE, "it unpacks to more than a file may")
    if code < 0:
        # Whoever asks for too much memory in C is aborted, and looks like whoever has a fault.
        return Unreadable(Reason.CRASHED, f"its process was ended by signal {-code}")
    return Unreadable(Reason.CRASHED, f"its process ended with exit code {code}")
