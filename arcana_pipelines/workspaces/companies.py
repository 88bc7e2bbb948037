"""Companies: whoever owns workspaces, and the keys to them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from arcana_pipelines.audit.record import record
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import rows, scalar, scalars
from arcana_pipelines.db.reader import grant_to_readers
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import WrongUse

load_sql = statements_beside(__file__)

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


@dataclass(frozen=True, slots=True)
class Company:
    """A company.

    Attributes:
        name: by which it is named in commands.
        workspaces: how many it has.
        keys: that are good.
        requests_per_minute: of all its keys together; None: any number.
        searches_per_month: the same.
        searches: that were answered in this month (UTC).
    """

    name: str
    workspaces: int
    keys: int
    requests_per_minute: int | None
    searches_per_month: int | None
    searches: int


def companies_since(connection: Connection, month: datetime) -> list[Company]:
    """All of them, with the searches since the beginning of a month."""
    return rows(connection, Company, load_sql("companies"), {"since": month})


def limit(connection: Connection, name: str, requests_per_minute: int | None, searches_per_month: int | None) -> None:
    """Limit what all keys of a company together may ask; None: nothing does. Servers know at once.

    Raises:
        WrongUse: there is no such company.
    """
    company_id = existing_company(connection, name)
    limits = {"requests_per_minute": requests_per_minute, "searches_per_month": searches_per_month}
    with connection.transaction():
        connection.execute(
            "UPDATE company SET requests_per_minute = %(requests_per_minute)s, "
            "searches_per_month = %(searches_per_month)s WHERE company_id = %(company_id)s",
            {**limits, "company_id": company_id},
        )
        record(connection, None, "company.changed", name, company_id=company_id, details=limits)


def name_of(connection: Connection, company_id: UUID) -> str:
    """The name of a company that is there."""
    name: str = scalar(connection, "SELECT name FROM company WHERE company_id = %s", [company_id])
    return name


def is_alone(connection: Connection, company_id: UUID) -> bool:
    """Whether no other company has a workspace, one that is being removed among them."""
    statement = "SELECT NOT EXISTS (SELECT FROM workspace WHERE company_id <> %s)"
    return bool(scalar(connection, statement, [company_id]))
