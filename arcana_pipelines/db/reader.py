"""The roles that may read: one that searches for the operator, and one a company, as which the server reads for it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg

from arcana_pipelines.db.statements import statements_beside

load_sql = statements_beside(__file__)


def company_role(company_id: UUID) -> str:
    """The role that reads what is a company's, and nothing else."""
    return f"arcana_company_{company_id.hex}"


def grant_to_readers(connection: psycopg.Connection[Any]) -> None:
    """Let the roles read what they may, as far as there are tables already; nothing where there are no such roles."""
    connection.execute(load_sql("roles_reader"))
    connection.execute(load_sql("roles_serving"))
