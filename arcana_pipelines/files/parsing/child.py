"""The process that reads one file: it confines itself, calls the parser, writes what that says, and ends."""

from __future__ import annotations

import errno
import importlib
import json
import os
import sys
import traceback
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

from arcana_pipelines.files.kinds import FileKind
from arcana_pipelines.files.parsing.confinement import confine
from arcana_pipelines.files.parsing.protocol import Job, Reason, Unreadable
from arcana_pipelines.files.parsing.wire import to_line

_OURS = "arcana_pipelines"


def main() -> None:
    """Read the file of the job that standard input names (a JSON object), and say it on standard output."""
    told = json.loads(sys.stdin.buffer.read())
    out = _own_output()
    job = Job(
        path=Path(told["path"]),
        kind=FileKind(told["kind"]),
        name=told["name"],
        directory=Path(told["directory"]),
        pictures=told["pictures"],
        most_rows=told["most_rows"],
    )
    with Path("/proc/self/status").open("rb", buffering=0) as status:
        confine(told["parent"], [job.path, *_package_of(told["module"])], job.directory)
        try:
            for said in importlib.import_module(told["module"]).parse(job):
                out.write(to_line(said))
        except Unreadable as error:
            _say(out, {"is": "unreadable", "reason": error.reason.value, "detail": error.detail})
        except MemoryError:
            _say(out, _unreadable(Reason.TOO_LARGE, "it takes more memory than a file may"))
        except Exception as error:  # of a library, on bytes that nobody has foreseen
            _say(out, _of_error(error))
        else:
            _say(out, {"is": "end", "peak": _peak(status.read())})
        out.close()
    # Nothing is left to tidy up, and what a library does when it ends may take long.
    os._exit(0)


def _own_output() -> BinaryIO:
    """Where lines go. What a library prints goes nowhere."""
    out = os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "r+b") as nowhere:
        for standard in (0, 1, 2):
            os.dup2(nowhere.fileno(), standard)
    return out


def _package_of(module: str) -> list[Path]:
    """Where a parser of another distribution lies."""
    package, _, _ = module.partition(".")
    found = find_spec(package) if package != _OURS else None
    return [Path(each) for each in (found.submodule_search_locations or ())] if found is not None else []


def _of_error(error: Exception) -> dict[str, Any]:
    """Without the words of the error: they may be those of the file."""
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        return _unreadable(Reason.TOO_LARGE, "it unpacks to more than a file may")
    if isinstance(error, ModuleNotFoundError):
        return _unreadable(Reason.NOT_INSTALLED, f"the module {error.name} is missing")
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _OURS in frame.filename] or frames
    where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
    return _unreadable(Reason.DAMAGED, f"its parser cannot make sense of it ({type(error).__name__} at {where})")


def _unreadable(reason: Reason, detail: str) -> dict[str, Any]:
    return {"is": "unreadable", "reason": reason.value, "detail": detail}


def _say(out: BinaryIO, told: dict[str, Any]) -> None:
    out.write(json.dumps(told).encode() + b"\n")


def _peak(status: bytes) -> int:
    """The most memory that this process has had, in bytes (the kernel's own count begins with its parent's)."""
    for line in status.splitlines():
        if line.startswith(b"VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
