"""Set-based statements: one `.sql` file each, in the folder `sql` beside the code that runs it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import LiteralString


def statements_beside(file: str) -> Callable[[str], LiteralString]:
    """The statements of a module's folder by name (`load_sql = statements_beside(__file__)`).

    Parameters are bound by psycopg.
    """
    folder = Path(file).parent / "sql"

    @cache
    def load_sql(name: str) -> LiteralString:
        # The text is ours, from the package: as literal as one written in the code.
        return (folder / f"{name}.sql").read_text(encoding="utf-8")

    return load_sql
