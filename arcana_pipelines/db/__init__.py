"""PostgreSQL: connections, queries, tables, migrations."""
