-- Take texts of a batch that have their answer off its list. Only those that were still on it are returned, so an
-- answer that is read twice is stored and counted once.
-- in: batch (embedding_batch_id), hashes
-- out: text_hash of each that was on the list
DELETE FROM embedding_batch_text
WHERE embedding_batch_id = %(batch)s AND text_hash = ANY(%(hashes)s)
RETURNING text_hash;
