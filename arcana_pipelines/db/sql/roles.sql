-- The roles of the embedded server, as the superuser, at every start. None of them may do anything outside a database.
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
END
$$;
ALTER ROLE arcana_owner NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER ROLE arcana LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER ROLE arcana_reader LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
-- Syncs make and drop the partitions of builds, so they act as the owner; whatever they make is the owner's.
GRANT arcana_owner TO arcana;
-- Who holds a lock can be seen, and ended; the server has no sessions but ours.
GRANT pg_read_all_stats, pg_signal_backend TO arcana_owner;
ALTER ROLE arcana SET role = 'arcana_owner';
