"""Set-based statements, one file each, loaded by name. Parameters are bound by psycopg."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import LiteralString


@cache
def load_sql(name: str) -> LiteralString:
    """The text of `{name}.sql` in this folder."""
    # The text is ours, from the package: as literal as one written in the code.
    return (Path(__file__).parent / f"{name}.sql").read_text(encoding="utf-8")
