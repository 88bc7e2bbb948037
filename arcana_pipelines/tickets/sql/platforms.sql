-- The platforms on which a company has tickets, or has had some.
-- in: company_id, workspaces (ids; null: of all, and those that were made here)
-- out: platform
SELECT DISTINCT platform FROM ticket_counts
WHERE company_id = %(company_id)s
  AND (%(workspaces)s::uuid[] IS NULL OR workspace_id = ANY (%(workspaces)s::uuid[]))
ORDER BY 1;
