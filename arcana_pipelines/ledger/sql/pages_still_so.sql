-- Which of some pages nobody has written since they were taken up; they stay so until the transaction's end. One that is
-- being written now is not waited for: its writer may wait for another of these pages.
-- in: workspace_id, pages (external ids), written_by (of each, as pages_just_read.sql gave it)
-- out: external_id
SELECT p.external_id
FROM unnest(%(pages)s::text[], %(written_by)s::text[]) AS taken(external_id, written_by)
JOIN source_page p ON p.workspace_id = %(workspace_id)s AND p.external_id = taken.external_id
WHERE p.xmin::text = taken.written_by
FOR UPDATE OF p SKIP LOCKED;
