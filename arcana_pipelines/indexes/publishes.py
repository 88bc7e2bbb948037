"""How often what the indexes of a company serve has changed. The database tells it on a channel, too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import rows
from arcana_pipelines.db.statements import statements_beside

load_sql = statements_beside(__file__)

# As the trigger `count_published` has it.
CHANNEL = "arcana_published"


@dataclass(frozen=True, slots=True)
class Publish:
    """An index that serves, with how often it has changed, and when last."""

    workspace_id: UUID
    platform: str
    workspace: str
    index_id: UUID
    index: str
    version: int
    published_at: datetime


def publishes_of(connection: Connection, company_id: UUID) -> list[Publish]:
    """Those of a company's workspaces, in order."""
    return rows(connection, Publish, load_sql("publishes"), {"company_id": company_id})
