#!/bin/sh
# Run once by the image of the service `postgres`, when its volume is empty: the database, the role that the services use, the
# one that companies are served as (docs/operating.md, "Companies apart"), and the one that keeps Dagster's tables. The first owns the database and is no
# superuser, so the one extension that needs a superuser is made here; it makes a role for each company.
set -eu
# psql reads passwords from its environment: they stand in no list of processes.
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv password ARCANA_DB_PASSWORD
\getenv server ARCANA_SERVER_DB_PASSWORD
CREATE ROLE arcana LOGIN NOSUPERUSER NOCREATEDB CREATEROLE PASSWORD :'password';
CREATE ROLE arcana_tenant NOLOGIN;
-- Nobody logs in without a password, and '' is none.
CREATE ROLE arcana_server LOGIN NOINHERIT PASSWORD :'server';
GRANT arcana_tenant TO arcana WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;
CREATE DATABASE arcana OWNER arcana;
REVOKE CONNECT, TEMPORARY ON DATABASE arcana FROM PUBLIC;
GRANT CONNECT ON DATABASE arcana TO arcana_server;
\connect arcana
CREATE EXTENSION vector;
SQL
psql -v ON_ERROR_STOP=1 -v owner=arcana --username "$POSTGRES_USER" --dbname arcana --file /opt/arcana/postgres-dagster.sql
