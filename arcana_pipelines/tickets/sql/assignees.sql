-- The addresses of who works on tickets. From one to the next by the index: it takes as long as there are addresses,
-- however many tickets there are.
-- in: wanted (conditions, with what they take)
-- out: assignee_email
WITH RECURSIVE address AS (
    (
        SELECT t.assignee_email FROM tickets t
        WHERE {wanted} AND t.removed_at IS NULL AND t.assignee_email IS NOT NULL
        ORDER BY 1 LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT t.assignee_email FROM tickets t
        WHERE {wanted} AND t.removed_at IS NULL AND t.assignee_email > address.assignee_email
        ORDER BY 1 LIMIT 1
    )
    FROM address WHERE address.assignee_email IS NOT NULL
)
SELECT assignee_email FROM address WHERE assignee_email IS NOT NULL;
