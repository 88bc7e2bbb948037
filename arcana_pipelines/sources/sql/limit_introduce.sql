-- Make the token's row. What was learned stays until a person sets another number.
-- in: credential (hash of the token), configured (requests a minute; 0: no window)
-- out: nothing
INSERT INTO source_limit AS held (credential_hash, configured, per_minute)
VALUES (%(credential)s, %(configured)s, %(configured)s)
ON CONFLICT (credential_hash) DO UPDATE SET configured = excluded.configured, per_minute = excluded.per_minute
WHERE held.configured <> excluded.configured;
