#!/bin/sh
# Run once by the image of the service `postgres`, when its volume is empty: the database, and the role that the
# services use. It owns the database and is no superuser, so the one extension that needs a superuser is made here.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$ARCANA_DB_PASSWORD" --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE arcana LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE DATABASE arcana OWNER arcana;
REVOKE CONNECT, TEMPORARY ON DATABASE arcana FROM PUBLIC;
\connect arcana
CREATE EXTENSION vector;
SQL
