-- Note paths that documents bring and no node has, and the first three documents. How many they are is counted when the
-- run ends (unknown_count.sql): until then a document that is met twice counts twice.
-- in: workspace_id, version, unknown (JSON: path, documents)
-- out: nothing
INSERT INTO taxonomy_unknown_path AS held (workspace_id, version, path, times, documents)
SELECT %(workspace_id)s, %(version)s, ARRAY(SELECT jsonb_array_elements_text(u.path)), cardinality(u.documents),
       u.documents[1:3]
FROM jsonb_to_recordset(%(unknown)s::jsonb) AS u(path jsonb, documents uuid[])
ON CONFLICT (workspace_id, version, path_key) DO UPDATE SET
    times = held.times + excluded.times, last_at = now(),
    documents = (held.documents || ARRAY(SELECT unnest(excluded.documents) EXCEPT SELECT unnest(held.documents)))[1:3];
