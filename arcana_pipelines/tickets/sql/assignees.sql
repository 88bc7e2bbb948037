-- The addresses of who works on tickets: the one that is asked for where tickets have it, which an index tells; else all.
-- in: wanted (conditions, with what they take), name (the address)
-- out: assignee_email
WITH asked AS MATERIALIZED (
    SELECT DISTINCT t.assignee_email FROM tickets t
    WHERE {wanted} AND t.removed_at IS NULL AND t.assignee_email IN (%(name)s, lower(%(name)s))
)
SELECT assignee_email FROM asked
UNION ALL
(
    SELECT DISTINCT t.assignee_email FROM tickets t
    WHERE {wanted} AND t.removed_at IS NULL AND t.assignee_email IS NOT NULL AND NOT EXISTS (SELECT FROM asked)
    ORDER BY 1
);
