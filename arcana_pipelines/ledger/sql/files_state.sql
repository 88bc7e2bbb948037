-- What the ledger of files holds, in one word: it is another one when any of its rows was written since (the newest
-- transaction has the highest number), or a page that has files was removed, came back or has another address. And whether
-- something of it waits for its time.
-- in: workspace_id, form (of versions), fetches (files are fetched at all)
-- out: state, is_due
SELECT md5(concat_ws(' ', %(form)s::text, count(*), sum(f.xmin::text::bigint),
                     sum(hashtextextended(concat(p.state = 'tombstoned', p.url), 0)))) AS state,
       coalesce(bool_or(f.state = 'stored'
                        OR f.state = 'pending' AND %(fetches)s
                        OR f.state = 'quarantined' AND f.next_attempt_at <= now()
                           AND (f.reason NOT IN ('download failed', 'page not read') OR %(fetches)s)), false) AS is_due
FROM source_file f
LEFT JOIN source_page p ON p.workspace_id = f.workspace_id AND p.external_id = f.page_external_id
WHERE f.workspace_id = %(workspace_id)s;
