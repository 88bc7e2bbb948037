"""The role that may search, and nothing else."""

from __future__ import annotations

from typing import Any

import psycopg

from arcana_pipelines.db.statements import statements_beside

load_sql = statements_beside(__file__)


def grant_to_reader(connection: psycopg.Connection[Any]) -> None:
    """Let the role read what searches need, as far as there are tables already; nothing where there is no such role."""
    connection.execute(load_sql("roles_reader"))
