"""Accounts of a ticket platform in the tables, with tickets as a sync leaves them there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from arcana_pipelines.db.engine import Database
from arcana_pipelines.workspaces.companies import company_named

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Desk:
    """A workspace whose tickets are read."""

    database: Database
    slug: str
    company_id: UUID
    workspace_id: UUID
    platform: str

    def add(self, ticket_id: str, *, minute: int = 0, **columns: Any) -> UUID:
        """A ticket that was changed so many minutes after noon."""
        told = {
            "company_id": self.company_id, "platform": self.platform, "workspace_id": self.workspace_id,
            "ticket_id": ticket_id, "title": f"Ticket {ticket_id} of {self.slug}", "status": "Open", "priority": "Low",
            "updated_at": NOON + timedelta(minutes=minute), **columns,
        }  # fmt: skip
        held = {name: Jsonb(value) if isinstance(value, dict | list) else value for name, value in told.items()}
        names, places = ", ".join(held), ", ".join(f"%({name})s" for name in held)
        statement = f"INSERT INTO tickets ({names}) VALUES ({places}) RETURNING id"
        return self._change(statement, held)  # type: ignore[no-any-return]

    def say(self, ticket_id: str, text: str, *, kind: str = "public", by: str = "customer", minute: int = 0) -> None:
        """A message of a ticket."""
        self._change(
            "INSERT INTO conversations (company_id, platform, ticket_id, conversation_id, content, message_type, "
            "author_name, author_email, author_type, attachments, created_at) "
            "SELECT company_id, platform, id, gen_random_uuid()::text, %(text)s, %(kind)s, 'Kim', 'kim@example.com', "
            "%(by)s, '[{\"name\": \"log.txt\", \"content_type\": \"text/plain\", \"size\": 3}]', %(at)s "
            "FROM tickets WHERE company_id = %(company)s AND platform = %(platform)s AND ticket_id = %(ticket)s "
            "RETURNING id",
            {"text": text, "kind": kind, "by": by, "at": NOON + timedelta(minutes=minute), "company": self.company_id,
             "platform": self.platform, "ticket": ticket_id},
        )  # fmt: skip

    def change(self, statement: str, *parameters: Any) -> None:
        """Change whatever it is."""
        with self.database.connection() as connection:
            connection.execute(statement, parameters)

    def _change(self, statement: str, parameters: dict[str, Any]) -> Any:
        with self.database.connection() as connection:
            row = connection.execute(statement, parameters).fetchone()
        assert row is not None
        return row[0]


def add_desk(database: Database, slug: str, company: str = "default", platform: str = "freshdesk") -> Desk:
    """An account, as the workspace of a company."""
    with database.connection() as connection:
        company_id = company_named(connection, company)
        (workspace_id,) = connection.execute(
            "INSERT INTO workspace (company_id, slug, name, platform, storage_path) VALUES (%s, %s, %s, %s, %s) "
            "RETURNING workspace_id",
            [company_id, slug, slug.title(), platform, slug],
        ).fetchone() or (None,)
    return Desk(database, slug, company_id, workspace_id, platform)
