"""Which languages tesseract reads here: what a file is read as depends on it, and it is asked without reading one."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import lru_cache


def is_available(languages: str) -> bool:
    """Whether tesseract is installed with the data of these languages (`kor+eng`)."""
    return bool(languages) and set(languages.split("+")) <= installed_languages()


@lru_cache(maxsize=1)
def installed_languages() -> frozenset[str]:
    """What tesseract has data of, `osd` among them, by which it sees how a page lies; empty where it is missing."""
    if (program := shutil.which("tesseract")) is None:
        return frozenset()
    try:
        told = subprocess.run([program, "--list-langs"], capture_output=True, env=environment(), timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return frozenset()
    return frozenset(told.stdout.decode(errors="replace").split("\n")[1:]) - {""}


def environment() -> dict[str, str]:
    """One thread, as pictures are read one a processor; and where the data of languages lies, if it is elsewhere."""
    kept = {name: os.environ[name] for name in ("TESSDATA_PREFIX", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "OMP_THREAD_LIMIT": "1"}
