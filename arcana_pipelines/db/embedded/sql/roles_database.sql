-- Extensions, and one owner for everything in the database, as the superuser. An older release owned all as superuser.
-- The owner can make operators and functions in the schema public. An operator there that fits the types better than
-- PostgreSQL's own would be taken, and run as the superuser: so the search path of who runs this is pg_catalog alone.
-- in: nothing
-- out: nothing
DO $$
BEGIN
    -- Who owns the schema could drop it with the extensions that are in it.
    IF to_regnamespace('public') IS NULL THEN
        CREATE SCHEMA public;
        GRANT USAGE ON SCHEMA public TO PUBLIC;
    END IF;
    ALTER SCHEMA public OWNER TO pg_database_owner;
END
$$;
GRANT USAGE, CREATE ON SCHEMA public TO arcana_owner;
GRANT USAGE ON SCHEMA public TO arcana_reader, arcana_server, arcana_tenant;
CREATE EXTENSION IF NOT EXISTS ltree SCHEMA public;
CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public;
CREATE EXTENSION IF NOT EXISTS vector SCHEMA public;
DO $$
DECLARE
    superuser CONSTANT oid := (SELECT oid FROM pg_roles WHERE rolname = current_user);
    statement text;
BEGIN
    FOR statement IN
        WITH theirs AS (
            SELECT n.oid, n.nspname FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        ), of_extensions AS (
            SELECT d.classid, d.objid FROM pg_depend d WHERE d.deptype = 'e'
        ), wrong AS (
            SELECT 'SCHEMA' AS kind, quote_ident(n.nspname) AS name, 'pg_namespace'::regclass AS class, n.oid
            FROM pg_namespace n JOIN theirs USING (oid) WHERE n.nspowner = superuser
            UNION ALL
            -- A sequence of a column and the type of a table go with the table.
            SELECT 'TABLE', c.oid::regclass::text, 'pg_class'::regclass, c.oid
            FROM pg_class c JOIN theirs t ON t.oid = c.relnamespace
            WHERE c.relowner = superuser AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
              AND NOT (c.relkind = 'S' AND EXISTS (
                  SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')))
            UNION ALL
            SELECT 'ROUTINE', p.oid::regprocedure::text, 'pg_proc'::regclass, p.oid
            FROM pg_proc p JOIN theirs t ON t.oid = p.pronamespace
            WHERE p.proowner = superuser AND p.proname <> 'arcana_company_role'
            UNION ALL
            SELECT 'TYPE', y.oid::regtype::text, 'pg_type'::regclass, y.oid
            FROM pg_type y JOIN theirs t ON t.oid = y.typnamespace
            WHERE y.typowner = superuser AND y.typtype IN ('e', 'd')
        )
        SELECT format('ALTER %s %s OWNER TO arcana_owner', kind, name)
        FROM wrong w
        WHERE NOT EXISTS (SELECT FROM of_extensions e WHERE e.classid = w.class AND e.objid = w.oid)
    LOOP
        EXECUTE statement;
    END LOOP;
END
$$;
-- What everybody may call though it writes (large objects, messages in the log of changes) or stops others (locks that
-- syncs and migrations take, sessions of the same role, snapshots): the owner keeps it, as syncs and Dagster need some.
DO $$
DECLARE
    callable regprocedure;
BEGIN
    FOR callable IN
        SELECT p.oid
        FROM pg_proc p
        WHERE p.pronamespace = 'pg_catalog'::regnamespace
          AND (p.proname ~ '^(lo_|pg_advisory_|pg_try_advisory_)'
               OR p.proname IN ('loread', 'lowrite', 'pg_notify', 'pg_cancel_backend', 'pg_terminate_backend',
                                'pg_logical_emit_message', 'pg_export_snapshot'))
          AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) acl
                      WHERE acl.grantee = 0 AND acl.privilege_type = 'EXECUTE')
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', callable);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO arcana_owner', callable);
    END LOOP;
END
$$;
-- The owner can make no roles but these: one for each company, with which the server reads what is that company's.
CREATE OR REPLACE FUNCTION public.arcana_company_role(company uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    role CONSTANT text := 'arcana_company_' || replace(company::text, '-', '');
BEGIN
    IF to_regrole(role) IS NULL THEN
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;  -- another session was sooner
        END;
    END IF;
    IF NOT pg_has_role('arcana_server', role, 'MEMBER') THEN
        EXECUTE format('GRANT arcana_tenant TO %I', role);
        EXECUTE format('GRANT %I TO arcana_server', role);
        -- They may act for a company, too. Inherited, its policies would bind them all the time.
        IF current_setting('server_version_num')::int >= 160000 THEN
            EXECUTE format('GRANT %I TO arcana_reader, arcana_owner WITH INHERIT FALSE, SET TRUE', role);
        END IF;
    END IF;
END
$$;
REVOKE EXECUTE ON FUNCTION public.arcana_company_role(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.arcana_company_role(uuid) TO arcana_owner;
