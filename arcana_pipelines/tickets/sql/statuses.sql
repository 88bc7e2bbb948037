-- The statuses that tickets have.
-- in: wanted (conditions, with what they take)
-- out: status
SELECT t.status FROM ticket_counts t WHERE {wanted} GROUP BY 1 HAVING sum(t.tickets) <> 0 ORDER BY 1;
