-- Once, by the database's superuser, in our database: the user who keeps Dagster's tables, and reads nothing of ours.
--
--   ARCANA_DAGSTER_DB_PASSWORD=… psql -v ON_ERROR_STOP=1 -v owner=arcana -d arcana -f deploy/postgres-dagster.sql
--
-- `owner` is who owns the database and makes the tables (`arcana db upgrade`): arcana, or arcana_owner where arcana acts as that.
\if :{?password}
\else
  \getenv password ARCANA_DAGSTER_DB_PASSWORD
\endif
CREATE ROLE arcana_dagster LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
SELECT format('GRANT CONNECT ON DATABASE %I TO arcana_dagster', current_database()) \gexec
CREATE SCHEMA IF NOT EXISTS dagster AUTHORIZATION :"owner";
GRANT USAGE ON SCHEMA dagster TO arcana_dagster;
-- What is there, and what an upgrade makes.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA dagster TO arcana_dagster;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA dagster TO arcana_dagster;
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA dagster GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO arcana_dagster;
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA dagster GRANT USAGE ON SEQUENCES TO arcana_dagster;
