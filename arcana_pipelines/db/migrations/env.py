"""Alembic's entry: runs on the connection that `arcana_pipelines.db.schema` hands over."""

from __future__ import annotations

from alembic import context

from arcana_pipelines.db.models import Base

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("Run migrations with `arcana db upgrade`, which knows which database to use.")
context.configure(connection=connection, target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
