"""Alembic's entry: runs on the connection that `arcana_pipelines.db.schema` hands over."""

from __future__ import annotations

from alembic import context

from arcana_pipelines.db.models import Base

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("Run migrations with `arcana db upgrade`, which knows which database to use.")
schema = connection.exec_driver_sql("SELECT current_schema()").scalar_one()
connection.commit()
# Without the schema, the version table of another application further down the search path would be taken for ours.
context.configure(connection=connection, target_metadata=Base.metadata, version_table_schema=schema)
with context.begin_transaction():
    for statement in context.config.attributes.get("locks", ()):
        connection.exec_driver_sql(statement)
    context.run_migrations()
