-- The source counts a request for more, or for less, than was taken for it.
-- in: credential (hash of the token), more (requests; negative: fewer)
-- out: nothing
INSERT INTO source_request AS r (credential_hash, second, requests)
VALUES (%(credential)s, date_trunc('second', clock_timestamp()), greatest(0, %(more)s))
ON CONFLICT (credential_hash, second) DO UPDATE SET requests = greatest(0, r.requests + %(more)s);
