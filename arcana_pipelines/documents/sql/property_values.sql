-- What one property of a version is compared as: the whole cell at position 0, and each item of a list.
-- in: nothing (but v, a property of a version as jsonb_each gives it: key, value)
-- out: name, position, text, number, truth, starts, ends
SELECT v.key AS name, each.position::smallint AS position, each.held->>'text' AS text,
       CASE WHEN jsonb_typeof(each.held->'number') = 'number' THEN (each.held->>'number')::numeric END AS number,
       CASE WHEN jsonb_typeof(each.held->'truth') = 'boolean' THEN (each.held->>'truth')::boolean END AS truth,
       (each.held->'span'->>0)::timestamp AS starts, (each.held->'span'->>1)::timestamp AS ends
FROM (
    SELECT 0 AS position, coalesce(v.value->'means', jsonb_build_object('number', v.value->'value'))  -- versions of older releases
                          || jsonb_build_object('text', v.value->>'text') AS held
    UNION ALL
    SELECT i.position, i.item FROM jsonb_array_elements(v.value->'means'->'items') WITH ORDINALITY AS i(item, position)
) each
-- A longer name does not fit an index.
WHERE v.value->>'text' <> '' AND octet_length(v.key) <= 1000
