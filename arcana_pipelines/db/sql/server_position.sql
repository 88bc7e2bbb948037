-- How far a server is in the log of changes, and whose that log is.
-- in: nothing
-- out: is_standby, position (bytes of the log: that it has replayed; of a primary that it has on its disk), origin (the
--     installation of PostgreSQL, which its replicas share, and the database there), revision (of the schema)
SELECT role.is_standby,
       pg_wal_lsn_diff(
           CASE WHEN role.is_standby THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END, '0/0'
       )::bigint AS position,
       (SELECT system_identifier FROM pg_control_system()) || '/' || d.oid AS origin,
       (SELECT version_num FROM alembic_version) AS revision
FROM pg_database d
CROSS JOIN (SELECT pg_is_in_recovery() AS is_standby) role
WHERE d.datname = current_database();
