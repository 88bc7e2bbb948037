-- How many tickets there are, by status, by priority, and with a summary of what they hold now.
-- in: wanted (conditions, with what they take)
-- out: total_tickets, status_distribution, priority_distribution (tickets by name), processed_count, unprocessed_count
WITH counted AS MATERIALIZED (
    SELECT t.status, t.priority, t.is_processed, sum(t.tickets) AS tickets
    FROM ticket_counts t
    WHERE {wanted}
    GROUP BY 1, 2, 3
    HAVING sum(t.tickets) <> 0
)
SELECT coalesce(sum(tickets), 0)::bigint AS total_tickets,
       (SELECT coalesce(jsonb_object_agg(s.name, s.tickets), jsonb_build_object())
        FROM (SELECT status AS name, sum(tickets) AS tickets FROM counted GROUP BY 1) s) AS status_distribution,
       (SELECT coalesce(jsonb_object_agg(p.name, p.tickets), jsonb_build_object())
        FROM (SELECT priority AS name, sum(tickets) AS tickets FROM counted GROUP BY 1) p) AS priority_distribution,
       coalesce(sum(tickets) FILTER (WHERE is_processed), 0)::bigint AS processed_count,
       coalesce(sum(tickets) FILTER (WHERE NOT is_processed), 0)::bigint AS unprocessed_count
FROM counted;
