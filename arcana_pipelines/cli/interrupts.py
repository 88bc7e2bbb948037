"""Ctrl-C and SIGTERM while a run works in this process: a sentence within seconds, whatever the run waits for."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import click

from arcana_pipelines.cli.output import print_json

# A run that is asked to stop has this long to write down how far it came, and we to write down that it was.
GRACE_SECONDS = 3.0
RECORD_SECONDS = 1.0


class Interrupted(BaseException):
    """A run was ended by a signal. The message says what is kept and what goes on from there."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


@contextmanager
def interruptible(
    message: str, record: Callable[[], object], as_json: bool
) -> Iterator[Callable[[], Interrupted | None]]:
    """Note SIGINT and SIGTERM, and end the process with `message` where the run does not end by itself.

    What runs may take the handlers of the two signals (Dagster does), and may wait in code that no handler interrupts:
    signals are read from Python's wakeup descriptor by a thread, which gives what runs `GRACE_SECONDS`, less after a
    second signal, then calls `record` and leaves. Yields a function that says whether a signal came.
    https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd
    """
    received: list[int] = []
    heard = threading.Event()
    reader, writer = socket.socketpair()
    writer.setblocking(False)

    def watch() -> None:
        number = _next(reader)
        if number is None:
            return
        received.append(number)
        heard.set()
        reader.settimeout(GRACE_SECONDS)
        try:
            if _next(reader) is None:
                return  # it ended by itself
        except TimeoutError:
            pass
        recorder = threading.Thread(target=record, daemon=True)
        recorder.start()
        recorder.join(RECORD_SECONDS)
        leave(Interrupted(message, number), as_json)

    def signalled() -> Interrupted | None:
        heard.wait(0.2)  # what a signal raised may be here before the thread has read of it
        return Interrupted(message, received[0]) if received else None

    def raise_interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    handlers = {number: signal.signal(number, raise_interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    descriptor = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(target=watch, name="signals", daemon=True)
    watcher.start()
    try:
        yield signalled
    finally:
        signal.set_wakeup_fd(descriptor)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        writer.close()
        watcher.join(timeout=1)
        reader.close()


def leave(interrupted: Interrupted, as_json: bool) -> NoReturn:
    """Say so and end the process, without waiting for threads that wait for something else."""
    if as_json:
        print_json({"error": str(interrupted)})
    click.echo(f"\n{interrupted}", err=True)
    sys.stdout.flush()
    os._exit(interrupted.exit_code)


def _next(reader: socket.socket) -> int | None:
    """The next of the two signals; None when no caller waits for one any more."""
    while data := reader.recv(1):
        if data[0] in (signal.SIGINT, signal.SIGTERM):
            return data[0]
    return None
