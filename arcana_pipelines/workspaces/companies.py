"""Companies: whoever owns workspaces, and the keys to them."""

from __future__ import annotations

import re
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import scalar, scalars
from arcana_pipelines.db.reader import grant_to_readers
from arcana_pipelines.errors import WrongUse

# Whose workspaces are where nobody is named.
DEFAULT = "default"
_NAME = re.compile(r"\S(.{0,198}\S)?")


def company_named(connection: Connection, name: str) -> UUID:
    """The id of the company of this name, which is made where there is none.

    Raises:
        WrongUse: it cannot be a name.
    """
    if not _NAME.fullmatch(name) or not name.isprintable():
        raise WrongUse(f"{name!r} cannot be a company's name: use 1 to 200 characters, without spaces around them.")
    made = connection.execute("INSERT INTO company (name) VALUES (%s) ON CONFLICT DO NOTHING", [name])
    if made.rowcount:
        grant_to_readers(connection)  # as whose role it is served
    found: UUID = scalar(connection, "SELECT company_id FROM company WHERE name = %s", [name])
    return found


def existing_company(connection: Connection, name: str) -> UUID:
    """The id of the company of this name.

    Raises:
        WrongUse: there is none.
    """
    found: UUID | None = scalar(connection, "SELECT company_id FROM company WHERE name = %s", [name])
    if found is None:
        known = ", ".join(
            f"'{each}'" for each in scalars(connection, "SELECT name FROM company ORDER BY name LIMIT 20")
        )
        raise WrongUse(f"There is no company '{name}', only {known}. `arcana workspace add --company` makes one.")
    return found


def name_of(connection: Connection, company_id: UUID) -> str:
    """The name of a company that is there."""
    name: str = scalar(connection, "SELECT name FROM company WHERE company_id = %s", [company_id])
    return name
