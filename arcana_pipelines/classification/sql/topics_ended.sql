-- How many topics of documents had no place in a version.
-- in: workspace_id, version
-- out: their number
SELECT count(*) FROM taxonomy_ended WHERE workspace_id = %(workspace_id)s AND version = %(version)s;
