-- What tells one row of a target from another: text, title, headings and vector of a chunk, not its place nor its version.
-- in: nothing (an expression over a row `k` of a table of chunks)
-- out: 32 hexadecimal digits
encode(substr(sha256(k.text_hash || convert_to(array_to_json(k.heading_path)::text, 'UTF8')
                     || vector_send(k.chunk_embedding)), 1, 16), 'hex')
