-- What pages that properties point to stand for: a topic that was imported from a page has its id as its reference.
-- in: workspace_id, version, pages (external ids)
-- out: external_id, title (NULL: it is not known), node_id (NULL: it is no topic)
SELECT asked.external_id, p.title, n.node_id
FROM unnest(%(pages)s::text[]) asked(external_id)
LEFT JOIN source_page p ON p.workspace_id = %(workspace_id)s AND p.external_id = asked.external_id
LEFT JOIN taxonomy_nodes n
    ON n.workspace_id = %(workspace_id)s AND n.version = %(version)s AND n.external_ref = asked.external_id;
