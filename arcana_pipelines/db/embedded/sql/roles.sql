-- The roles of the embedded server and what they may do with its databases, as the superuser, at every start. None of
-- them may do anything outside a database. Run in the database postgres, which none of them can change.
-- in: nothing
-- out: nothing
DO $$
BEGIN
    IF to_regrole('arcana_owner') IS NULL THEN
        CREATE ROLE arcana_owner;
    END IF;
    IF to_regrole('arcana') IS NULL THEN
        CREATE ROLE arcana;
    END IF;
    IF to_regrole('arcana_reader') IS NULL THEN
        CREATE ROLE arcana_reader;
    END IF;
    IF to_regrole('arcana_tenant') IS NULL THEN
        CREATE ROLE arcana_tenant;
    END IF;
    IF to_regrole('arcana_server') IS NULL THEN
        CREATE ROLE arcana_server;
    END IF;
END
$$;
ALTER ROLE arcana_owner NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD NULL;
ALTER ROLE arcana LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD NULL;
-- Half of the server's connections: searches cannot take those that syncs need.
ALTER ROLE arcana_reader LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD NULL
    CONNECTION LIMIT 100;
-- What the roles of companies have in common. Nobody logs in as one of them, and nothing is theirs.
ALTER ROLE arcana_tenant NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD NULL;
-- It serves companies, and may become the role of each within a transaction. Of itself it has next to nothing.
ALTER ROLE arcana_server LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD NULL
    CONNECTION LIMIT 100;
-- Syncs make and drop the partitions of builds, so they act as the owner; whatever they make is the owner's.
GRANT arcana_owner TO arcana;
-- Who holds a lock can be seen, and ended; the server has no sessions but ours.
GRANT pg_read_all_stats, pg_signal_backend TO arcana_owner;
-- The owner of a database can close it to everybody, and set what stops every connection, the superuser's too.
-- In an older release that was arcana_owner.
ALTER DATABASE arcana OWNER TO postgres;
ALTER DATABASE arcana WITH ALLOW_CONNECTIONS true CONNECTION LIMIT -1 IS_TEMPLATE false;
GRANT CONNECT, CREATE, TEMPORARY ON DATABASE arcana TO arcana_owner;
GRANT CONNECT ON DATABASE arcana TO arcana_reader, arcana_server;
REVOKE CREATE, TEMPORARY ON DATABASE arcana FROM PUBLIC, arcana_reader, arcana_tenant, arcana_server;
-- No one needs the others; there, too, tables could be made that fill the disk.
REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC;
-- A role may always set for itself what holds for its later connections: one that was misused can lock its users out,
-- though not beyond the next start.
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT CASE
            WHEN r.oid IS NULL THEN format('ALTER DATABASE %I RESET ALL', d.datname)
            WHEN d.oid IS NULL THEN format('ALTER ROLE %I RESET ALL', r.rolname)
            ELSE format('ALTER ROLE %I IN DATABASE %I RESET ALL', r.rolname, d.datname)
        END
        FROM pg_db_role_setting s
        LEFT JOIN pg_database d ON d.oid = s.setdatabase
        LEFT JOIN pg_roles r ON r.oid = s.setrole
        WHERE r.rolname IN ('arcana_owner', 'arcana', 'arcana_reader', 'arcana_tenant', 'arcana_server') OR (s.setrole = 0 AND d.datname = 'arcana')
    LOOP
        EXECUTE statement;
    END LOOP;
END
$$;
ALTER ROLE arcana SET role = 'arcana_owner';
-- Of each session. Only the superuser may change it.
ALTER ROLE arcana_reader SET temp_file_limit = '1GB';
ALTER ROLE arcana_server SET temp_file_limit = '1GB';
-- The server's log has no bound, and a question that fails is told to the client that asked it.
ALTER ROLE arcana_reader SET log_min_messages = 'panic';
ALTER ROLE arcana_reader SET log_min_error_statement = 'panic';
ALTER ROLE arcana_server SET log_min_messages = 'panic';
ALTER ROLE arcana_server SET log_min_error_statement = 'panic';
