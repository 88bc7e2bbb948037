-- Which history of which database a server goes on in. A restore begins another one, in which numbers that count up are
-- given again.
-- in: nothing
-- out: the history
SELECT concat_ws('/', system.system_identifier, d.oid, checkpoint.timeline_id)
FROM pg_database d, pg_control_system() system, pg_control_checkpoint() checkpoint
WHERE d.datname = current_database();
