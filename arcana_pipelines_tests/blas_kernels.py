"""What a test's module computes on another processor: with other kernels of numpy's BLAS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any


def vectors_under(kernel: str, module: str) -> Any:
    """What `print_vectors` of a module prints, as JSON, in a process whose OpenBLAS has this kernel.

    Elsewhere than in OpenBLAS for x86-64 the names of kernels are not known.
    """
    elsewhere = subprocess.run(
        [sys.executable, "-c", f"import {module} as tests; tests.print_vectors()"],
        env={**os.environ, "OPENBLAS_CORETYPE": kernel},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(elsewhere.stdout)
