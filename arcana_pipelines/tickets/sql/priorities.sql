-- The priorities that tickets have.
-- in: wanted (conditions, with what they take)
-- out: priority
SELECT t.priority FROM ticket_counts t WHERE {wanted} GROUP BY 1 HAVING sum(t.tickets) <> 0 ORDER BY 1;
