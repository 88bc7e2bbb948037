-- What a parser made of some bytes, in the place of what it made of them before.
-- in: workspace_id, sha256, parser, text, title, places, notes, inside (JSON), reason, detail, seconds
-- out: nothing
INSERT INTO parsed_file AS held (
    workspace_id, sha256, parser, text, title, places, notes, inside, reason, detail, seconds)
VALUES (%(workspace_id)s, %(sha256)s, %(parser)s, %(text)s, %(title)s, %(places)s::jsonb, %(notes)s::jsonb,
        %(inside)s::jsonb, %(reason)s, %(detail)s, %(seconds)s)
ON CONFLICT (workspace_id, sha256, parser) DO UPDATE SET
    text = excluded.text, title = excluded.title, places = excluded.places, notes = excluded.notes,
    inside = excluded.inside, reason = excluded.reason, detail = excluded.detail, seconds = excluded.seconds,
    attempts = held.attempts + 1, parsed_at = now();
