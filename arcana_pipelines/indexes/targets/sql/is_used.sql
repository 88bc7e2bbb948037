-- Whether anything of ours is, or may still be, in a store.
-- in: kind, location
-- out: true or false
SELECT EXISTS (SELECT FROM index_target WHERE kind = %(kind)s AND location = %(location)s)
    OR EXISTS (SELECT FROM target_collection WHERE kind = %(kind)s AND location = %(location)s)
    OR EXISTS (SELECT FROM unwanted_collection WHERE kind = %(kind)s AND location = %(location)s);
