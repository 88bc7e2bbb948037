"""What was recorded and published of the real API. It lies beside the repository and is not part of it."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def shared_file(name: str) -> Path:
    """The file or folder, or a skipped test that says what is missing."""
    path = SHARED_DATA / name
    if not path.exists():
        pytest.skip(f"shared/data/{name} is not beside the repository: NOTHING was compared with the real API.")
    return path
