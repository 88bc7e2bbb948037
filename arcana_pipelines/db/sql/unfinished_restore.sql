-- in: nothing
-- out: whether a restore into this database was begun and not finished
SELECT to_regnamespace('arcana_restore_unfinished') IS NOT NULL
