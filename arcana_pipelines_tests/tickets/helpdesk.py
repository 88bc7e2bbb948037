"""Tickets in the tables, as a sync leaves them there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from arcana_pipelines.db.engine import Database
from arcana_pipelines.settings import Settings
from arcana_pipelines.tickets.summaries.counts import SummaryCounts, summary_counts
from arcana_pipelines.tickets.summaries.making import SummariesReport, make_summaries
from arcana_pipelines.workspaces import workspaces

Message = tuple[str, str, str]
"""Its type, who wrote it, its text."""


@dataclass
class Helpdesk:
    """A workspace with tickets; `settings` name the chat model."""

    database: Database
    settings: Settings
    slug: str = "acme"

    @property
    def workspace_id(self) -> UUID:
        with self.database.connection() as connection:
            return workspaces.find(connection, self.slug).workspace_id

    def write(self, number: int, description: str, *messages: Message, title: str = "Log-in") -> None:
        """Store a ticket as a sync does; a higher number is a newer one."""
        public = [list(each) for each in messages if each[0] != "private"]
        digest = hashlib.sha256(json.dumps([title, description, public]).encode()).digest()
        with self.database.connection() as connection, connection.transaction():
            (ticket,) = connection.execute(
                "INSERT INTO tickets AS held (company_id, platform, workspace_id, ticket_id, title, description, "
                "requester_name, requester_email, content_hash, updated_at) "
                "SELECT company_id, platform, workspace_id, %(number)s, %(title)s, %(description)s, 'Kim Secret', "
                "'kim@secret.example', %(hash)s, timestamptz '2026-03-01T00:00Z' + make_interval(mins => %(minutes)s) "
                "FROM workspace WHERE slug = %(slug)s "
                "ON CONFLICT (company_id, platform, ticket_id) DO UPDATE SET title = excluded.title, "
                "description = excluded.description, content_hash = excluded.content_hash, is_processed = "
                "held.is_processed AND held.content_hash = excluded.content_hash RETURNING id",
                {
                    "number": str(number), "title": title, "description": description, "hash": digest,
                    "minutes": number, "slug": self.slug,
                },
            ).fetchone() or (None,)  # fmt: skip
            connection.execute("DELETE FROM conversations WHERE ticket_id = %s", [ticket])
            for position, (kind, by, text) in enumerate(messages):
                connection.execute(
                    "INSERT INTO conversations (company_id, platform, ticket_id, conversation_id, content, "
                    "message_type, author_name, author_email, author_type, created_at) "
                    "SELECT company_id, platform, id, %s, %s, %s, 'Lee Secret', 'lee@secret.example', %s, "
                    "timestamptz '2026-03-02T00:00Z' + make_interval(mins => %s) FROM tickets WHERE id = %s",
                    [str(position), text, kind, by, position, ticket],
                )

    def fill(self, number: int) -> None:
        for each in range(number):
            self.write(each, f"I cannot log in, for the {each}th time.")

    def make(self, settings: Settings | None = None, **options: Any) -> SummariesReport:
        with self.database.connection() as connection:
            return make_summaries(
                connection, workspaces.find(connection, self.slug), settings or self.settings, **options
            )

    def counts(self, model: str | None = "chat-1") -> SummaryCounts:
        with self.database.connection() as connection:
            (counts,) = summary_counts(connection, self.workspace_id, model)
        return counts

    def summary(self, number: int) -> dict[str, Any] | None:
        ((summary,),) = self.rows("SELECT summary FROM tickets WHERE ticket_id = %s", str(number))
        return summary  # type: ignore[no-any-return]

    def summarised(self) -> Sequence[int]:
        """The numbers of the tickets that have a summary, newest first."""
        rows = self.rows("SELECT ticket_id FROM tickets WHERE summary IS NOT NULL ORDER BY updated_at DESC")
        return [int(number) for (number,) in rows]

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.database.connection() as connection:
            return connection.execute(statement, parameters).fetchall()

    def change(self, statement: str, *parameters: Any) -> None:
        with self.database.connection() as connection:
            connection.execute(statement, parameters)
