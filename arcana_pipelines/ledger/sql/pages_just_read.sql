-- Pages that a generation has read and that are not processed yet, in the order in which they were read, or from its end.
-- A source tells the time in seconds, and many are read in one: of these the newest edited come first, as they are read.
-- `database` is the title of a row's database.
-- `written_by` is the transaction that wrote the page's row: whoever reads pages may write it again meanwhile.
-- in: workspace_id, generation, limit, direction (1: those that were read first, -1: those that were read last)
-- out: the fields of ReadPage
SELECT p.external_id, p.kind, p.title, p.url, p.properties, p.body, p.body_links, p.partial, p.last_edited_at,
       p.editor_id, p.editor_name, w.platform, p.xmin::text AS written_by,
       CASE WHEN p.kind = 'row' THEN parent.title END AS database
FROM source_page p
JOIN workspace w USING (workspace_id)
LEFT JOIN source_page parent ON parent.workspace_id = p.workspace_id AND parent.external_id = p.parent_external_id
WHERE p.workspace_id = %(workspace_id)s AND p.state = 'fetched' AND p.seen_generation = %(generation)s
ORDER BY extract(epoch FROM p.fetched_at) * %(direction)s, extract(epoch FROM p.last_edited_at) * -%(direction)s,
         CASE WHEN %(direction)s > 0 THEN p.external_id END, CASE WHEN %(direction)s < 0 THEN p.external_id END DESC
LIMIT %(limit)s;
