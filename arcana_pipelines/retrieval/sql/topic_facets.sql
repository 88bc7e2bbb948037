-- The topics directly below some others, with how many documents of those that may be found each is a topic of, or one
-- below it. A document counts once in each, however many of its topics are there; a file with its page's topics, too.
-- in: workspace_id, children (condition on a node n), about (table: `own`, or with files), versions (table: what is served),
--     allowed (conditions on `document_id`)
-- out: node_id, path, label, has_children, documents, workspace (slug); most documents first
WITH child AS MATERIALIZED (
    SELECT n.node_id, n.version, n.canonical_path, n.label, n.lft, n.rgt
    FROM taxonomy_version v JOIN taxonomy_nodes n USING (workspace_id, version)
    WHERE v.workspace_id = %(workspace_id)s AND v.state = 'active' AND {children}
), own AS (
    -- Each by itself: of fewer documents, what is there twice is seen sooner.
    SELECT c.node_id, d.document_id
    FROM child c
    CROSS JOIN LATERAL (SELECT DISTINCT t.doc_id AS document_id FROM doc_taxonomy t
                        WHERE t.workspace_id = %(workspace_id)s AND t.version = c.version
                          AND t.lft BETWEEN c.lft AND c.rgt AND NOT t.hitl_required) d
), counted AS (
    SELECT node_id, count(*) AS documents
    FROM {about} about
    WHERE document_id IN (SELECT v.document_id FROM {versions} v) {allowed}
    GROUP BY node_id
)
SELECT c.node_id, c.canonical_path AS path, c.label,
       EXISTS (SELECT FROM taxonomy_nodes b WHERE b.parent_id = c.node_id AND b.version = c.version) AS has_children,
       coalesce(n.documents, 0) AS documents,
       (SELECT slug FROM workspace WHERE workspace_id = %(workspace_id)s) AS workspace
FROM child c LEFT JOIN counted n USING (node_id)
ORDER BY documents DESC, c.label, c.node_id;
