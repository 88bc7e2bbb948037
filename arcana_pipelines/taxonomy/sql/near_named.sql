-- All names of a version's nodes that are about as long as one, to be compared with it.
-- in: workspace_id, version, shortest, longest (characters)
-- out: names, places (of the node of each in the tree), in no order
SELECT coalesce(array_agg(named.name), '{}'), coalesce(array_agg(named.lft), '{}')
FROM (
    SELECT n.lft, unnest(CASE WHEN n.labels = '{}' THEN n.label || n.synonyms
                              ELSE n.label || n.synonyms || ARRAY(SELECT value FROM jsonb_each_text(n.labels)) END) AS name
    FROM taxonomy_nodes n
    WHERE n.workspace_id = %(workspace_id)s AND n.version = %(version)s
) named
WHERE length(named.name) BETWEEN %(shortest)s AND %(longest)s;
